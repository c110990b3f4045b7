#include "dataset/coco_painting.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <string>

#include "dataset/run_lengths.hpp"
#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

constexpr std::uint32_t kNothing = 0, kIgnored = UINT32_MAX;  ///< other numbers: place in the file, from 1
constexpr std::uint8_t kIgnoreValue = 255;

// Calls `paint(begin, end)` for each run of the object's pixels, in columns; several times where its outlines overlap.
template <typename Paint>
void for_each_run_of(const CocoObject& object, const CocoImage& image, const Paint& paint) {
  if (object.outlines.empty()) return for_each_run_inside(object.runs, paint);
  const std::span<const std::int32_t> outlines(object.outlines);
  for (std::size_t at = 0; at < outlines.size();) {
    const auto length = static_cast<std::size_t>(outlines[at]);
    for_each_run_inside(runs_inside(outlines.subspan(at + 1, length), image.height_px, image.width_px), paint);
    at += 1 + length;
  }
}

// Objects from the lowest to the topmost, as places in the file.
std::vector<std::size_t> order_of(const CocoImage& image, const CocoPainting& painting) {
  std::vector<std::size_t> order(image.objects.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (!painting.by_area) return order;
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    const CocoObject &first = image.objects[a], &second = image.objects[b];
    return first.area != second.area ? first.area > second.area : first.id < second.id;
  });
  return order;
}

// The topmost object of each pixel, column after column.
std::vector<std::uint32_t> paint_columns(const CocoImage& image, const CocoPainting& painting) {
  std::vector<std::uint32_t> columns(static_cast<std::size_t>(image.height_px * image.width_px), kNothing);
  const std::vector<std::size_t> order = order_of(image, painting);
  const auto ignored = [&](std::size_t i) { return painting.ignore_crowds && image.objects[i].crowd; };
  for (const std::size_t i : order)
    if (!ignored(i))
      for_each_run_of(image.objects[i], image, [&](std::int64_t begin, std::int64_t end) {
        std::fill(columns.begin() + begin, columns.begin() + end, static_cast<std::uint32_t>(i + 1));
      });
  for (const std::size_t i : order)
    if (ignored(i))
      for_each_run_of(image.objects[i], image, [&](std::int64_t begin, std::int64_t end) {
        std::replace(columns.begin() + begin, columns.begin() + end, kNothing, kIgnored);
      });
  return columns;
}

// `values` by place in the file, from 1.
DrawnPlane plane_of(const CocoImage& image, const std::vector<std::uint32_t>& columns,
                    const std::vector<std::uint8_t>& values) {
  DrawnPlane plane{image.height_px, image.width_px, std::vector<std::uint8_t>(columns.size())};
  std::size_t position = 0;
  for (std::int64_t x = 0; x < image.width_px; ++x)
    for (std::int64_t y = 0; y < image.height_px; ++y, ++position)
      plane.values_hw[static_cast<std::size_t>(y * image.width_px + x)] =
          columns[position] == kIgnored ? kIgnoreValue : values[columns[position]];
  return plane;
}

}  // namespace

DrawnPlane paint_values(const CocoImage& image, const CocoPainting& painting,
                        const std::function<std::uint8_t(std::int64_t category_id)>& value_of_category) {
  std::vector<std::uint8_t> values{0};
  for (const CocoObject& object : image.objects) values.push_back(value_of_category(object.category_id));
  return plane_of(image, paint_columns(image, painting), values);
}

DrawnPlane paint_objects(const CocoImage& image, const CocoPainting& painting) {
  constexpr std::size_t most_objects = 253;
  const std::vector<std::uint32_t> columns = paint_columns(image, painting);
  std::vector<bool> seen(image.objects.size() + 1);
  for (const std::uint32_t object : columns)
    if (object != kIgnored) seen[object] = true;
  std::vector<std::uint8_t> numbers(seen.size());
  std::size_t count = 0;
  for (std::size_t i = 1; i < seen.size(); ++i)
    if (seen[i]) numbers[i] = static_cast<std::uint8_t>(++count);
  if (count > most_objects)
    throw UserError("image `" + image.name + "`",
                    "A map of objects cannot hold this many: `" + std::to_string(count) + "`.",
                    "At most 253 objects are told apart in an image.");
  return plane_of(image, columns, numbers);
}

}  // namespace seedbed::dataset
