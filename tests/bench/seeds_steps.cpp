// Seed generators on request, timed: seeds_beside_pytorch.py asks this program and PyTorch in turn.
//   localise FILE   maps of the first two classes, as a map stage of cam's preset `irn` makes them, decoding included
//   train_cam       one optimiser step of that preset (ResNet-50) on the batch of the weights file
//   train_drs       one optimiser step of drs's preset `fixed` (VGG16) on that batch
// Answers with a line of JSON: seconds, and a number that tells whether both sides computed the same.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "fit/optimiser.hpp"
#include "images/decode.hpp"
#include "plugin/registry.hpp"
#include "sdk/tensor/doubles.hpp"
#include "seedbed/error.hpp"
#include "seedbed/kernels/fusion.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/seed_generator.hpp"
#include "stages/network_input.hpp"
#include "weights/weights_file.hpp"
#include "worker/process_setup.hpp"

namespace seedbed::bench {
namespace {

constexpr std::int64_t kClasses = 20;
constexpr double kLearningRate = 1e-3;  // random weights: the recipe's 0.1 would diverge

/// The plugins, and what the script gave: a batch, and the state of each method under `cam.` and `drs.`.
class Given {
 public:
  Given(const std::string& plugins, const std::string& weights_file) : file_(weights_file) {
    for (const char* name : {"resnet", "vgg16", "cam", "drs"}) registry_.load(plugins + "/seedbed_" + name + ".so");
    const weights::WeightsFile file = weights::read_weights_file(weights_file);
    tensors_.insert(file.tensors.begin(), file.tensors.end());
    for (std::int64_t c = 0; c < kClasses; ++c) context_.class_names.push_back("class" + std::to_string(c));
    context_.run = &run_;
    ViewBatch batch;
    batch.images_nchw = tensors_.at("images").clone();
    batch.present_nc = tensors_.at("labels").gt(0.5);
    step_.streams["main"]["main"] = batch;
    step_.run = &run_;
  }

  /// The generator on its backbone, with the state that the script gave.
  std::shared_ptr<SeedGenerator> generator(std::string_view id, ParameterValues values, std::string_view backbone,
                                           const std::string& backbone_variant) {
    context_.backbone = make<Backbone>(MethodKind::backbone, backbone, {{"variant", backbone_variant}});
    auto made = make<SeedGenerator>(MethodKind::seed_generator, id, std::move(values));
    const std::string prefix = std::string(id) + ".";
    NamedTensors state;
    for (const auto& [name, tensor] : tensors_) {
      if (name.starts_with(prefix)) state[name.substr(prefix.size())] = tensor;
    }
    if (!made->load_state(state).complete()) throw UserError(file_, "the weights do not fit `" + prefix + "`");
    return made;
  }

  const StepRequest& step() const { return step_; }
  RunContext& run() { return run_; }

 private:
  template <typename T>
  std::shared_ptr<T> make(MethodKind kind, std::string_view id, ParameterValues values) {
    const plugin::RegisteredMethod& method = registry_.find(kind, id);
    for (const ParameterSpec& spec : method.manifest.parameters) values.try_emplace(spec.name, spec.default_value);
    return std::get<Factory<T>>(method.make)(values, context_);
  }

  std::string file_;
  testing::FakeRun run_;
  plugin::Registry registry_;
  NamedTensors tensors_;
  ModelContext context_;
  StepRequest step_;
};

/// Optimiser steps of a generator.
class Training {
 public:
  Training(std::shared_ptr<SeedGenerator> generator, const fit::OptimiserSettings& settings)
      : generator_(std::move(generator)),
        optimiser_(fit::make_optimiser(settings, generator_->trainable()->parameter_groups())) {}

  /// The loss before the step.
  double step(const StepRequest& request) {
    generator_->train(true);
    const c10::AutoGradMode gradients(true);
    const at::Tensor loss = generator_->trainable()->training_step(request).front().second;
    loss.backward();
    optimiser_->step(kLearningRate);
    optimiser_->drop_gradients();
    return loss.item<double>();
  }

