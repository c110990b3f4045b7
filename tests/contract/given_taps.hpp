#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "seedbed/backbone.hpp"

namespace seedbed::testing {

/// A backbone without parameters that has the taps it is told of and computes none of them: heads are made on it and given
/// features of the test's choice.
class GivenTaps : public Backbone {
 public:
  explicit GivenTaps(std::vector<TapInfo> taps) : taps_(std::move(taps)) {}

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override { return taps_; }
  std::vector<Site> sites() const override { return {}; }
  ForwardResult forward(const ForwardRequest& request) override {
    require_servable(request, *this);
    return {};
  }
  std::shared_ptr<Backbone> clone() const override { return std::make_shared<GivenTaps>(taps_); }

 private:
  std::vector<TapInfo> taps_;
};

}  // namespace seedbed::testing
