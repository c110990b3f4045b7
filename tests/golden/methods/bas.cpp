// BAS: its loss terms and where their gradients go, and the fusion with a CAM, as the plugin and the host compute them.
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "runners.hpp"
#include "seedbed/fusion_plan.hpp"
#include "seedbed/kernels/fusion.hpp"
#include "seedbed/seed_generator.hpp"

namespace seedbed::testing {
namespace {

constexpr std::int64_t kClasses = 6, kSourceChannels = 8, kTopChannels = 12;

/// Tap `stage4` is the input; `final` one convolution with ReLU on it, in place of ResNet's layer 4.
class OneLayer : public Backbone {
 public:
  OneLayer(const at::Tensor& weight, const at::Tensor& bias)
      : weight_(register_parameter("weight", weight)), bias_(register_parameter("bias", bias)) {}

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override {
    return {{"stage4", {}, kSourceChannels, 1.0, false}, {"final", {}, kTopChannels, 1.0, false}};
  }
  std::vector<Site> sites() const override { return {}; }
  std::int64_t minimum_size_px() const override { return 1; }
  ForwardResult forward(const ForwardRequest& request) override {
    const at::Tensor source = request.from ? request.from->value : request.images_nchw;
    const auto top = [&] {
      return at::conv2d(source, in_mode(weight_, request.parameters), in_mode(bias_, request.parameters), 1, 1).relu();
    };
    ForwardResult result;
    for (const std::string& name : request.keep) result.taps[name] = name == "final" ? top() : source;
    return result;
  }
  std::shared_ptr<Backbone> clone() const override { return std::make_shared<OneLayer>(weight_, bias_); }

 private:
  at::Tensor weight_, bias_;
};

class BasUnderTest {
 public:
  explicit BasUnderTest(const Golden& golden) : golden_(golden) {}

  std::shared_ptr<SeedGenerator> generator(const ParameterValues& parameters = {}) {
    ModelContext context = contract_context(run_, kClasses, false);
    context.backbone =
        std::make_shared<OneLayer>(golden_.weight("layer4.0.weight", {kTopChannels, kSourceChannels, 3, 3}),
                                   golden_.weight("layer4.0.bias", {kTopChannels}));
    auto made = make<SeedGenerator>(MethodKind::seed_generator, "bas", context, parameters);
    made->load_state(
        {{"classifier.weight", golden_.weight("classifier_cls.weight", {kClasses, kTopChannels, 1, 1})},
         {"map_classifier.weight", golden_.weight("classifier_loc.0.weight", {kClasses, kSourceChannels, 3, 3})}});
    return made;
  }

  /// The loss terms of a batch in which each image has the golden's class alone, so that it is the one drawn.
  LossTerms terms(SeedGenerator& generator) {
    StepRequest step;
    ViewBatch& batch = step.streams["main"]["main"];
    batch.images_nchw = golden_.input("features");
    batch.present_nc = at::one_hot(golden_.input("p_label"), kClasses).to(at::kBool);
    step.run = &run_;
    return generator.trainable()->training_step(step);
  }

  SeedResult seeds(SeedGenerator& generator, const at::Tensor& features) {
    const c10::NoGradGuard no_grad;
    SeedRequest request;
    request.images_nchw = features;
    request.views.resize(static_cast<std::size_t>(features.size(0)));
    request.logits_wanted = true;
    request.run = &run_;
    return generator.generate(request);
  }

