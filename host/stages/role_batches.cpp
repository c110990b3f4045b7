#include "stages/role_batches.hpp"

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::stages {

RoleBatches::RoleBatches(std::shared_ptr<images::LabelledImages> images, images::LoaderOptions options,
                         c10::Device device)
    : images_(std::move(images)), options_(std::move(options)), device_(device), loader_(images_, options_) {}

StreamBatch RoleBatches::on_device(StreamBatch batch) const {
  if (device_.is_cpu()) return batch;
  const auto move = [&](at::Tensor& tensor) {
    if (tensor.defined()) tensor = tensor.to(device_);
  };
  for (auto& [name, view] : batch) {
    for (at::Tensor* tensor : {&view.images_nchw, &view.images_raw_nhwc, &view.present_nc, &view.target_nhw,
                               &view.valid.boxes_n4, &view.to_image_n23}) {
      move(*tensor);
    }
    for (auto& [companion, tensor] : view.companions) move(tensor);
  }
  return batch;
}

void RoleBatches::start_at(std::int64_t index) {
  epoch_ = index / batches_per_epoch();
  loader_.start_epoch(epoch_, index % batches_per_epoch());
}

fit::Streams RoleBatches::next() {
  std::optional<StreamBatch> batch = loader_.next();
  if (!batch) {
    loader_.start_epoch(++epoch_);
    batch = loader_.next();
  }
  if (!batch) throw ContractError("batch loader", "an epoch has batches", "at least one", "none");
  return {{"main", on_device(std::move(*batch))}};
}

void RoleBatches::for_each_image(const std::function<void(const ViewBatch&)>& visit) {
  images::LoaderOptions options = options_;
  // At the size that training has: what a first pass collects must describe what the steps see.
  images::ViewRecipe plain;
  plain.input = options_.views.front().input;
  options.views = {plain};
  options.base = {};
  options.batch_size = 1;
  options.shuffle = false;
  options.drop_last = false;
  images::BatchLoader loader(images_, std::move(options));
  loader.start_epoch(0);
  while (std::optional<StreamBatch> batch = loader.next()) visit(on_device(std::move(*batch)).at("main"));
}

}  // namespace seedbed::stages
