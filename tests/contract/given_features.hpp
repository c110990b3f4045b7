#pragma once

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

}  // namespace seedbed::testing
