#include "images/collate.hpp"

#include <algorithm>
#include <functional>

#include <ATen/ATen.h>

namespace seedbed::images {
namespace {

// The planes that `plane_of` picks, stacked: [N,H,W] or [N,H,W,3] uint8.
at::Tensor stack_padded(const std::vector<BatchItem>& items, dataset::Extent size, std::int64_t padding,
                        const std::function<const at::Tensor&(const Sample&)>& plane_of) {
  std::vector<std::int64_t> shape = plane_of(items.front().sample).sizes().vec();
  shape[0] = size.height_px;
  shape[1] = size.width_px;
  shape.insert(shape.begin(), std::ssize(items));
  at::Tensor stacked = at::full(shape, padding, at::kByte);
  for (std::int64_t i = 0; i < std::ssize(items); ++i) {
    const at::Tensor& plane = plane_of(items[static_cast<std::size_t>(i)].sample);
    stacked.select(0, i).narrow(0, 0, plane.size(0)).narrow(1, 0, plane.size(1)).copy_(plane);
  }
  return stacked;
}

dataset::Extent largest_extent(const std::vector<BatchItem>& items) {
  dataset::Extent size;
  for (const BatchItem& item : items) {
    size.height_px = std::max(size.height_px, item.sample.image_hwc.size(0));
    size.width_px = std::max(size.width_px, item.sample.image_hwc.size(1));
  }
  return size;
}

// Padding is the mean colour: zero once normalised.
void clear_outside(at::Tensor image_chw, const PixelBox& valid) {
  const std::int64_t height = image_chw.size(1), width = image_chw.size(2);
  image_chw.narrow(1, 0, valid.top).zero_();
  image_chw.narrow(1, valid.bottom, height - valid.bottom).zero_();
  image_chw.narrow(2, 0, valid.left).zero_();
  image_chw.narrow(2, valid.right, width - valid.right).zero_();
}

// Where each view's pixels lie in its image: [N,2,3] float64.
at::Tensor places_of(const std::vector<BatchItem>& items) {
  at::Tensor places = at::zeros({std::ssize(items), 2, 3}, at::kDouble);
  auto* row = places.mutable_data_ptr<double>();
  for (const BatchItem& item : items) {
    const Sample& sample = item.sample;
    const double affine[] = {sample.columns.scale, 0, sample.columns.offset, 0, sample.rows.scale, sample.rows.offset};
    row = std::ranges::copy(affine, row).out;
  }
  return places;
}

// Stored planes where the batch has them, zeros elsewhere: [N,planes,H,W] float32.
at::Tensor scores_of(const std::vector<BatchItem>& items, dataset::Extent size, const std::string& name) {
  std::int64_t num_planes = 0;  // an image without any class has maps of no plane, whose kind is not known
  for (const BatchItem& item : items) num_planes = std::max(num_planes, item.sample.companions.at(name).num_planes);
  at::Tensor scores = at::zeros({std::ssize(items), num_planes, size.height_px, size.width_px});
  for (std::int64_t i = 0; i < std::ssize(items); ++i) {
    const Companion& companion = items[static_cast<std::size_t>(i)].sample.companions.at(name);
    for (std::size_t plane = 0; plane < companion.places.size(); ++plane) {
      const at::Tensor& values = companion.values[static_cast<std::int64_t>(plane)];
      scores[i][companion.places[plane]].narrow(0, 0, values.size(0)).narrow(1, 0, values.size(1)).copy_(values);
    }
  }
  return scores;
}

at::Tensor companion_of(const std::vector<BatchItem>& items, dataset::Extent size, const std::string& name) {
  const auto bytes = [&](std::int64_t padding) {
    const auto values = [&](const Sample& s) -> const at::Tensor& { return s.companions.at(name).values; };
    return stack_padded(items, size, padding, values).unsqueeze(1);
  };
  switch (items.front().sample.companions.at(name).kind) {
    case CompanionKind::grey:
      return bytes(0).to(at::kFloat).div_(255.0);
    case CompanionKind::labels:
      return bytes(255).to(at::kLong);
    case CompanionKind::scores:
      break;
  }
  return scores_of(items, size, name);
}

at::Tensor boxes_of(const std::vector<BatchItem>& items) {
  at::Tensor boxes = at::empty({std::ssize(items), 4}, at::kLong);
  auto* edge = boxes.mutable_data_ptr<std::int64_t>();
  for (const BatchItem& item : items) {
    const PixelBox& valid = item.sample.valid;
    for (std::int64_t value : {valid.top, valid.left, valid.bottom, valid.right}) *edge++ = value;
  }
  return boxes;
}

}  // namespace

ViewBatch collate(const std::vector<BatchItem>& items, const Normalisation& normalisation, bool raw_images) {
  const Sample& first = items.front().sample;
  const dataset::Extent size = largest_extent(items);
  ViewBatch batch;
  const at::Tensor raw = stack_padded(items, size, 0, [](const Sample& s) -> const at::Tensor& { return s.image_hwc; });
  batch.images_nchw = normalise_images(raw, normalisation);
  for (std::int64_t i = 0; i < std::ssize(items); ++i)
    clear_outside(batch.images_nchw.select(0, i), items[static_cast<std::size_t>(i)].sample.valid);
  if (raw_images) batch.images_raw_nhwc = raw;
  if (first.target_hw.defined())
    batch.target_nhw =
        stack_padded(items, size, 255, [](const Sample& s) -> const at::Tensor& { return s.target_hw; }).to(at::kLong);
  for (const auto& entry : first.companions) batch.companions[entry.first] = companion_of(items, size, entry.first);
  batch.valid.boxes_n4 = boxes_of(items);
  batch.to_image_n23 = places_of(items);
  std::vector<at::Tensor> present;
  for (const BatchItem& item : items) {
    batch.image_ids.push_back(item.image_id);
    if (item.present_c.defined()) present.push_back(item.present_c);
  }
  if (!present.empty()) batch.present_nc = at::stack(present);
  return batch;
}

}  // namespace seedbed::images
