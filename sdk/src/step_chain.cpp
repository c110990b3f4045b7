#include "seedbed/step_chain.hpp"

#include <algorithm>
#include <charconv>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/activation_checkpointing.hpp"
#include "seedbed/error.hpp"

namespace seedbed {
namespace {

bool answers_to(const TapInfo& tap, std::string_view name) {
  return tap.name == name || std::ranges::find(tap.aliases, name) != tap.aliases.end();
}

// What goes into a checkpointed segment and comes out, beside attention exports ("block.7.q").
constexpr const char* kValue = "value";
constexpr const char* kSecondPath = "second_path";

// Autocast computes in less than taps are promised in.
at::Tensor in_float32(const at::Tensor& value) {
  return value.scalar_type() == at::kBFloat16 || value.scalar_type() == at::kHalf ? value.to(at::kFloat) : value;
}

bool checkpoints_activations(const ForwardRequest& request) {
  if (!request.run || !request.run->checkpoints_activations() || !c10::GradMode::is_enabled()) return false;
  const auto has_graph = [](const AttentionBlockPlan& plan) {
    return plan.external_ll.defined() && plan.external_ll.requires_grad();
  };
  return !request.rewriter && !request.convolution && std::ranges::none_of(request.attention.blocks, has_graph);
}

}  // namespace

std::string resolve_block_name(std::string_view name, std::int64_t num_blocks) {
  constexpr std::string_view kPrefix = "block.";
  if (!name.starts_with(kPrefix)) return std::string(name);
  const std::string_view digits = name.substr(kPrefix.size());
  std::int64_t index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  const bool negative = error == std::errc() && end == digits.data() + digits.size() && index < 0;
  return negative ? std::string(kPrefix) + std::to_string(num_blocks + index) : std::string(name);
}

const Site& StepChain::add_site(std::string name, std::string kind, std::int64_t channels) {
  return sites_.emplace_back(
      Site{std::move(name), std::move(kind), static_cast<std::int64_t>(sites_.size()), channels});
}

void StepChain::add_step(Step step) {
  steps_.emplace_back(
      [step = std::move(step)](const at::Tensor& input, Pass& pass) { return step(input, pass.request); });
}

void StepChain::add_pass_step(PassStep step) { steps_.push_back(std::move(step)); }

void StepChain::end_segment() { segment_ends_.push_back(steps_.size()); }

void StepChain::add_block(PassStep step) {
  blocks_.push_back(steps_.size());
  steps_.push_back(std::move(step));
}

void StepChain::add_tap(TapInfo tap) {
  std::vector<std::string> names = tap.aliases;
  names.push_back(tap.name);
  for (const std::string& name : names) {
    if (std::ranges::any_of(taps_, [&](const Tap& other) { return answers_to(other.info, name); })) {
      throw ContractError("StepChain", "a tap's names are its own", "a new name", "`" + name + "` again");
    }
  }
  taps_.push_back({std::move(tap), steps_.size()});
}

std::vector<TapInfo> StepChain::taps() const {
  std::vector<TapInfo> infos;
  for (const Tap& tap : taps_) infos.push_back(tap.info);
  return infos;
}

const StepChain::Tap& StepChain::find(std::string_view name) const {
  const std::string wanted = resolve_block_name(name, num_blocks());
  const auto found = std::ranges::find_if(taps_, [&](const Tap& tap) { return answers_to(tap.info, wanted); });
  if (found == taps_.end()) {
    throw ContractError("StepChain", "require_servable() is called first", "a known tap",
                        "`" + std::string(name) + "`");
  }
  return *found;
}

std::size_t StepChain::last_step(const ForwardRequest& request, const std::vector<std::string>& keep) const {
  std::size_t last = 0;
  for (const std::string& name : keep) last = std::max(last, find(name).num_steps);
  for (std::int64_t block = 0; block < num_blocks(); ++block) {
    const AttentionBlockPlan* plan = plan_of_block(request.attention, block, num_blocks());
    if (plan && !plan->exports.empty()) last = std::max(last, blocks_[static_cast<std::size_t>(block)] + 1);
  }
  return last;
}

void StepChain::require_ahead(const ForwardRequest& request, const std::vector<std::string>& keep,
                              std::size_t start) const {
  for (const std::string& name : keep) {
    if (find(name).num_steps < start) {
      throw UserError("", "this tap lies before the one that the pass starts from: `" + name + "`",
                      "a tap from `" + request.from->tap + "` on");
    }
  }
  for (std::int64_t block = 0; block < num_blocks(); ++block) {
    if (blocks_[static_cast<std::size_t>(block)] < start && plan_of_block(request.attention, block, num_blocks())) {
      throw UserError("", "this block lies before the tap that the pass starts from: `" + std::to_string(block) + "`",
                      "an attention plan of blocks behind `" + request.from->tap + "`");
    }
  }
}

ForwardResult StepChain::run(const ForwardRequest& request) const {
  std::vector<std::string> keep = request.keep;
  if (keep.empty()) keep.emplace_back("final");
  const std::size_t last = last_step(request, keep);

  std::size_t done = 0;
  at::Tensor value = request.images_nchw;
  Pass pass{request, {}, {}, 0, 0};
  if (request.from) {
    done = find(request.from->tap).num_steps;
    value = request.from->value;
    pass.height_px = request.from->height_px;
    pass.width_px = request.from->width_px;
  } else {
    pass.height_px = value.size(2);
    pass.width_px = value.size(3);
  }
  require_ahead(request, keep, done);

  const bool checkpointed = checkpoints_activations(request);
  ForwardResult result;
  while (true) {
    std::size_t next = last;
    for (const std::string& name : keep) {
      const std::size_t at = find(name).num_steps;
      if (at == done) result.taps[name] = in_float32(value);
      if (at > done) next = std::min(next, at);
    }
    if (done >= last) break;
    if (checkpointed) next = segment_end(done, next);
    // Handed over, so that nothing is kept longer than the next step needs it.
    value = checkpointed ? run_checkpointed(done, next, value, pass) : run_steps(done, next, std::move(value), pass);
    done = next;
  }
  for (auto& [name, exported] : pass.attention) result.attention[name] = in_float32(exported);
  return result;
}

at::Tensor StepChain::run_steps(std::size_t first, std::size_t end, at::Tensor value, Pass& pass) const {
  for (std::size_t step = first; step < end; ++step) value = steps_[step](value, pass);
  return value;
}

std::size_t StepChain::segment_end(std::size_t first, std::size_t end) const {
  if (segment_ends_.empty()) return first + 1;
  const auto next = std::ranges::upper_bound(segment_ends_, first);
  return next == segment_ends_.end() ? end : std::min(*next, end);
}

at::Tensor StepChain::run_checkpointed(std::size_t first, std::size_t end, const at::Tensor& value, Pass& pass) const {
  // The request is lent for the call; the backward pass has a copy. Its images are the first segment's input.
  ForwardRequest request = pass.request;
  request.images_nchw.reset();
  request.from.reset();
  const CheckpointedSegment segment = [this, first, end, request, height_px = pass.height_px, width_px = pass.width_px](
                                          const NamedTensors& inputs, bool again) {
    ForwardRequest asked = request;
    if (again && asked.batch_norm == BatchNormMode::batch) asked.batch_norm = BatchNormMode::batch_without_update;
    const auto second_path = inputs.find(kSecondPath);
    Pass inner{asked, {}, second_path == inputs.end() ? at::Tensor() : second_path->second, height_px, width_px};
    NamedTensors outputs;
    outputs[kValue] = run_steps(first, end, inputs.at(kValue), inner);
    if (inner.second_path.defined()) outputs[kSecondPath] = inner.second_path;
    outputs.merge(inner.attention);
    return outputs;
  };
  NamedTensors inputs{{kValue, value}};
  if (pass.second_path.defined()) inputs[kSecondPath] = pass.second_path;
  NamedTensors outputs = checkpointed(segment, inputs, *request.run);
  const auto taken = [&](const char* name) {
    auto node = outputs.extract(name);
    return node.empty() ? at::Tensor() : node.mapped();
  };
  at::Tensor result = taken(kValue);
  pass.second_path = taken(kSecondPath);
  pass.attention.merge(outputs);
  return result;
}

}  // namespace seedbed
