#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <string>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "fit/batch_source.hpp"
#include "seedbed/error.hpp"
#include "seedbed/module.hpp"
#include "seedbed/trainable.hpp"

namespace seedbed::fit {

/// A run context that counts what a fit reports, and can be told to cancel.
class ToyRun : public RunContext {
 public:
  c10::Device device() const override { return at::kCPU; }
  at::Generator generator() const override { return generator_; }
  void progress(std::int64_t done, std::int64_t) override {
    last_progress = done;
    if (done == cancel_at) cancelled = true;
  }
  void log(LogLevel, std::string_view) override {}
  void check_cancelled() const override {
    if (cancelled) throw Cancelled();
  }
  NamedTensors weights(std::string_view) override { return {}; }
  std::string file(std::string_view) override { return {}; }

  std::int64_t last_progress = 0;
  std::int64_t cancel_at = -1;
  bool cancelled = false;

 private:
  at::Generator generator_ = at::make_generator<at::CPUGeneratorImpl>();
};

/// Batches of numbers that depend on their index alone.
class ToyBatches : public BatchSource {
 public:
  std::int64_t batches_per_epoch() const override { return 5; }
  void start_at(std::int64_t index) override { index_ = index; }
  Streams next() override {
    ViewBatch batch;
    batch.images_nchw = at::sin(at::arange(24, at::kFloat) * 0.37 + static_cast<double>(index_ % 5)).view({2, 3, 2, 2});
    batch.target_nhw = at::full({2, 2, 2}, index_ % 2, at::kLong);
    ++index_;
    ++given;
    return {{"main", {{"main", batch}}}};
  }
  void for_each_image(const std::function<void(const ViewBatch&)>& visit) override {
    for (int i = 0; i < 3; ++i) {
      ViewBatch image;
      image.images_nchw = at::full({1, 3, 2, 2}, i, at::kFloat);
      image.image_ids = {"image" + std::to_string(i)};
      visit(image);
    }
  }
  nlohmann::ordered_json state() const override { return given; }
  void load_state(const nlohmann::ordered_json& state) override { given = state; }

  std::int64_t given = 0;  ///< batches

 private:
  std::int64_t index_ = 0;
};

/// A linear layer with noise on its input, a running statistic, and a map store that after_epoch writes.
class ToyMethod : public Module, public Trainable {
 public:
  ToyMethod() {
    weight = register_parameter("weight", at::linspace(-0.5, 0.5, 12).view({1, 12}));
    bias = register_parameter("bias", at::zeros({1}));
    seen = register_buffer("seen", at::zeros({1}));
    collected = register_buffer("collected", at::zeros({1}));
  }

  Module& trained_module() override { return *this; }

  std::vector<ParameterGroup> parameter_groups() override {
    return {{"pretrained", {weight}, 1.0, 1.0}, {"new_bias", {bias}, 2.0, 0.0}};
  }

  LossTerms training_step(const StepRequest& request) override {
    if (on_step) on_step(request);
    const ViewBatch& batch = request.main();
    const at::Tensor noise = at::randn({2, 12}, request.run->generator());
    const at::Tensor input = batch.images_nchw.flatten(1) + 0.1 * noise;
    const at::Tensor output = at::linear(input, weight, bias).squeeze(1);
    if (on_output) on_output(output);
    const at::Tensor target = batch.target_nhw.select(1, 0).select(1, 0).to(at::kFloat);
    seen.add_(1);
    at::Tensor fit_term = (output - target).square().mean();
    if (request.step == nan_at) fit_term = fit_term * std::numeric_limits<float>::quiet_NaN();
    return {{"fit", fit_term}, {"size", weight.square().sum()}};
  }

  void collect(const StepRequest& request) override { collected.add_(request.main().images_nchw.mean()); }

  void after_epoch(EpochServices& services) override {
    services.map_store("labels").write("epoch" + std::to_string(services.epoch()), weight);
    epochs.push_back(services.epoch());
  }

  void finish(EpochServices& services) override {
    services.for_each_image([&](const ViewBatch& image) { finished_images.push_back(image.image_ids.at(0)); });
  }

  at::Tensor weight, bias, seen, collected;
  std::int64_t nan_at = -1;
  std::function<void(const StepRequest&)> on_step;
  std::function<void(const at::Tensor&)> on_output;
  std::vector<std::int64_t> epochs;
  std::vector<std::string> finished_images;
};

}  // namespace seedbed::fit
