#include "mit.hpp"

#include <array>
#include <numeric>
#include <string>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "mit_block.hpp"
#include "reduced_attention.hpp"
#include "seedbed/error.hpp"

namespace seedbed::mit {
namespace {

constexpr std::int64_t kImageNetClasses = 1000;
constexpr std::int64_t kNumStages = 4;
// Xie et al., table 6: the same for all sizes.
constexpr std::array<std::int64_t, kNumStages> kKernels{7, 3, 3, 3};
constexpr std::array<std::int64_t, kNumStages> kHeads{1, 2, 5, 8};
constexpr std::array<std::int64_t, kNumStages> kReductions{8, 4, 2, 1};

class Parts : public Module {
 public:
  using Module::register_module;
};

std::int64_t embedded(std::int64_t side, std::int64_t stage, std::int64_t stride) {
  const std::int64_t kernel = kKernels[static_cast<std::size_t>(stage)];
  return (side + kernel / 2 * 2 - kernel) / stride + 1;
}

}  // namespace

Mit::Mit(const MitOptions& options, const at::Generator& generator) : options_(options) {
  if (options_.strides.size() != kNumStages) {
    throw UserError("strides", "a mix transformer has four stages: `" + std::to_string(options_.strides.size()) + "`",
                    "four strides, such as [4, 2, 2, 1]");
  }
  for (std::int64_t i = 0; i < kNumStages; ++i) add_stage(i, generator);
  classifier_ = register_module("head", std::make_shared<Linear>(channels_, kImageNetClasses, true, generator));
  // It serves reference_logits() alone: no optimiser is to see it, and until weights are loaded it is zero.
  classifier_->set_requires_grad(false);
  classifier_->weight.zero_();
  classifier_->bias.zero_();
  minimum_size_px_ = smallest_input();
}

void Mit::add_stage(std::int64_t index, const at::Generator& generator) {
  const auto place = static_cast<std::size_t>(index);
  const std::string number = std::to_string(index + 1);
  const std::int64_t width = options_.widths[place], stride = options_.strides[place];
  const bool frozen = options_.frozen_stages > index;

  const std::string embedding_name = "patch_embed" + number;
  const auto embedding = register_module(embedding_name, std::make_shared<Parts>());
  const auto convolution = embedding->register_module("proj", drawn_convolution({.in_channels = channels_,
                                                                                 .out_channels = width,
                                                                                 .kernel = kKernels[place],
                                                                                 .stride = stride,
                                                                                 .padding = kKernels[place] / 2},
                                                                                generator));
  // Epsilon 1e-5 here, 1e-6 in the norms of blocks and stages: the released network differs so.
  const auto embedding_norm = embedding->register_module("norm", std::make_shared<LayerNorm>(width, 1e-5));
  if (frozen) embedding->set_requires_grad(false);
  const Site& convolution_site = chain_.add_site(embedding_name + ".proj", "convolution", width);
  const auto add_norm = [this](const std::shared_ptr<LayerNorm>& norm, const Site& site) {
    chain_.add_step([norm, &site](const at::Tensor& input, const ForwardRequest& request) {
      return run_site(request, site, input, [&](const at::Tensor& map) {
        return map_of(norm->forward(tokens_of(map), request.parameters), map.size(2), map.size(3));
      });
    });
  };
  chain_.add_step([convolution, &convolution_site](const at::Tensor& input, const ForwardRequest& request) {
    return convolve_at_site(request, convolution_site, *convolution, input);
  });
  add_norm(embedding_norm, chain_.add_site(embedding_name + ".norm", "norm", width));
  channels_ = width;
  stride_px_ *= static_cast<double>(stride);
  chain_.add_tap({.name = embedding_name, .aliases = {}, .channels = width, .stride_px = stride_px_});

  const std::string blocks_name = "block" + number;
  const auto blocks = register_module(blocks_name, std::make_shared<Parts>());
  const auto num_blocks = std::accumulate(options_.depths.begin(), options_.depths.end(), std::int64_t{0});
  for (std::int64_t i = 0; i < options_.depths[place]; ++i) {
    const std::int64_t n = chain_.num_blocks();
    const double share = num_blocks > 1 ? static_cast<double>(n) / static_cast<double>(num_blocks - 1) : 0;
    const auto block = blocks->register_module(
        std::to_string(i), std::make_shared<MitBlock>(MitBlockOptions{.width = width,
                                                                      .heads = kHeads[place],
                                                                      .reduction = kReductions[place],
                                                                      .drop_path = options_.drop_path * share},
                                                      generator));
    const std::string name = blocks_name + "." + std::to_string(i), tap = "block." + std::to_string(n);
    block->add_sites(chain_, name);
    chain_.add_block([this, block, n, tap](const at::Tensor& input, StepChain::Pass& pass) {
      NamedTensors exports;
      const AttentionBlockPlan* plan = plan_of_block(pass.request.attention, n, chain_.num_blocks());
      const at::Tensor output = block->forward(input, plan, pass.request, exports);
      for (auto& [key, value] : exports) pass.attention[tap + "." + key] = std::move(value);
      return output;
    });
    chain_.add_tap({.name = tap, .aliases = {name}, .channels = width, .stride_px = stride_px_});
  }
  if (frozen) blocks->set_requires_grad(false);

  const auto norm = register_module("norm" + number, std::make_shared<LayerNorm>(width, 1e-6));
  if (frozen) norm->set_requires_grad(false);
  add_norm(norm, chain_.add_site("norm" + number, "norm", width));
  const bool last = index + 1 == kNumStages;
  TapInfo tap{.name = "stage" + number, .aliases = {"norm" + number}, .channels = width, .stride_px = stride_px_};
  if (last) {
    tap.aliases.push_back(tap.name);
    tap.name = "final";
  }
  chain_.add_tap(std::move(tap));
}

// The smallest side whose grid in every stage is no smaller than the stage's reduction.
std::int64_t Mit::smallest_input() const {
  for (std::int64_t side = 1;; ++side) {
    std::int64_t grid = side;
    bool fits = true;
    for (std::int64_t i = 0; i < kNumStages; ++i) {
      const auto place = static_cast<std::size_t>(i);
      grid = embedded(grid, i, options_.strides[place]);
      fits = fits && grid >= kReductions[place];
    }
    if (fits) return side;
  }
}

ForwardResult Mit::forward(const ForwardRequest& request) {
  require_servable(request, *this);
  if (request.attention.beside_original && !request.attention.blocks.empty()) {
    throw UserError("", "a mix transformer has no second path: its stages change the grid",
                    "a transformer of one grid, such as `vit`");
  }
  return chain_.run(request);
}

std::shared_ptr<Backbone> Mit::clone() const {
  auto copy = std::make_shared<Mit>(options_, at::make_generator<at::CPUGeneratorImpl>());
  copy->to(classifier_->weight.device());
  copy->copy_from(*this);
  return copy;
}

StateReport Mit::load_weights(const NamedTensors& tensors) {
  NamedTensors own;
  const std::string first = "patch_embed1.proj.weight";
  std::string prefix;
  for (const auto& [name, tensor] : tensors) {
    if (name.ends_with("." + first)) prefix = name.substr(0, name.size() - first.size());
  }
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) own[name.substr(prefix.size())] = tensor;
  }
  StateReport report = load_state(own);
  if (!own.contains("head.weight") && !own.contains("head.bias")) {
    std::erase_if(report.missing, [](const std::string& name) { return name.starts_with("head."); });
  }
  return report;
}

at::Tensor Mit::reference_logits(const at::Tensor& final_tap) {
  if (!classifier_->weight.any().item<bool>()) {
    throw UserError("", "no classifier was loaded into this mix transformer",
                    "weights that hold `head.weight` and `head.bias`");
  }
  return classifier_->forward(final_tap.mean({2, 3}));
}

}  // namespace seedbed::mit
