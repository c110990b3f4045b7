#include "clip.hpp"

#include <utility>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "seedbed/error.hpp"
#include "weight_names.hpp"

namespace seedbed::clip {
namespace {

// OpenAI's constants, of RGB within 0..1.
constexpr Normalisation kNormalisation{.mean = {0.48145466, 0.4578275, 0.40821073},
                                       .deviation = {0.26862954, 0.26130258, 0.27577711}};

Gelu gelu_of(const ClipParameters& parameters) { return parameters.activation == "gelu" ? Gelu::erf : Gelu::quick; }

}  // namespace

Clip::Clip(const ClipParameters& parameters, RunContext& run, const at::Generator& generator)
    : parameters_(parameters),
      architecture_(architecture_of(parameters)),
      run_(run),
      text_(std::make_shared<TextNetwork>(architecture_, gelu_of(parameters), generator)),
      tower_(text_, {architecture_.context_length, architecture_.vocab_size, parameters.truncate_prompts}, run) {
  const VisualOptions options{.gelu = gelu_of(parameters_),
                              .norm_epsilon = parameters_.norm_epsilon,
                              .position_rule = kernels::position_rule_from(parameters_.position_table),
                              .position_base = parameters_.position_base,
                              .frozen_stages = parameters_.frozen_stages};
  const auto add_network = architecture_.is_resnet() ? add_visual_resnet : add_visual_transformer;
  register_module("visual", add_network(chain_, "visual.", architecture_, options, generator));
  add_final();
  add_text_network();
}

void Clip::add_final() {
  const std::int64_t width = architecture_.embed_dim;
  if (parameters_.final == "tokens") {
    chain_.add_tap(
        {.name = "final", .aliases = {"tokens", "dense"}, .channels = width, .stride_px = 0, .is_sequence = true});
    return;
  }
  chain_.add_tap({.name = "tokens", .aliases = {"dense"}, .channels = width, .stride_px = 0, .is_sequence = true});
  chain_.add_pass_step([this](const at::Tensor& tokens, StepChain::Pass& pass) {
    if (pass.height_px == 0 || pass.width_px == 0) {
      throw ContractError("clip", "a pass from a tap to a map says how large the images were", "FromTap::height_px",
                          "`0`");
    }
    return cells_of(tokens, token_layout(pass.height_px, pass.width_px));
  });
  chain_.add_tap({.name = "final",
                  .aliases = {},
                  .channels = width,
                  .stride_px = static_cast<double>(architecture_.pixels_per_cell()),
                  .is_sequence = false});
}

void Clip::add_text_network() {
  register_module("token_embedding", text_->token_embedding);
  register_module("transformer", text_->transformer);
  register_module("ln_final", text_->norm);
  register_parameter("positional_embedding", text_->positions, /*requires_grad=*/false);
  register_parameter("text_projection", text_->projection, /*requires_grad=*/false);
  register_parameter("logit_scale", text_->logit_scale, /*requires_grad=*/false);
}

Normalisation Clip::normalisation() const {
  return parameters_.normalisation == "imagenet" ? Normalisation() : kNormalisation;
}

TokenLayout Clip::token_layout(std::int64_t height_px, std::int64_t width_px) const {
  // The ResNet halves five times: its first convolution rounds up, its pools round down.
  const auto cells = [&](std::int64_t side) {
    return architecture_.is_resnet() ? (side + 1) / 2 / 16 : side / architecture_.vision_patch_size;
  };
  return {.class_tokens = kClassTokens, .other_tokens = 0, .height = cells(height_px), .width = cells(width_px)};
}

std::int64_t Clip::size_multiple_px() const { return architecture_.is_resnet() ? 1 : architecture_.vision_patch_size; }

std::int64_t Clip::minimum_size_px() const {
  return architecture_.is_resnet() ? architecture_.pixels_per_cell() - 1 : architecture_.vision_patch_size;
}

ForwardResult Clip::forward(const ForwardRequest& request) {
  require_servable(request, *this);
  if (request.from || !architecture_.is_resnet()) return chain_.run(request);
  // Channels last: all layers follow their input's layout, and CPUs are faster in it.
  ForwardRequest inner = request;
  inner.images_nchw = request.images_nchw.contiguous(at::MemoryFormat::ChannelsLast);
  return chain_.run(inner);
}

std::shared_ptr<Backbone> Clip::clone() const {
  auto copy = std::make_shared<Clip>(parameters_, run_, at::make_generator<at::CPUGeneratorImpl>());
  copy->to(text_->projection.device());
  copy->copy_from(*this);
  copy->tower_.set_has_network(tower_.has_network());
  return copy;
}

StateReport Clip::load_weights(const NamedTensors& tensors) {
  const NamedTensors renamed = openai_names(tensors);
  bool has_text = false;
  for (const auto& [name, tensor] : renamed) has_text = has_text || TextNetwork::owns(name);
  StateReport report = load_state(renamed);
  if (!has_text) std::erase_if(report.missing, TextNetwork::owns);
  tower_.set_has_network(has_text);
  if (!report.misshapen.empty()) {
    run_.log(LogLevel::warning, "these weights are those of a " + described(architecture_of(renamed)) +
                                    "; the backbone is a " + described(architecture_));
  }
  return report;
}

}  // namespace seedbed::clip
