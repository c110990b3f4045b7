// Class activation maps of ResNet-50 on request, timed: seeds_beside_pytorch.py asks this program and PyTorch in turn.
//   localise FILE   maps of the first two classes, as a map stage of the preset `irn` makes them, decoding included
//   train           one optimiser step of the preset `irn` on the batch of the weights file
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
#include <ATen/Parallel.h>
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

namespace seedbed::bench {
namespace {

constexpr std::int64_t kClasses = 20;
constexpr double kLearningRate = 1e-3;  // random weights: the recipe's 0.1 would diverge

class CamSide {
 public:
  CamSide(const std::string& plugins, const std::string& weights_file, const std::string& input) {
    for (const char* name : {"resnet", "cam"}) registry_.load(plugins + "/seedbed_" + name + ".so");
    ModelContext context;
    for (std::int64_t c = 0; c < kClasses; ++c) context.class_names.push_back("class" + std::to_string(c));
    context.run = &run_;
    backbone_ = context.backbone =
        make<Backbone>(MethodKind::backbone, "resnet50", {{"variant", std::string("irn")}}, context);
    cam_ =
        make<SeedGenerator>(MethodKind::seed_generator, "cam", {{"freeze_backbone", std::string("stage3")}}, context);

    const weights::WeightsFile file = weights::read_weights_file(weights_file);
    const NamedTensors given(file.tensors.begin(), file.tensors.end());
    NamedTensors state;
    for (const auto& [name, tensor] : given) {
      if (name == "images" || name == "labels") continue;
      state[name.starts_with("classifier.") ? name : "backbone." + name] = tensor;
    }
    if (!cam_->load_state(state).complete()) throw UserError(weights_file, "the weights do not fit");
    ViewBatch batch;
    batch.images_nchw = given.at("images").clone();
    batch.present_nc = given.at("labels").gt(0.5);
    step_.streams["main"]["main"] = batch;
    step_.run = &run_;
    fit::OptimiserSettings sgd;
    sgd.kind = fit::OptimiserKind::sgd_poly_released;
    sgd.weight_decay = 1e-4;
    optimiser_ = fit::make_optimiser(sgd, cam_->trainable()->parameter_groups());
    pyramid_ = stages::pyramid_settings_from({{"scales", {1.0, 0.5, 1.5, 2.0}}, {"flip", true}, {"input", input}});
    present_ = at::arange(kClasses).lt(2);
  }

  /// Mean of the maps of both classes.
  double localise(const std::string& file) {
    const c10::NoGradGuard no_grad;
    cam_->train(false);
    const at::Tensor image = images::decode_image(file);
    std::vector<kernels::ViewMaps> views;
    for (const double scale : pyramid_.scales) {
      const stages::NetworkInput input = stages::network_input(image, file, scale, pyramid_, backbone_->normalisation(),
                                                               backbone_->size_multiple_px());
      SeedRequest request;
      request.images_nchw = input.images_nchw;
      request.views = input.views;
      request.logits_wanted = true;
      request.run = &run_;
      const SeedResult result = cam_->generate(request);
      for (std::size_t i = 0; i < input.views.size(); ++i) {
        views.push_back({result.maps.scores_nphw[static_cast<std::int64_t>(i)], input.views[i]});
      }
    }
    const at::Tensor maps = kernels::fuse_views(std::move(views), named_fusion_plan("irn"), present_);
    return maps.slice(0, 0, 2).mean().item<double>();
  }

  /// The loss before the step.
  double train() {
    cam_->train(true);
    const c10::AutoGradMode gradients(true);
    const at::Tensor loss = cam_->trainable()->training_step(step_).front().second;
    loss.backward();
    optimiser_->step(kLearningRate);
    optimiser_->drop_gradients();
    return loss.item<double>();
  }

 private:
  template <typename T>
  std::shared_ptr<T> make(MethodKind kind, std::string_view id, ParameterValues values, const ModelContext& context) {
    const plugin::RegisteredMethod& method = registry_.find(kind, id);
    for (const ParameterSpec& spec : method.manifest.parameters) values.try_emplace(spec.name, spec.default_value);
    return std::get<Factory<T>>(method.make)(values, context);
  }

  testing::FakeRun run_;
  plugin::Registry registry_;
  std::shared_ptr<Backbone> backbone_;
  std::shared_ptr<SeedGenerator> cam_;
  StepRequest step_;
  std::unique_ptr<fit::Optimiser> optimiser_;
  stages::PyramidSettings pyramid_;
  at::Tensor present_;
};

void answer(CamSide& side, const std::string& command) {
  const auto start = std::chrono::steady_clock::now();
  const double value = command == "train" ? side.train() : side.localise(command.substr(command.find(' ') + 1));
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
    at::set_num_threads(std::stoi(argv[4]));
    auto side = std::make_unique<seedbed::bench::CamSide>(argv[1], argv[2], argv[3]);
    for (std::string command; std::getline(std::cin, command);) seedbed::bench::answer(*side, command);
  } catch (const seedbed::UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
  return 0;
}