 private:
  std::shared_ptr<SeedGenerator> generator_;
  std::unique_ptr<fit::Optimiser> optimiser_;
};

fit::OptimiserSettings irn_optimiser() {
  fit::OptimiserSettings settings;
  settings.kind = fit::OptimiserKind::sgd_poly_released;
  settings.weight_decay = 1e-4;
  return settings;
}

fit::OptimiserSettings drs_optimiser() {
  fit::OptimiserSettings settings;
  settings.kind = fit::OptimiserKind::sgd;
  settings.momentum = 0.9;
  settings.nesterov = true;
  settings.weight_decay = 5e-4;
  return settings;
}

class OurSide {
 public:
  OurSide(const std::string& plugins, const std::string& weights_file, const std::string& input)
      : given_(plugins, weights_file),
        cam_(given_.generator("cam", {{"freeze_backbone", std::string("stage3")}}, "resnet50", "irn")),
        train_cam_(cam_, irn_optimiser()),
        train_drs_(given_.generator("drs", {}, "vgg16", "drs"), drs_optimiser()),
        pyramid_(stages::pyramid_settings_from({{"scales", {1.0, 0.5, 1.5, 2.0}}, {"flip", true}, {"input", input}})),
        present_(at::arange(kClasses).lt(2)) {}

  double train_cam() { return train_cam_.step(given_.step()); }
  double train_drs() { return train_drs_.step(given_.step()); }

  /// Mean of the maps of both classes.
  double localise(const std::string& file) {
    const c10::NoGradGuard no_grad;
    cam_->train(false);
    const Backbone& backbone = *cam_->backbone();
    const at::Tensor image = images::decode_image(file);
    std::vector<kernels::ViewMaps> views;
    for (const double scale : pyramid_.scales) {
      const stages::NetworkInput input =
          stages::network_input(image, file, scale, pyramid_, backbone.normalisation(), backbone.size_multiple_px());
      SeedRequest request;
      request.images_nchw = input.images_nchw;
      request.views = input.views;
      request.logits_wanted = true;
      request.run = &given_.run();
      const SeedResult result = cam_->generate(request);
      for (std::size_t i = 0; i < input.views.size(); ++i) {
        views.push_back({result.maps.scores_nphw[static_cast<std::int64_t>(i)], input.views[i]});
      }
    }
    const at::Tensor maps = kernels::fuse_views(std::move(views), named_fusion_plan("irn"), present_);
    return maps.slice(0, 0, 2).mean().item<double>();
  }

 private:
  Given given_;
  std::shared_ptr<SeedGenerator> cam_;
  Training train_cam_;
  Training train_drs_;
  stages::PyramidSettings pyramid_;
  at::Tensor present_;
};

double value_of(OurSide& side, const std::string& command) {
  if (command == "train_cam") return side.train_cam();
  if (command == "train_drs") return side.train_drs();
  return side.localise(command.substr(command.find(' ') + 1));
}

void answer(OurSide& side, const std::string& command) {
  const auto start = std::chrono::steady_clock::now();
  const double value = value_of(side, command);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("{\"seconds\": %.6f, \"value\": %.9g}\n", seconds, value);
  std::fflush(stdout);
}

}  // namespace
}  // namespace seedbed::bench

// PLUGIN-FOLDER WEIGHTS INPUT THREADS
int main(int argc, char** argv) {
  if (argc != 5) return 2;
  try {
    seedbed::worker::keep_freed_memory();
    seedbed::worker::set_threads(std::stoll(argv[4]));
    auto side = std::make_unique<seedbed::bench::OurSide>(argv[1], argv[2], argv[3]);
    for (std::string command; std::getline(std::cin, command);) seedbed::bench::answer(*side, command);
  } catch (const seedbed::UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
  return 0;
}
