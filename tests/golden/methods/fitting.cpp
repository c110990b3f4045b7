// The goldens of components `optimizer` and `schedule`: released code's parameters and rates, step by step.
#include <ATen/ATen.h>

#include "fit/ema.hpp"
#include "fit/optimiser.hpp"
#include "fit/schedule.hpp"
#include "runners.hpp"

namespace seedbed::testing {
namespace {

using namespace fit;

constexpr std::int64_t kSteps = 20;
constexpr std::int64_t kTotal = 25;

at::Tensor rates(const ScheduleSettings& schedule, double base_rate, std::int64_t count, std::int64_t total) {
  std::vector<double> values;
  for (std::int64_t step = 0; step < count; ++step)
    values.push_back(learning_rate_at(schedule, base_rate, step, total));
  return at::tensor(values, at::kDouble).to(at::kFloat);
}

/// The parameter after steps 1, 2, 5, 10 and 20, for a parameter group and rates by step.
at::Tensor parameter_course(const Golden& golden, const OptimiserSettings& settings, const at::Tensor& rate_of_step,
                            double weight_decay_factor = 1.0) {
  const at::Tensor weight = golden.input("w").clone();
  const at::Tensor gradients = golden.input("gradients");
  const auto optimiser = make_optimiser(settings, {{"all", {weight}, 1.0, weight_decay_factor}});
  std::vector<at::Tensor> course;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    weight.mutable_grad() = gradients[step].clone();
    optimiser->step(rate_of_step[step].item<double>());
    if (step == 0 || step == 1 || step == 4 || step == 9 || step == 19) course.push_back(weight.clone());
  }
  return at::stack(course);
}

OptimiserSettings sgd(bool released, double weight_decay) {
  OptimiserSettings settings;
  settings.kind = released ? OptimiserKind::sgd_poly_released : OptimiserKind::sgd;
  settings.momentum = 0.9;
  settings.weight_decay = weight_decay;
  return settings;
}

NamedTensors poly_sgd(const Golden& golden) {
  ScheduleSettings poly;
  poly.kind = ScheduleKind::poly;
  NamedTensors found;
  const auto add = [&](const std::string& name, const at::Tensor& rate, double decay, double released_factor) {
    found["lr_" + name] = rate;
    found["w_" + name + "_faithful"] = parameter_course(golden, sgd(true, decay), rate, released_factor);
    found["w_" + name + "_corrected"] = parameter_course(golden, sgd(false, decay), rate);
  };
  add("irn", rates(poly, 0.1, kSteps, kTotal), 1e-4, 1.0);
  add("psa", rates(poly, 0.1, kSteps, kTotal), 5e-4, 1.0);
  // MCTformer's trainer sets no decay per group, so none is left.
  add("mct_cls", rates(poly, 7e-4, kSteps, kTotal), 1e-5, 0.0);
  // Its two-phase form counts two steps an iteration and begins anew past the end.
  std::vector<double> two_phase;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    two_phase.push_back(learning_rate_at(poly, 7e-4, 2 * step % kTotal, kTotal));
  }
  add("mct_two_phase", at::tensor(two_phase, at::kDouble).to(at::kFloat), 1e-5, 0.0);
  return found;
}

ScheduleSettings warm(ScheduleKind kind, std::int64_t warmup_steps, double ratio, double power) {
  ScheduleSettings schedule;
  schedule.kind = kind;
  schedule.warmup_steps = warmup_steps;
  schedule.warmup_ratio = ratio;
  schedule.power = power;
  return schedule;
}

