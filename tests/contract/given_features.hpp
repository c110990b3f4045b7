#pragma once

#include <ATen/ATen.h>

#include "seedbed/backbone.hpp"

namespace seedbed::testing {

/// A backbone without parameters whose final tap is its input: what stands on it is tested with features of the test's
/// choice.
class GivenFeatures : public Backbone {
 public:
  explicit GivenFeatures(std::int64_t channels) : channels_(channels) {}

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override { return {{"final", {}, channels_, 1.0, false}}; }
  std::vector<Site> sites() const override { return {}; }
  std::int64_t minimum_size_px() const override { return 1; }
  ForwardResult forward(const ForwardRequest& request) override {
    return {.taps = {{"final", request.from ? request.from->value : request.images_nchw}}, .attention = {}};
  }
  std::shared_ptr<Backbone> clone() const override { return std::make_shared<GivenFeatures>(channels_); }

 private:
  std::int64_t channels_;
};

/// Its final tap is a ReLU of its input, at the activation site "relu".
class GivenPreActivations : public Backbone {
 public:
  explicit GivenPreActivations(std::int64_t channels) : channels_(channels) {}

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override { return {{"final", {}, channels_, 1.0, false}}; }
  std::vector<Site> sites() const override { return {{"relu", "activation", 0, channels_}}; }
  std::int64_t minimum_size_px() const override { return 1; }
  ForwardResult forward(const ForwardRequest& request) override {
    if (request.from) return {.taps = {{"final", request.from->value}}, .attention = {}};
    const auto relu = [](const at::Tensor& value) { return at::relu(value); };
    return {.taps = {{"final", run_site(request, sites().front(), request.images_nchw, relu)}}, .attention = {}};
  }
  std::shared_ptr<Backbone> clone() const override { return std::make_shared<GivenPreActivations>(channels_); }

 private:
  std::int64_t channels_;
};

}  // namespace seedbed::testing
