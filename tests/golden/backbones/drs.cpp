// DRS's VGG16: the plugin `drs` on the plugin `vgg16`, whose activations it changes through their sites.
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "backbone_golden.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/seed_generator.hpp"

namespace seedbed::testing {
namespace {

// The layers behind stage 5 and all controllers, as `drs` names them. What remains of the authors' file is the backbone's,
// each convolution under two names.
NamedTensors generator_state(const NamedTensors& authors) {
  // The activation behind each convolution of VGG16, by the authors' name of its controller.
  const std::map<std::string, std::string> sites{
      {"layer1_relu1", "features_1"},  {"layer1_relu2", "features_3"},  {"layer2_relu1", "features_6"},
      {"layer2_relu2", "features_8"},  {"layer3_relu1", "features_11"}, {"layer3_relu2", "features_13"},
      {"layer3_relu3", "features_15"}, {"layer4_relu1", "features_18"}, {"layer4_relu2", "features_20"},
      {"layer4_relu3", "features_22"}, {"layer5_relu1", "features_25"}, {"layer5_relu2", "features_27"},
      {"layer5_relu3", "features_29"}};
  NamedTensors state;
  for (const auto& [name, tensor] : authors) {
    const std::string owner = name.substr(0, name.find('.')), rest = name.substr(name.find('.'));
    if (const auto site = sites.find(owner); site != sites.end()) {
      state["controllers." + site->second + ".weight"] = tensor;
    } else if (owner.starts_with("extra_relu")) {
      state["extra_controllers.extra_conv" + owner.substr(10) + ".weight"] = tensor;
    } else if (owner.starts_with("extra_conv")) {
      state["layers." + (owner == "extra_conv4" ? "classifier" : owner) + rest] = tensor;
    }
  }
  return state;
}

// A backbone that remembers what taps gave in the pass that a generator asked of it. Its parameters stay the inner one's.
class WatchedBackbone : public Backbone {
 public:
  WatchedBackbone(std::shared_ptr<Backbone> inner, std::vector<std::string> watched)
      : inner_(std::move(inner)), watched_(std::move(watched)) {}

  Normalisation normalisation() const override { return inner_->normalisation(); }
  std::vector<TapInfo> taps() const override { return inner_->taps(); }
  std::vector<Site> sites() const override { return inner_->sites(); }
  std::int64_t minimum_size_px() const override { return inner_->minimum_size_px(); }
  std::shared_ptr<Backbone> clone() const override {
    return std::make_shared<WatchedBackbone>(inner_->clone(), watched_);
  }
  ForwardResult forward(const ForwardRequest& request) override {
    ForwardRequest asked = request;
    asked.keep.insert(asked.keep.end(), watched_.begin(), watched_.end());
    const ForwardResult all = inner_->forward(asked);
    ForwardResult result;
    for (const std::string& name : watched_) seen[name] = all.taps.at(name);
    for (const std::string& name : request.keep) result.taps[name] = all.taps.at(name);
    return result;
  }

  NamedTensors seen;

 private:
  std::shared_ptr<Backbone> inner_;
  std::vector<std::string> watched_;
};

SeedResult generate(const ModelContext& context, const ParameterValues& parameters, const NamedTensors& state,
                    const at::Tensor& images_nchw) {
  const auto generator = make<SeedGenerator>(MethodKind::seed_generator, "drs", context, parameters);
  EXPECT_TRUE(generator->load_state(state).complete());
  SeedRequest request;
  request.images_nchw = images_nchw;
  request.views.resize(1);
  request.logits_wanted = true;
  request.run = context.run;
  return generator->generate(request);
}

// What the last extra layer gives: the map of a classifier that passes each channel on as a class.
at::Tensor extra_layers(ModelContext context, const ParameterValues& parameters, NamedTensors state,
                        const at::Tensor& images_nchw) {
  const std::int64_t width = state.at("layers.extra_conv3.weight").size(0);
  context.class_names.assign(static_cast<std::size_t>(width), "channel");
  state["layers.classifier.weight"] = at::eye(width).view({width, width, 1, 1});
  state["layers.classifier.bias"] = at::zeros({width});
  return generate(context, parameters, state, images_nchw).maps.scores_nphw;
}

NamedTensors drs_vgg16(const BackboneGolden& golden) {
  const c10::NoGradGuard no_grad;
  FakeRun run;
  const NamedTensors authors = golden.weights();
  ModelContext context = contract_context(run, 20, false);
  const auto vgg16 = make<Backbone>(MethodKind::backbone, "vgg16", context, {{"variant", std::string("drs")}});
  EXPECT_TRUE(vgg16->load_weights(authors).complete());
  const auto watched = std::make_shared<WatchedBackbone>(vgg16, std::vector<std::string>{"conv3", "conv5"});
  context.backbone = watched;

  const std::string controller = golden.text("controller", "");
  ParameterValues parameters{{"controller", controller}};
  if (controller == "fixed") parameters["delta"] = golden.number("delta");
  const NamedTensors state = generator_state(authors);
  const SeedResult result = generate(context, parameters, state, golden.input("x"));
  NamedTensors found = watched->seen;
  found["map"] = result.maps.scores_nphw;
  found["logits"] = result.logits_nc;
  found["extra3"] = extra_layers(context, parameters, state, golden.input("x"));
  return found;
}

}  // namespace

std::vector<BackboneGoldenRunner> drs_runners() { return {{"method", "drs_vgg16", drs_vgg16}}; }

}  // namespace seedbed::testing
