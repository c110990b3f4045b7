#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Generator.h>

#include "seedbed/backbone.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/step_chain.hpp"
#include "small_cnn_manifest.hpp"

namespace seedbed::small_cnn {

/// Parameter names: stage1.conv1, stage1.norm1 ... stage5.norm2.
class SmallCnn final : public Backbone {
 public:
  /// Throws: UserError for an output stride that is no power of two.
  SmallCnn(const SmallCnnParameters& parameters, const at::Generator& generator);

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override { return chain_.taps(); }
  std::vector<Site> sites() const override { return chain_.sites(); }
  std::int64_t minimum_size_px() const override { return 1; }
  ForwardResult forward(const ForwardRequest& request) override;
  std::shared_ptr<Backbone> clone() const override;

 private:
  class Stage;
  void add_convolution(Stage& stage, const std::string& stage_name, std::int64_t number, const Conv2dOptions& options,
                       const at::Generator& generator);
  void add_norm(Stage& stage, const std::string& stage_name, std::int64_t number, std::int64_t channels);

  SmallCnnParameters parameters_;
  StepChain chain_;
};

}  // namespace seedbed::small_cnn
