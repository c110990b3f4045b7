#include "stages/role_batches.hpp"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::stages {

using Json = nlohmann::ordered_json;

RoleBatches::RoleBatches(std::vector<RoleStream> streams, c10::Device device) : device_(device) {
  for (RoleStream& source : streams) {
    count_also(source.images);
    auto loader = std::make_unique<images::BatchLoader>(source.images, source.options);
    streams_.push_back({std::move(source), std::move(loader), 0});
  }
}

void RoleBatches::count_also(std::shared_ptr<images::LabelledImages> images) {
  if (std::ranges::find(accessors_, images) == accessors_.end()) accessors_.push_back(std::move(images));
}

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
  for (Stream& stream : streams_) {
    const std::int64_t per_epoch = stream.loader->batches_per_epoch();
    stream.epoch = index / per_epoch;
    stream.loader->start_epoch(stream.epoch, index % per_epoch);
  }
}

StreamBatch RoleBatches::next_of(Stream& stream) {
  std::optional<StreamBatch> batch = stream.loader->next();
  if (!batch) {
    stream.loader->start_epoch(++stream.epoch);
    batch = stream.loader->next();
  }
  if (!batch) throw ContractError("batch loader", "an epoch has batches", "at least one", "none");
  return on_device(std::move(*batch));
}

fit::Streams RoleBatches::next() {
  fit::Streams batches;
  for (Stream& stream : streams_) batches[stream.source.name] = next_of(stream);
  return batches;
}

void RoleBatches::for_each_image(const std::function<void(const ViewBatch&)>& visit) {
  const RoleStream& main = streams_.front().source;
  images::LoaderOptions options = main.options;
  // At the size that training has: what a first pass collects must describe what the steps see.
  images::ViewRecipe plain;
  plain.input = options.views.front().input;
  options.views = {plain};
  options.base = {};
  options.batch_size = 1;
  options.shuffle = false;
  options.drop_last = false;
  images::BatchLoader loader(main.images, options);
  loader.start_epoch(0);
  for (const std::string& id : options.image_ids) {
    const StreamBatch batch = on_device(loader.next().value());
    const ViewBatch& image = batch.at("main");
    // The next image stands in for one that cannot be read, and would be seen twice.
    if (image.image_ids.front() == id) visit(image);
  }
  for (const std::string& id : loader.broken_images()) broken_.insert(id);
}

Json RoleBatches::state() const {
  Json opened = Json::array();
  for (const auto& images : accessors_) opened.push_back(images->counts());
  return {{"broken", broken_images()}, {"opened", opened}};
}

void RoleBatches::load_state(const Json& state) {
  for (const Json& id : state.at("broken")) broken_.insert(id.get<std::string>());
  for (std::size_t i = 0; i < accessors_.size() && i < state.at("opened").size(); ++i) {
    accessors_[i]->load_counts(state.at("opened")[i]);
  }
}

std::vector<std::string> RoleBatches::broken_images() const {
  std::set<std::string> all = broken_;
  for (const Stream& stream : streams_) {
    for (const std::string& id : stream.loader->broken_images()) all.insert(id);
  }
  return {all.begin(), all.end()};
}

std::vector<protocol::LedgerEntry> RoleBatches::ledger() const {
  std::vector<protocol::LedgerEntry> entries;
  for (const auto& images : accessors_) {
    for (protocol::LedgerEntry& entry : images->ledger()) entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace seedbed::stages
