#include "seedbed/activation_checkpointing.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

namespace seedbed {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Node;
using Tensors = std::vector<at::Tensor>;

/// Where the streams of random numbers stand that a method on `device` may draw from.
class RandomState {
 public:
  explicit RandomState(const RunContext& run) {
    std::vector<at::Generator> generators{at::detail::getDefaultCPUGenerator()};
    if (!run.device().is_cpu()) generators.push_back(at::globalContext().defaultGenerator(run.device()));
    if (run.generator().defined()) generators.push_back(run.generator());
    for (at::Generator& generator : generators) states_.emplace_back(generator, state_of(generator));
  }

  void restore() {
    for (auto& [generator, state] : states_) {
      const std::lock_guard<std::mutex> lock(generator.mutex());
      generator.set_state(state);
    }
  }

  /// The same streams as they stand now.
  RandomState now() const {
    RandomState copy = *this;
    for (auto& [generator, state] : copy.states_) state = state_of(generator);
    return copy;
  }

 private:
  static at::Tensor state_of(at::Generator& generator) {
    const std::lock_guard<std::mutex> lock(generator.mutex());
    return generator.get_state();
  }

  std::vector<std::pair<at::Generator, at::Tensor>> states_;
};

/// The settings of autocast for one kind of device.
struct Autocast {
  at::DeviceType device;
  bool enabled;
  at::ScalarType type;
  bool caches;

  explicit Autocast(at::DeviceType on)
      : device(on),
        enabled(at::autocast::is_autocast_enabled(on)),
        type(at::autocast::get_autocast_dtype(on)),
        caches(at::autocast::is_autocast_cache_enabled()) {}

  void apply() const {
    at::autocast::set_autocast_enabled(device, enabled);
    at::autocast::set_autocast_dtype(device, type);
    at::autocast::set_autocast_cache_enabled(caches);
  }
};

/// Random numbers and autocast as they were in the first pass; afterwards as they are now.
class FirstPassScope {
 public:
  FirstPassScope(RandomState& random, Autocast autocast) : random_now_(random.now()), autocast_now_(autocast.device) {
    random.restore();
    autocast.caches = false;  // a cached cast belongs to the graph of another pass
    autocast.apply();
  }
  ~FirstPassScope() {
    random_now_.restore();
    autocast_now_.apply();
  }
  FirstPassScope(const FirstPassScope&) = delete;
  FirstPassScope& operator=(const FirstPassScope&) = delete;

 private:
  RandomState random_now_;
  Autocast autocast_now_;
};

Tensors values_of(const NamedTensors& named) {
  Tensors values;
  for (const auto& [name, value] : named) values.push_back(value);
  return values;
}

std::vector<std::string> names_of(const NamedTensors& named) {
  std::vector<std::string> names;
  for (const auto& [name, value] : named) names.push_back(name);
  return names;
}

NamedTensors named(const std::vector<std::string>& names, const Tensors& values) {
  NamedTensors result;
  for (std::size_t i = 0; i < names.size(); ++i) result[names[i]] = values[i];
  return result;
}

/// Detached, but requiring gradients where `tensors` do.
Tensors as_leaves(const Tensors& tensors) {
  Tensors leaves;
  for (const at::Tensor& tensor : tensors) {
    leaves.push_back(tensor.detach());
    leaves.back().set_requires_grad(tensor.requires_grad());
  }
  return leaves;
}

/// The leaves that `outputs` depend on, without `known` ones.
Tensors leaves_below(const Tensors& outputs, const Tensors& known) {
  std::vector<Node*> waiting;
  std::set<Node*> seen;
  const auto visit = [&](Node* node) {
    if (node && seen.insert(node).second) waiting.push_back(node);
  };
  for (const at::Tensor& output : outputs) visit(output.grad_fn().get());
  Tensors leaves;
  while (!waiting.empty()) {
    Node* node = waiting.back();
    waiting.pop_back();
    for (const auto& edge : node->next_edges()) visit(edge.function.get());
    const auto* leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node);
    if (!leaf) continue;
    if (std::ranges::none_of(known, [&](const at::Tensor& each) { return each.is_same(leaf->variable); })) {
      leaves.push_back(leaf->variable);
    }
  }
  return leaves;
}

