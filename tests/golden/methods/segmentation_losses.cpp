// Losses of pixels, as the plugins compute them.
#include <string>

#include <ATen/ATen.h>

#include "contract/methods_under_test.hpp"
#include "runners.hpp"
#include "seedbed/kernels/label_resize.hpp"
#include "seedbed/loss.hpp"

namespace seedbed::testing {
namespace {

struct Computed {
  at::Tensor value;     // [1]
  at::Tensor gradient;  // of the logits
};

Computed computed(std::string_view id, const at::Tensor& logits, const at::Tensor& labels,
                  const ParameterValues& parameters = {}) {
  FakeRun run;
  LossRequest request;
  request.logits = logits.clone().set_requires_grad(true);
  request.target_nhw = labels.to(at::kLong);
  request.run = &run;
  const auto loss = make<Loss>(MethodKind::loss, id, contract_context(run, logits.size(1) - 1, false), parameters);
  const at::Tensor value = loss->compute(request);
  value.backward();
  return {value.detach().view({1}), request.logits.grad()};
}

NamedTensors segmentation_losses(const Golden& golden) {
  const at::Tensor logits = golden.input("logits"), labels = golden.input("labels");
  const at::Tensor given = golden.input("class_weights").to(at::kDouble).contiguous();
  const std::vector<double> class_weights(given.data_ptr<double>(), given.data_ptr<double>() + given.numel());
  NamedTensors found;
  const auto add = [&](const std::string& name, std::string_view id, const ParameterValues& parameters = {}) {
    const Computed result = computed(id, logits, labels, parameters);
    found[name] = result.value;
    found["d_" + name] = result.gradient[0];
  };
  add("cross_entropy", "cross_entropy");
  add("cross_entropy_weighted", "cross_entropy", {{"class_weights", class_weights}});
  add("cross_entropy_smooth_01", "cross_entropy", {{"label_smoothing", 0.1}});
  add("cross_entropy_balanced", "cross_entropy", {{"balance", std::string("classes")}});
  add("cross_entropy_half_half", "cross_entropy", {{"balance", std::string("halves")}});
  add("dice_soft", "dice");
  add("focal_softmax_g2", "focal");
  add("focal_sigmoid", "focal", {{"form", std::string("sigmoid")}});
  add("ohem_07_min10", "ohem_cross_entropy", {{"keep_at_least", std::int64_t{10}}});
  add("ohem_07_min49", "ohem_cross_entropy", {{"keep_at_least", std::int64_t{49}}});
  add("bootstrapped_25", "bootstrapped_cross_entropy");
  return found;
}

NamedTensors locally_adaptive(const Golden& golden) {
  NamedTensors found;
  const auto add = [&](const std::string& name, std::int64_t window, double sigma, double exponent) {
    found[name] = computed("locally_adaptive", golden.input("logits"), golden.input("labels"),
                           {{"window", window}, {"sigma", sigma}, {"exponent", exponent}})
                      .value;
  };
  add("loss_w1_s1.0_k1", 1, 1.0, 1.0);
  add("loss_w3_s1.0_k1", 3, 1.0, 1.0);
  add("loss_w3_s1.0_k5", 3, 1.0, 5.0);
  add("loss_w5_s2.0_k5", 5, 2.0, 5.0);
  return found;
}

// ToCo's release and the corrected form agree where both halves have pixels.
NamedTensors halves_of_toco(const Golden& golden) {
  const at::Tensor logits = golden.input("logits"), labels = golden.input("labels").to(at::kLong);
  const ParameterValues toco{{"balance", std::string("halves")}};
  const ParameterValues excel{{"balance", std::string("halves")}, {"count_epsilon", 1e-6}};
  const Computed loss = computed("cross_entropy", logits, labels, toco);
  return {{"loss", loss.value},
          {"dlogits", loss.gradient},
          {"loss_excel", computed("cross_entropy", logits, labels, excel).value},
          {"loss_excel_no_background",
           computed("cross_entropy", logits, labels.masked_fill(labels.eq(0), kIgnoreLabel), excel).value}};
}

NamedTensors resized_labels(const Golden& golden) {
  const at::Tensor labels = golden.input("labels").to(at::kLong);
  NamedTensors found;
  for (const std::string& name : golden.output_names()) {
    const auto size = name.rfind('_'), by = name.rfind('x');
    const auto sampling = name.starts_with("pil") ? kernels::LabelSampling::centres : kernels::LabelSampling::origins;
    found[name] = kernels::resize_labels(labels, std::stoll(name.substr(size + 1, by - size - 1)),
                                         std::stoll(name.substr(by + 1)), sampling);
  }
  return found;
}

}  // namespace

std::vector<GoldenRunner> segmentation_loss_runners() {
  return {
      {"segmentation_loss", "cross_entropy, sigmoid_focal_loss and plain formulas", "", segmentation_losses},
      {"segmentation_loss", "resize_labels", "", resized_labels},
      {"locally_adaptive", "method notes 7.4 (no public code)", "", locally_adaptive},
      {"toco", "get_seg_loss", "", halves_of_toco},
  };
}

}  // namespace seedbed::testing
