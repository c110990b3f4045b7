#include "images/decoded_content.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <ATen/ATen.h>

#include "dataset/scenes.hpp"
#include "images/box_map.hpp"
#include "images/decode.hpp"
#include "seedbed/error.hpp"

namespace seedbed::images {
namespace {

at::Tensor tensor_of(const std::vector<std::uint8_t>& bytes, std::vector<std::int64_t> shape) {
  at::Tensor tensor = at::empty(shape, at::kByte);
  std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

std::string size_text(std::int64_t height, std::int64_t width) {
  return std::to_string(width) + " x " + std::to_string(height);
}

void check_size(const at::Tensor& plane_hw, ImageSize image, const std::filesystem::path& file) {
  if (plane_hw.size(0) == image.height_px && plane_hw.size(1) == image.width_px) return;
  throw UserError(file.string(),
                  "The file has another size than its image: `" + size_text(plane_hw.size(0), plane_hw.size(1)) + "`.",
                  "The image has " + size_text(image.height_px, image.width_px) + " pixels.");
}

// A plane drawn from annotations, which must fit the image that they are of.
at::Tensor tensor_of(const dataset::DrawnPlane& drawn, const std::filesystem::path& image) {
  const ImageSize size = read_image_size(image);
  if (drawn.height_px == size.height_px && drawn.width_px == size.width_px)
    return tensor_of(drawn.values_hw, {drawn.height_px, drawn.width_px});
  throw UserError(
      image.string(),
      "The annotations state another size than the image has: `" + size_text(drawn.height_px, drawn.width_px) + "`.",
      "The image has " + size_text(size.height_px, size.width_px) + " pixels.");
}

std::string key_of(std::string_view what, std::string_view image_id) {
  return std::string(what) + "/" + std::string(image_id);
}

}  // namespace

DecodedContent::DecodedContent(std::shared_ptr<const dataset::Dataset> dataset, std::int64_t cache_bytes)
    : dataset_(std::move(dataset)), cache_bytes_(cache_bytes) {}

at::Tensor DecodedContent::image(std::string_view image_id) {
  if (dataset_->kind() == "scenes") return render("image", image_id);
  return kept(key_of("image", image_id), [&] { return decode_image(dataset_->entry(image_id).image); });
}

at::Tensor DecodedContent::mask(std::string_view image_id) {
  if (dataset_->kind() == "scenes") return render("mask", image_id);
  return kept(key_of("mask", image_id), [&] {
    const dataset::ImageEntry& entry = dataset_->entry(image_id);
    if (const auto drawn = dataset_->draw_mask(image_id)) return tensor_of(*drawn, entry.image);
    if (entry.mask.empty())
      throw UserError("dataset.masks", "An image has no mask: `" + entry.id + "`.",
                      "Name the masks' folder with `masks`.");
    at::Tensor mask = decode_mask(entry.mask, dataset_->classes());
    check_size(mask, read_image_size(entry.image), entry.mask);
    return mask;
  });
}

at::Tensor DecodedContent::instances(std::string_view image_id) {
  if (dataset_->kind() == "scenes") return render("instances", image_id);
  return kept(key_of("instances", image_id), [&] {
    const dataset::ImageEntry& entry = dataset_->entry(image_id);
    if (const auto drawn = dataset_->draw_instances(image_id)) return tensor_of(*drawn, entry.image);
    if (entry.instances.empty())
      throw UserError("dataset.instances", "An image has no map of its objects: `" + entry.id + "`.",
                      "Name their folder with `instances`.");
    at::Tensor instances = decode_mask_values(entry.instances);
    check_size(instances, read_image_size(entry.image), entry.instances);
    return instances;
  });
}

at::Tensor DecodedContent::side(std::string_view name, std::string_view image_id) {
  if (dataset_->kind() == "scenes" && name == "saliency") return render("saliency", image_id);
  return kept(key_of("side:" + std::string(name), image_id), [&] {
    const dataset::ImageEntry& entry = dataset_->entry(image_id);
    if (name == kBoxesSide && !entry.side.contains(std::string(name))) {
      const at::Tensor image_hwc = image(image_id);
      return box_map(dataset_->boxes(image_id), image_hwc.size(0), image_hwc.size(1));
    }
    const auto file = entry.side.find(std::string(name));
    if (file == entry.side.end())
      throw UserError("dataset.side", "The data set has no such side input: `" + std::string(name) + "`.",
                      "Declare its folder under `side`.");
    at::Tensor plane = dataset_->side_kind(name) == dataset::SideKind::labels
                           ? decode_mask(file->second, dataset_->classes())
                           : decode_grey(file->second);
    check_size(plane, read_image_size(entry.image), file->second);
    return plane;
  });
}

std::vector<std::int64_t> DecodedContent::image_labels(std::string_view image_id) {
  if (auto labels = dataset_->image_labels(image_id)) return *std::move(labels);
  const at::Tensor mask_hw = mask(image_id);
  std::array<bool, 256> seen{};
  const auto* value = mask_hw.const_data_ptr<std::uint8_t>();
  std::for_each(value, value + mask_hw.numel(), [&](std::uint8_t label) { seen[label] = true; });
  std::vector<std::int64_t> labels;
  for (std::int64_t label = 1; label <= dataset_->classes().num_classes(); ++label)
    if (seen[static_cast<std::size_t>(label)]) labels.push_back(label);
  return labels;
}

// One drawing gives everything of a scene; what was not asked for is kept for the next call.
at::Tensor DecodedContent::render(std::string_view what, std::string_view image_id) {
  return kept(key_of(what, image_id), [&] {
    const dataset::Scene scene =
        dataset::render_scene(dataset::scene_settings(dataset_->table()), dataset_->entry(image_id).index);
    const std::int64_t height = scene.height_px, width = scene.width_px;
    const std::pair<std::string_view, at::Tensor> drawn[] = {
        {"image", tensor_of(scene.image_hwc, {height, width, 3})},
        {"mask", tensor_of(scene.mask_hw, {height, width})},
        {"instances", tensor_of(scene.instances_hw, {height, width})},
        {"saliency", tensor_of(scene.saliency_hw, {height, width})}};
    at::Tensor wanted;
    for (const auto& [name, tensor] : drawn) {
      if (name == what) wanted = tensor;
      if (name != what) keep(key_of(name, image_id), tensor);
    }
    return wanted;
  });
}

at::Tensor DecodedContent::kept(std::string key, const std::function<at::Tensor()>& make) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      latest_.splice(latest_.begin(), latest_, found->second);
      return found->second->value;
    }
  }
  at::Tensor value = make();
  keep(std::move(key), value);
  return value;
}

void DecodedContent::keep(std::string key, const at::Tensor& value) {
  const auto bytes_of = [](const at::Tensor& tensor) { return static_cast<std::int64_t>(tensor.nbytes()); };
  const std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return;
  latest_.push_front({key, value});
  by_key_.emplace(std::move(key), latest_.begin());
  bytes_ += bytes_of(value);
  while (bytes_ > cache_bytes_ && !latest_.empty()) {
    bytes_ -= bytes_of(latest_.back().value);
    by_key_.erase(latest_.back().key);
    latest_.pop_back();
  }
}

}  // namespace seedbed::images
