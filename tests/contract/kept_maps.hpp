#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/error.hpp"
#include "seedbed/trainable.hpp"

namespace seedbed::testing {

/// A store of a fit, in memory.
class KeptMaps : public MapStore {
 public:
  bool contains(std::string_view image_id) const override { return maps_.find(image_id) != maps_.end(); }
  at::Tensor read(std::string_view image_id) const override {
    if (!contains(image_id)) throw UserError("", "nothing is kept for `" + std::string(image_id) + "`");
    return maps_.find(image_id)->second;
  }
  void write(std::string_view image_id, const at::Tensor& value) override {
    maps_.insert_or_assign(std::string(image_id), value.detach().clone());
  }
  std::vector<std::string> image_ids() const override {
    std::vector<std::string> ids;
    for (const auto& [id, map] : maps_) ids.push_back(id);
    return ids;
  }

 private:
  NamedTensors maps_;
};

/// The stores of a fit, and what it does at the end of an epoch over images of the test's choice.
class KeptServices : public EpochServices {
 public:
  KeptServices(RunContext& run, std::vector<ViewBatch> images) : run_(run), images_(std::move(images)) {}

  std::int64_t epoch() const override { return epoch_; }
  void set_epoch(std::int64_t epoch) { epoch_ = epoch; }
  void for_each_image(const std::function<void(const ViewBatch&)>& visit) override {
    for (const ViewBatch& image : images_) visit(image);
  }
  MapStore& map_store(std::string_view name) override { return stores_[std::string(name)]; }
  RunContext& run() override { return run_; }

  /// Everything kept, by store and image: a copy, as a checkpoint holds it.
  std::map<std::string, KeptMaps>& stores() { return stores_; }

 private:
  RunContext& run_;
  std::vector<ViewBatch> images_;
  std::map<std::string, KeptMaps> stores_;
  std::int64_t epoch_ = 0;
};

}  // namespace seedbed::testing
