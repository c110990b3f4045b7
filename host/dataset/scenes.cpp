#include "dataset/scenes.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "dataset/random_stream.hpp"
#include "dataset/scene_appearance.hpp"

namespace seedbed::dataset {
namespace {

struct Placed {
  std::int64_t label = 0;
  std::int32_t centre_x = 0, centre_y = 0, radius = 0;  ///< sixteenths of a pixel
  Turn turn{};
  Colour light{}, dark{};
};

// Which object each pixel shows: 0 = background, i = placed[i - 1].
struct Layout {
  std::vector<Placed> placed;
  std::vector<std::uint8_t> owner_hw;
  std::vector<std::int64_t> shown;  ///< pixels of the background and of each object
};

std::int32_t draw(RandomStream& random, std::int32_t low, std::int32_t high) {
  return low + static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(std::int64_t{high} - low + 1)));
}

struct Range {
  std::int32_t low, high;
};

// One draw a statement: compilers differ in the order in which they evaluate arguments.
Colour draw_colour(RandomStream& random, Range hue, Range saturation, Range value) {
  const std::int32_t h = draw(random, hue.low, hue.high);
  const std::int32_t s = draw(random, saturation.low, saturation.high);
  return colour_from_hsv(h, s, draw(random, value.low, value.high));
}

