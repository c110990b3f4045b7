#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "seedbed/attention.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/error.hpp"
#include "seedbed/layers.hpp"

/// Small stand-ins for the two sides of the SDK.
namespace seedbed::testing {

inline at::Generator generator(std::uint64_t seed = 1) { return at::detail::createCPUGenerator(seed); }

/// A host's context: no files, no weights; counts what it is told.
class FakeRun : public RunContext {
 public:
  c10::Device device() const override { return c10::kCPU; }
  at::Generator generator() const override { return generator_; }
  void progress(std::int64_t done, std::int64_t) override { done_ = done; }
  void log(LogLevel, std::string_view message) override { messages_.emplace_back(message); }
  void check_cancelled() const override {
    if (cancelled_) throw Cancelled();
  }
  NamedTensors weights(std::string_view parameter) override {
    throw UserError("", "no weights are named for `" + std::string(parameter) + "`");
  }
  std::string file(std::string_view parameter) override {
    throw UserError("", "no file is named for `" + std::string(parameter) + "`");
  }

  bool checkpoints_activations() const override { return checkpoints_activations_; }

  void cancel() { cancelled_ = true; }
  void checkpoint_activations(bool on) { checkpoints_activations_ = on; }
  std::int64_t done() const { return done_; }
  const std::vector<std::string>& messages() const { return messages_; }

 private:
  at::Generator generator_ = seedbed::testing::generator();
  std::vector<std::string> messages_;
  std::int64_t done_ = 0;
  bool cancelled_ = false;
  bool checkpoints_activations_ = false;
};

/// Two convolutions with activations, one transformer block on their cells: every kind of tap, site and plan.
class TinyBackbone : public Backbone {
 public:
  explicit TinyBackbone(const at::Generator& rng) {
    conv1_ = register_module("conv1", std::make_shared<Conv2d>(Conv2dOptions{3, 4, 3, 2, 1}, rng));
    conv2_ = register_module("conv2", std::make_shared<Conv2d>(Conv2dOptions{4, 8, 3, 2, 1}, rng));
    norm_ = register_module("norm", std::make_shared<BatchNorm2d>(8));
    attention_ = register_module("attention", std::make_shared<SelfAttention>(8, 2, true, rng));
  }

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override {
    return {{"stage1", {"relu1"}, 4, 2.0, false},
            {"stage2", {}, 8, 4.0, false},
            {"block.0", {"attention"}, 8, 0, true},
            {"final", {}, 8, 4.0, false}};
  }
  std::vector<Site> sites() const override {
    return {{"conv1", "convolution", 0, 4},
            {"relu1", "activation", 1, 4},
            {"conv2", "convolution", 2, 8},
            {"relu2", "activation", 3, 8}};
  }
  std::int64_t minimum_size_px() const override { return 8; }

  ForwardResult forward(const ForwardRequest& request) override {
    require_servable(request, *this);
    const auto all = sites();
    const auto relu = [](const at::Tensor& x) { return x.relu(); };
    at::Tensor stage1;
    if (request.from) {
      if (request.from->tap != "stage1") throw UserError("", "a pass may start at `stage1` only");
      stage1 = request.from->value;
    } else {
      stage1 = run_site(request, all[1], convolve_at_site(request, all[0], *conv1_, request.images_nchw), relu);
    }
    const std::vector<std::string> kept = request.keep.empty() ? std::vector<std::string>{"final"} : request.keep;
    // As a real one does: nothing is computed behind the last tap asked for.
    if (kept == std::vector<std::string>{"stage1"} && request.attention.blocks.empty())
      return {{{"stage1", stage1}}, {}};
    const at::Tensor features =
        norm_->forward(convolve_at_site(request, all[2], *conv2_, stage1), request.batch_norm, request.parameters);
    const at::Tensor stage2 = run_site(request, all[3], features, relu);
    const AttentionBlockPlan* plan = request.attention.blocks.empty() ? nullptr : &request.attention.blocks.front();
    const at::Tensor tokens = stage2.flatten(2).transpose(1, 2);
    auto block = attention_->forward(tokens, plan, request.parameters);
    const at::Tensor mixed = !plan || plan->residual ? tokens + block.tokens_nld : block.tokens_nld;

    ForwardResult result;
    for (auto& [name, value] : block.exports) result.attention["block.0." + name] = value;
    const NamedTensors values{{"stage1", stage1},
                              {"stage2", stage2},
                              {"block.0", mixed},
                              {"final", mixed.transpose(1, 2).reshape_as(stage2)}};
    for (const std::string& name : kept) result.taps[name] = values.at(find_tap(*this, name).name);
    return result;
  }

  std::shared_ptr<Backbone> clone() const override {
    auto copy = std::make_shared<TinyBackbone>(seedbed::testing::generator());
    copy->copy_from(*this);
    return copy;
  }

 private:
  std::shared_ptr<Conv2d> conv1_, conv2_;
  std::shared_ptr<BatchNorm2d> norm_;
  std::shared_ptr<SelfAttention> attention_;
};

}  // namespace seedbed::testing