NamedTensors poly_warmup_adamw(const Golden& golden) {
  OptimiserSettings adamw;
  adamw.kind = OptimiserKind::adamw;
  adamw.weight_decay = 0.01;
  NamedTensors found;
  const auto add = [&](const std::string& name, const OptimiserSettings& settings, const at::Tensor& rate,
                       double shown) {
    found["lr_" + name] = rate * shown;
    found["w_" + name] = parameter_course(golden, settings, rate);
  };
  const auto course = [&](const ScheduleSettings& schedule, double base) {
    return rates(schedule, base, kSteps, kTotal);
  };
  add("toco", adamw, course(warm(ScheduleKind::poly_warmup, 6, 1e-6, 0.9), 6e-5), 1e4);
  add("excel", adamw, course(warm(ScheduleKind::poly_warmup, 5, 1e-6, 1.0), 1e-4), 1e4);
  ScheduleSettings falling = warm(ScheduleKind::poly_warmup_sgd_released, 6, 1e-6, 0.9);
  falling.restart_after_warmup = true;
  OptimiserSettings plain = sgd(false, 1e-4);
  add("warmup_sgd", plain, course(falling, 0.01), 1.0);
  ScheduleSettings cosine = warm(ScheduleKind::cosine, 6, 1e-3, 0.9);
  cosine.restart_after_warmup = true;
  add("cos", adamw, course(cosine, 1e-3), 1.0);
  return found;
}

class OneTensor : public Module {
 public:
  explicit OneTensor(const at::Tensor& value) { tensor = register_parameter("tensor", value.clone(), false); }
  at::Tensor tensor;
};

NamedTensors ema_update(const Golden& golden) {
  OneTensor teacher(golden.input("teacher"));
  const at::Tensor students = golden.input("student");
  std::vector<at::Tensor> course;
  for (std::int64_t step = 0; step < students.size(0); ++step) {
    follow(teacher, OneTensor(students[step]), 0.9);
    course.push_back(teacher.tensor.clone());
  }
  return {{"teacher_after", at::stack(course)}};
}

at::Tensor rates_at(const ScheduleSettings& schedule, double base_rate, const std::vector<std::int64_t>& positions,
                    std::int64_t total) {
  std::vector<double> values;
  for (const std::int64_t position : positions)
    values.push_back(learning_rate_at(schedule, base_rate, position, total));
  return at::tensor(values, at::kDouble);
}

NamedTensors schedules(const Golden&) {
  ScheduleSettings poly;
  poly.kind = ScheduleKind::poly;
  ScheduleSettings deeplab = poly;
  deeplab.update_every = 10;
  ScheduleSettings drs;
  drs.kind = ScheduleKind::step;
  drs.milestones = {4, 9};  // the fifth and tenth epoch, counted from 0
  ScheduleSettings cosine = warm(ScheduleKind::cosine, 5, 1e-6 / 6.25e-5, 0.9);
  cosine.minimum_ratio = 1e-5 / 6.25e-5;
  const ScheduleSettings toco = warm(ScheduleKind::poly_warmup, 1500, 1e-6, 0.9);
  return {{"irn_first20", rates(poly, 0.1, 20, 3305)},
          {"irn_check", rates_at(poly, 0.1, {0, 661, 1652, 3304}, 3305).to(at::kFloat)},
          {"psa_first20", rates(poly, 0.1, 20, 9915)},
          {"seam_first20_x10", rates(poly, 0.01, 20, 10576) * 10},
          {"mct_cosine_epochs_x1e5", rates(cosine, 6.25e-5, 60, 60) * 1e5},
          {"toco_first20_x1e8", rates(toco, 6e-5, 20, 20000) * 1e8},
          {"toco_around_warmup_x1e5",
           (rates_at(toco, 6e-5, {1498, 1499, 1500, 1501, 4000, 19999}, 20000) * 1e5).to(at::kFloat)},
          {"deeplab_first31_x1e4", rates(deeplab, 2.5e-4, 31, 20000) * 1e4},
          {"drs_epochs_1_15_x1e3", rates(drs, 1e-3, 15, 15) * 1e3}};
}

}  // namespace

std::vector<GoldenRunner> fitting_runners() {
  return {{"optimizer", "PolyOptimizer, PolyOptimizer_cls", "", poly_sgd},
          {"optimizer", "PolyWarmupAdamW, PolyWarmupSGD, CosWarmupAdamW", "", poly_warmup_adamw},
          {"optimizer", "exponential moving average, momentum 0.9", "", ema_update},
          {"schedule", "PolynomialLR, reduce_lr, timm CosineLRScheduler", "", schedules}};
}

}  // namespace seedbed::testing