std::uint8_t to_byte(std::int32_t value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

// Where the pixel lies in the object's own turned frame, in sixteenths of a pixel from its centre.
std::pair<std::int32_t, std::int32_t> object_frame(const Placed& object, std::int64_t x, std::int64_t y) {
  const std::int32_t dx = static_cast<std::int32_t>(x) * 16 + 8 - object.centre_x;
  const std::int32_t dy = static_cast<std::int32_t>(y) * 16 + 8 - object.centre_y;
  return {(dx * object.turn.cosine + dy * object.turn.sine) / 4096,
          (dy * object.turn.cosine - dx * object.turn.sine) / 4096};
}

bool covers(const Placed& object, std::int64_t x, std::int64_t y) {
  const auto [p, q] = object_frame(object, x, y);
  if (std::max(std::abs(p), std::abs(q)) > object.radius) return false;
  return shape_covers(object.label - 1, p * kUnit / object.radius, q * kUnit / object.radius);
}

// A world gives each class a hue; an object strays from it, so that hue alone does not tell classes apart.
void paint(Placed& object, const SceneSettings& settings, RandomStream& random) {
  RandomStream world("scenes/world/" + std::to_string(settings.world_seed));
  const auto turn = static_cast<std::int32_t>(world.below(1536));
  const auto step = static_cast<std::int32_t>(1536 / settings.num_classes);
  const std::int32_t hue = turn + step * static_cast<std::int32_t>(object.label - 1) + draw(random, -140, 140);
  object.light = draw_colour(random, {hue, hue}, {110, 220}, {190, 250});
  object.dark = draw_colour(random, {hue - 100, hue + 100}, {110, 220}, {60, 120});
}

Placed draw_object(const SceneSettings& settings, RandomStream& random) {
  const auto height = static_cast<std::int32_t>(settings.height_px),
             width = static_cast<std::int32_t>(settings.width_px);
  const std::int32_t side = std::min(height, width);
  Placed object;
  object.label = 1 + draw(random, 0, static_cast<std::int32_t>(settings.num_classes) - 1);
  object.radius = std::max(32, draw(random, side * 16 * 15 / 100, side * 16 * 28 / 100));
  object.centre_x = draw(random, width * 2, width * 14);
  object.centre_y = draw(random, height * 2, height * 14);
  object.turn = kTurns[random.below(kTurns.size())];
  paint(object, settings, random);
  return object;
}

// The pixels that the object would take.
std::vector<std::size_t> covered_pixels(const Placed& object, const SceneSettings& settings) {
  const auto first = [&](std::int32_t centre) { return std::max(0, (centre - object.radius) / 16 - 1); };
  const auto end = [&](std::int32_t centre, std::int64_t side) {
    return std::min<std::int64_t>(side, (centre + object.radius) / 16 + 2);
  };
  std::vector<std::size_t> pixels;
  for (std::int64_t y = first(object.centre_y); y < end(object.centre_y, settings.height_px); ++y)
    for (std::int64_t x = first(object.centre_x); x < end(object.centre_x, settings.width_px); ++x)
      if (covers(object, x, y)) pixels.push_back(static_cast<std::size_t>(y * settings.width_px + x));
  return pixels;
}

// Puts the object on top unless it would hide more than a quarter of what one already there shows.
bool try_place(Layout& layout, const Placed& object, const SceneSettings& settings) {
  const std::vector<std::size_t> pixels = covered_pixels(object, settings);
  std::vector<std::int64_t> hidden(layout.shown.size());
  for (std::size_t pixel : pixels) ++hidden[layout.owner_hw[pixel]];
  for (std::size_t i = 1; i < hidden.size(); ++i)
    if (hidden[i] * 4 > layout.shown[i]) return false;
  for (std::size_t i = 0; i < hidden.size(); ++i) layout.shown[i] -= hidden[i];
  layout.placed.push_back(object);
  layout.shown.push_back(static_cast<std::int64_t>(pixels.size()));
  for (std::size_t pixel : pixels) layout.owner_hw[pixel] = static_cast<std::uint8_t>(layout.placed.size());
  return true;
}

Layout lay_out(const SceneSettings& settings, RandomStream& random) {
  constexpr int attempts = 12;
  Layout layout;
  layout.owner_hw.resize(static_cast<std::size_t>(settings.height_px * settings.width_px));
  layout.shown = {settings.height_px * settings.width_px};
  const std::int32_t wanted = draw(random, 1, static_cast<std::int32_t>(settings.max_objects));
  for (std::int32_t i = 0; i < wanted; ++i)
    for (int attempt = 0; attempt < attempts; ++attempt)
      if (try_place(layout, draw_object(settings, random), settings)) break;
  return layout;
}

// Smooth noise 0..255: bilinear between random values on a grid of `cell` pixels.
class ValueNoise {
 public:
  ValueNoise(std::int64_t height, std::int64_t width, std::int32_t cell, RandomStream& random)
      : cell_(cell), columns_(width / cell + 2) {
    grid_.resize(static_cast<std::size_t>((height / cell + 2) * columns_));
    for (std::int32_t& value : grid_) value = draw(random, 0, 255);
  }

  std::int32_t at(std::int64_t y, std::int64_t x) const {
    const auto row = static_cast<std::size_t>(y / cell_ * columns_ + x / cell_);
    const auto below = row + static_cast<std::size_t>(columns_);
    const auto fx = static_cast<std::int32_t>(x % cell_), fy = static_cast<std::int32_t>(y % cell_);
    const std::int32_t upper = grid_[row] * (cell_ - fx) + grid_[row + 1] * fx;
    const std::int32_t lower = grid_[below] * (cell_ - fx) + grid_[below + 1] * fx;
    return (upper * (cell_ - fy) + lower * fy) / (cell_ * cell_);
  }

 private:
  std::int32_t cell_;
  std::int64_t columns_;
  std::vector<std::int32_t> grid_;
};

Colour mixed(const Colour& a, const Colour& b, std::int32_t share_of_b) {
  Colour colour;
  for (std::size_t i = 0; i < 3; ++i) colour[i] = (a[i] * (255 - share_of_b) + b[i] * share_of_b) / 255;
  return colour;
}

// Backgrounds: two muted colours mixed by coarse and fine noise.
std::vector<std::uint8_t> paint_scene(const Layout& layout, const SceneSettings& settings, RandomStream& random) {
  const Colour first = draw_colour(random, {0, 1535}, {20, 110}, {70, 220});
  const Colour second = draw_colour(random, {0, 1535}, {20, 110}, {70, 220});
  const ValueNoise coarse(settings.height_px, settings.width_px, 24, random);
  const ValueNoise fine(settings.height_px, settings.width_px, 5, random);
  const ValueNoise light(settings.height_px, settings.width_px, 40, random);
  std::vector<std::uint8_t> image;
  image.reserve(layout.owner_hw.size() * 3);
  for (std::int64_t y = 0; y < settings.height_px; ++y)
    for (std::int64_t x = 0; x < settings.width_px; ++x) {
      const std::uint8_t owner = layout.owner_hw[static_cast<std::size_t>(y * settings.width_px + x)];
      Colour colour = mixed(first, second, (coarse.at(y, x) * 2 + fine.at(y, x)) / 3);
      if (owner != 0) {
        const Placed& object = layout.placed[owner - 1U];
        const auto [p, q] = object_frame(object, x, y);
        colour = texture_is_dark(object.label - 1, p, q) ? object.dark : object.light;
      }
      const std::int32_t brightness = 205 + light.at(y, x) / 5;  // 205..256
      for (std::int32_t channel : colour) image.push_back(to_byte(channel * brightness / 256 + draw(random, -10, 10)));
    }
  return image;
}

// An object's outermost pixels are void, as VOC's contours are.
bool on_border(const Layout& layout, const SceneSettings& settings, std::int64_t y, std::int64_t x) {
  const auto owner_at = [&](std::int64_t row, std::int64_t column) {
    row = std::clamp<std::int64_t>(row, 0, settings.height_px - 1);
    column = std::clamp<std::int64_t>(column, 0, settings.width_px - 1);
    return layout.owner_hw[static_cast<std::size_t>(row * settings.width_px + column)];
  };
  const std::uint8_t owner = owner_at(y, x);
  return owner_at(y - 1, x) != owner || owner_at(y + 1, x) != owner || owner_at(y, x - 1) != owner ||
         owner_at(y, x + 1) != owner;
}

void label_scene(const Layout& layout, const SceneSettings& settings, Scene& scene) {
  std::set<std::int64_t> present;
  for (std::int64_t y = 0; y < settings.height_px; ++y)
    for (std::int64_t x = 0; x < settings.width_px; ++x) {
      const std::uint8_t owner = layout.owner_hw[static_cast<std::size_t>(y * settings.width_px + x)];
      scene.saliency_hw.push_back(owner == 0 ? 0 : 255);
      const bool is_void = owner != 0 && on_border(layout, settings, y, x);
      const std::int64_t label = owner == 0 ? 0 : layout.placed[owner - 1U].label;
      scene.mask_hw.push_back(is_void ? 255 : static_cast<std::uint8_t>(label));
      scene.instances_hw.push_back(is_void ? 255 : owner);
      if (label != 0 && !is_void) present.insert(label);
    }
  scene.image_labels.assign(present.begin(), present.end());
}

}  // namespace

Scene render_scene(const SceneSettings& settings, std::int64_t index) {
  RandomStream random("scenes/" + std::to_string(settings.world_seed) + "/" + std::to_string(index));
  const Layout layout = lay_out(settings, random);
  Scene scene{settings.height_px, settings.width_px, paint_scene(layout, settings, random), {}, {}, {}, {}};
  label_scene(layout, settings, scene);
  return scene;
}

std::vector<std::string> scene_class_names(const SceneSettings& settings) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < settings.num_classes; ++i) names.emplace_back(shape_name(i));
  return names;
}

}  // namespace seedbed::dataset