/// What the backward pass needs beside tensors.
struct SecondPass : torch::CustomClassHolder {
  CheckpointedSegment segment;
  std::vector<std::string> input_names;
  RandomState random;
  Autocast autocast;

  SecondPass(CheckpointedSegment what, std::vector<std::string> names, const RunContext& run)
      : segment(std::move(what)), input_names(std::move(names)), random(run), autocast(run.device().type()) {}
};

/// One node of the graph in place of a whole segment. Its inputs are the segment's and the leaves that it reads.
class Checkpoint : public torch::autograd::Function<Checkpoint> {
 public:
  static Tensors forward(AutogradContext* context, const c10::intrusive_ptr<SecondPass>& second_pass,
                         const NamedTensors* outputs, const at::TensorList& inputs_and_leaves) {
    context->saved_data["second_pass"] = c10::IValue::make_capsule(second_pass);
    context->save_for_backward(inputs_and_leaves.vec());
    context->set_materialize_grads(false);
    Tensors values, without_gradient;
    for (const auto& [name, output] : *outputs) {
      values.push_back(output.variable_data());
      if (!output.requires_grad()) without_gradient.push_back(values.back());
    }
    context->mark_non_differentiable(without_gradient);
    return values;
  }

  static Tensors backward(AutogradContext* context, const Tensors& output_gradients) {
    const auto second_pass =
        c10::static_intrusive_pointer_cast<SecondPass>(context->saved_data["second_pass"].toCapsule());
    // With gradients on, someone goes backward a second time: then the graph must reach behind the inputs.
    const bool twice = c10::GradMode::is_enabled();
    const Tensors saved = context->get_saved_variables();
    const auto split = saved.begin() + static_cast<std::ptrdiff_t>(second_pass->input_names.size());
    Tensors sources(saved.begin(), split);
    if (!twice) sources = as_leaves(sources);

    Tensors outputs;
    {
      const FirstPassScope scope(second_pass->random, second_pass->autocast);
      const c10::AutoGradMode gradients(true);
      outputs = values_of(second_pass->segment(named(second_pass->input_names, sources), /*again=*/true));
    }
    sources.insert(sources.end(), split, saved.end());
    return gradients_of(outputs, output_gradients, sources, twice);
  }

 private:
  // One for each argument of forward(); its first two are no inputs of the graph.
  static Tensors gradients_of(const Tensors& outputs, const Tensors& output_gradients, const Tensors& sources,
                              bool twice) {
    constexpr std::size_t kFirst = 2;
    Tensors roots, root_gradients, wanted;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i].requires_grad() || !output_gradients[i].defined()) continue;
      roots.push_back(outputs[i]);
      root_gradients.push_back(output_gradients[i]);
    }
    for (const at::Tensor& source : sources) {
      if (source.requires_grad()) wanted.push_back(source);
    }
    Tensors result(kFirst + sources.size());
    if (roots.empty() || wanted.empty()) return result;
    const Tensors found = torch::autograd::grad(roots, wanted, root_gradients, /*retain_graph=*/twice,
                                                /*create_graph=*/twice, /*allow_unused=*/true);
    auto next = found.begin();
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (sources[i].requires_grad()) result[kFirst + i] = *next++;
    }
    return result;
  }
};

}  // namespace

NamedTensors checkpointed(const CheckpointedSegment& segment, const NamedTensors& inputs, const RunContext& run) {
  if (!c10::GradMode::is_enabled()) return segment(inputs, /*again=*/false);
  const auto second_pass = c10::make_intrusive<SecondPass>(segment, names_of(inputs), run);
  const Tensors sources = values_of(inputs);
  const Tensors leaves = as_leaves(sources);
  // The first pass builds its graph, too, to learn which parameters the segment reads; the graph goes with `outputs`.
  const NamedTensors outputs = segment(named(second_pass->input_names, leaves), /*again=*/false);
  Tensors inputs_and_leaves = sources;
  for (at::Tensor& parameter : leaves_below(values_of(outputs), leaves)) {
    inputs_and_leaves.push_back(std::move(parameter));
  }
  // Only of a TensorList does LibTorch take the elements as inputs of the node; a vector's it would not see.
  return named(names_of(outputs), Checkpoint::apply(second_pass, &outputs, at::TensorList(inputs_and_leaves)));
}

}  // namespace seedbed
