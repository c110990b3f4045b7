#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fit/batch_source.hpp"
#include "images/batch_loader.hpp"

namespace seedbed::stages {

/// The images of a role as a fit sees them: shuffled, augmented batches, and one by one, resized as `input` says and no more.
class RoleBatches : public fit::BatchSource {
 public:
  RoleBatches(std::shared_ptr<images::LabelledImages> images, images::LoaderOptions options, c10::Device device);

  std::int64_t batches_per_epoch() const override { return loader_.batches_per_epoch(); }
  void start_at(std::int64_t index) override;
  fit::Streams next() override;
  void for_each_image(const std::function<void(const ViewBatch&)>& visit) override;

  std::vector<std::string> broken_images() const { return loader_.broken_images(); }

 private:
  StreamBatch on_device(StreamBatch batch) const;

  std::shared_ptr<images::LabelledImages> images_;
  images::LoaderOptions options_;
  c10::Device device_;
  images::BatchLoader loader_;
  std::int64_t epoch_ = 0;
};

}  // namespace seedbed::stages