 private:
  const Golden& golden_;
  FakeRun run_;
};

at::Tensor term(const LossTerms& terms, std::string_view name) {
  for (const auto& [known, value] : terms) {
    if (known == name) return value;
  }
  return {};
}

at::Tensor gradient_sum(const at::Tensor& parameter) {
  return parameter.grad().defined() ? parameter.grad().abs().sum().view({1}) : at::zeros({1});
}

NamedTensors losses(const Golden& golden) {
  BasUnderTest bas(golden);
  const at::Tensor features = golden.input("features"), classes = golden.input("p_label").unsqueeze(1);
  const auto generator = bas.generator();
  const SeedResult whole = bas.seeds(*generator, features);
  const at::Tensor foreground =
      whole.maps.scores_nphw.gather(1, classes.view({-1, 1, 1, 1}).expand({-1, 1, features.size(2), features.size(3)}));
  const at::Tensor score_without = bas.seeds(*generator, features * (1 - foreground)).logits_nc;
  const at::Tensor s = whole.logits_nc.gather(1, classes).squeeze(1),
                   s_bg = score_without.gather(1, classes).squeeze(1);
  // What the term `foreground` takes its cross entropy of; the plugin hands out the term alone.
  ForwardRequest whole_pass;
  whole_pass.images_nchw = features;
  whole_pass.keep = {"final"};
  const at::Tensor class_maps = at::conv2d(generator->backbone()->forward(whole_pass).taps.at("final"),
                                           generator->state().at("classifier.weight"));
  const at::Tensor score_of_foreground = (class_maps * foreground).mean({2, 3}).detach();
  NamedTensors found{{"score", whole.logits_nc},
                     {"M", whole.maps.scores_nphw},
                     {"score_2", score_of_foreground},
                     {"S", s},
                     {"S_bg", s_bg},
                     {"ratio_clamped", s_bg.relu().gt(s.relu()).to(at::kByte)}};
  const std::pair<const char*, const char*> names[] = {{"frg", "foreground"}, {"bas", "suppression"}, {"area", "area"}};
  for (const auto& [golden_name, name] : names) {
    const auto fresh = bas.generator();
    const at::Tensor value = term(bas.terms(*fresh), name);
    found[std::string(golden_name) == "area" ? "area" : "loss_" + std::string(golden_name)] = value.detach().view({1});
    value.backward();
    const NamedTensors state = fresh->state();
    const std::string suffix = std::string("_") + golden_name;
    found["dloc" + suffix] = state.at("map_classifier.weight").grad();
    found["dlayer4" + suffix + "_abs_sum"] = gradient_sum(state.at("backbone.weight"));
    found["dcls" + suffix + "_abs_sum"] = gradient_sum(state.at("classifier.weight"));
  }
  const auto zero_form = bas.generator({{"over_one", std::string("constant0")}});
  found["loss_bas_constant0"] = term(bas.terms(*zero_form), "suppression").detach().view({1});
  return found;
}

// The scores are the input: a classifier that passes channels on as classes, over one cell.
NamedTensors grouped_softmax(const Golden& golden) {
  FakeRun run;
  const at::Tensor logits = golden.input("logits").clone().set_requires_grad(true);
  const std::int64_t num_classes = logits.size(1);
  ModelContext context = contract_context(run, num_classes, false);
  context.backbone = std::make_shared<GivenFeatures>(num_classes);
  const auto generator =
      make<SeedGenerator>(MethodKind::seed_generator, "bas", context, {{"map_tap", std::string("final")}});
  generator->load_state({{"classifier.weight", at::eye(num_classes).view({num_classes, num_classes, 1, 1})}});
  StepRequest step;
  ViewBatch& batch = step.streams["main"]["main"];
  batch.images_nchw = logits.view({-1, num_classes, 1, 1});
  batch.present_nc = golden.input("labels").gt(0.5);
  step.run = &run;
  const at::Tensor loss = term(generator->trainable()->training_step(step), "classification");
  loss.backward();
  return {{"loss", loss.detach().view({1})}, {"dlogits", logits.grad()}};
}

NamedTensors fused_with_cam(const Golden& golden) {
  const FusionPlan plan = fusion_plan_from({"normalise:max"});
  std::vector<at::Tensor> fused;
  for (const char* name : {"bas_map", "cam_map"}) {
    fused.push_back(kernels::fuse_views({{golden.input(name), View{}}}, plan, {}));
  }
  return {{"fused", kernels::join_fused(fused, plan)}};
}

}  // namespace

std::vector<GoldenRunner> bas_runners() {
  return {
      {"bas", "ResNetCam.forward", "", losses},
      {"bas", "cross_entropy", "", grouped_softmax},
      {"bas", "inline code", "WSSS/step/make_cam.py", fused_with_cam},
  };
}

}  // namespace seedbed::testing
