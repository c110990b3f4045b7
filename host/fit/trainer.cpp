#include "fit/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "fit/best_state.hpp"
#include "fit/checkpoint.hpp"
#include "fit/ema.hpp"
#include "fit/map_stores.hpp"
#include "fit/optimiser_set.hpp"
#include "fit/precision.hpp"
#include "fit/random_streams.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/error.hpp"

namespace seedbed::fit {
namespace {

using Clock = std::chrono::steady_clock;

/// How many steps and epochs the settings ask for.
struct Length {
  std::int64_t steps = 0;
  std::int64_t epochs = 0;
};

Length length_of(const TrainSettings& settings, std::int64_t batches_per_epoch) {
  if (batches_per_epoch < 1) {
    throw UserError("train.batch_size", "The role has too few images for one batch.",
                    "a smaller `batch_size`, or `drop_last = false`");
  }
  Length length;
  length.steps = settings.steps > 0 ? settings.steps : settings.epochs * batches_per_epoch / settings.accumulate;
  if (length.steps < 1) {
    throw UserError("train.accumulate", "All epochs together hold fewer batches than one step takes.",
                    "a smaller `accumulate`, or more `epochs`");
  }
  length.epochs = (length.steps * settings.accumulate + batches_per_epoch - 1) / batches_per_epoch;
  return length;
}

class Services : public EpochServices {
 public:
  Services(BatchSource& batches, MapStores& stores, RunContext& run, std::int64_t epoch)
      : batches_(batches), stores_(stores), run_(run), epoch_(epoch) {}
  std::int64_t epoch() const override { return epoch_; }
  void for_each_image(const std::function<void(const ViewBatch&)>& visit) override {
    batches_.for_each_image([&](const ViewBatch& batch) {
      run_.check_cancelled();
      visit(batch);
    });
  }
  MapStore& map_store(std::string_view name) override { return stores_.named(name); }
  RunContext& run() override { return run_; }

 private:
  BatchSource& batches_;
  MapStores& stores_;
  RunContext& run_;
  std::int64_t epoch_;
};

class FitLoop {
 public:
  explicit FitLoop(const FitJob& job)
      : job_(job),
        length_(length_of(job.settings, job.batches.batches_per_epoch())),
        optimisers_(job.settings, job.student.parameter_groups()),
        scaler_(job.settings.precision),
        losses_(length_.steps),
        rates_(length_.steps),
        best_(job.settings.keeps_best) {
    check_precision(job.settings.precision, job.run.device(), "train.precision");
  }

  FitOutcome run() {
    const c10::NoGradGuard no_gradients;
    start();
    const auto begin = Clock::now();
    const std::int64_t first = step_;
    if (step_end_pending_) end_step();
    for (; step_ < length_.steps; after_step()) {
      stop_if_cancelled();
      one_step();
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    finish();
    FitOutcome outcome = outcome_;
    outcome.seconds_per_step = seconds / static_cast<double>(std::max<std::int64_t>(1, step_ - first));
    return outcome;
  }

 private:
  Module& module() { return job_.student.trained_module(); }
  // The network that the fit is for.
  Trainable& result() { return job_.settings.keeps_teacher ? *job_.teacher : job_.student; }

  void start();
  void collect();
  void one_step();
  void one_batch(StepRequest& request);
  void apply_gradients();
  void note_losses(const LossTerms& terms);
  at::Tensor weighted_sum(const LossTerms& terms) const;
  void after_step();
  void end_step();
  void end_epoch(std::int64_t epoch);
  void check_terms(std::int64_t steps_per_epoch) const;
  void validate();
  void finish();
  void report();
  void stop_if_cancelled();
  StepRequest request_at(std::int64_t step, std::int64_t epoch);
  void resume_from(const ResumePoint& point);
  void save();
  NamedTensors teacher_state() const {
    return job_.teacher == nullptr ? NamedTensors{} : job_.teacher->trained_module().state();
  }
  std::int64_t epoch_of(std::int64_t step) const {
    return step * job_.settings.accumulate / job_.batches.batches_per_epoch();
  }
  std::uint64_t seed(std::string_view what, std::int64_t number) const {
    return derive_seed(job_.random_seed, job_.operation + "/" + std::string(what) + "/" + std::to_string(number));
  }

  const FitJob& job_;
  Length length_;
  OptimiserSet optimisers_;
  LossScaler scaler_;
  LossLog losses_;
  LossLog rates_;
  BestState best_;
  MapStores stores_;
  std::int64_t step_ = 0;          ///< steps done
  bool step_end_pending_ = false;  ///< what follows the last of them is still to be done
  FitOutcome outcome_;
};

void FitLoop::start() {
  if (job_.teacher != nullptr) become(job_.teacher->trained_module(), module());
  for (const at::Tensor& parameter : optimisers_.parameters()) outcome_.parameters_trained += parameter.numel();
  std::optional<ResumePoint> point;
  if (!job_.resume_file.empty()) point = read_resume_point(job_.resume_file);
  if (point) {
    resume_from(*point);
  } else if (job_.collects) {
    collect();
  }
  job_.batches.start_at(step_ * job_.settings.accumulate);
}

void FitLoop::resume_from(const ResumePoint& point) {
  auto parts = point.parts;
  if (!module().load_state(parts["module"]).complete()) {
    throw ContractError(job_.method, "the trained module has the same tensors whenever it is built", "a complete state",
                        "differences");
  }
  if (job_.teacher != nullptr) job_.teacher->trained_module().load_state(parts["teacher"]);
  optimisers_.load_state(parts["optimiser"]);
  stores_.load_state(parts["store"]);
  losses_.load_state(point.state.at("losses"));
  rates_.load_state(point.state.at("learning_rates"));
  scaler_.load_state(point.state.at("loss_scale"));
  best_.load_state(point.state.at("validation"), std::move(parts["best"]));
  job_.batches.load_state(point.state.at("batches"));
  step_end_pending_ = point.state.at("step_end_pending");
  step_ = outcome_.resumed_from_step = point.step;
  job_.run.log(LogLevel::info, "going on from step " + std::to_string(step_));
}

StepRequest FitLoop::request_at(std::int64_t step, std::int64_t epoch) {
  StepRequest request;
  request.step = step;
  request.num_steps = length_.steps;
  request.epoch = epoch;
  request.num_epochs = length_.epochs;
  request.teacher = job_.teacher;
  request.term_weight = [this, step](std::string_view term) { return term_weight(job_.settings, term, step); };
  request.map_store = [this](std::string_view name) -> MapStore& { return stores_.named(name); };
  request.run = &job_.run;
  return request;
}

void FitLoop::collect() {
  module().train(false);
  const RandomScope random(job_.run.generator(), seed("collect", 0));
  job_.batches.for_each_image([&](const ViewBatch& image) {
    job_.run.check_cancelled();
    StepRequest request = request_at(0, 0);
    request.streams["main"]["main"] = image;
    job_.student.collect(request);
  });
}

void FitLoop::one_step() {
  module().train(true);
  StepRequest request = request_at(step_, epoch_of(step_));
  const RandomScope random(job_.run.generator(), seed("step", step_));
  for (std::int64_t i = 0; i < job_.settings.accumulate; ++i) {
    request.streams = job_.batches.next();
    one_batch(request);
  }
  apply_gradients();
  if (job_.teacher != nullptr) {
    follow(job_.teacher->trained_module(), module(), ema_decay_at(job_.settings, step_ + 1));
  }
  job_.student.after_step(request);
}

// The graph lives in this function only.
void FitLoop::one_batch(StepRequest& request) {
  const c10::AutoGradMode gradients(true);
  LossTerms terms;
  {
    const AutocastScope precision(job_.settings.precision, job_.run.device());
    terms = job_.student.training_step(request);
  }
  note_losses(terms);
  const at::Tensor loss = weighted_sum(terms);
  if (!loss.defined() || !loss.requires_grad()) return;  // every term is switched off at this step
  const double factor = scaler_.scale() / static_cast<double>(job_.settings.accumulate);
  (factor == 1.0 ? loss : loss * factor).backward();
}

void FitLoop::apply_gradients() {
  const Position position{step_, length_.steps, epoch_of(step_), length_.epochs};
  for (const auto& [name, rate] : optimisers_.learning_rates(position)) rates_.add(step_, name, rate);
  if (scaler_.unscale(optimisers_.parameters())) optimisers_.step(position);
  optimisers_.drop_gradients();
}

void FitLoop::note_losses(const LossTerms& terms) {
  for (const auto& [name, value] : terms) {
    if (!value.defined() || value.numel() != 1) continue;  // check_loss_terms says so in words
    const double number = value.item<double>();
    if (!std::isfinite(number)) {
      throw UserError(job_.method,
                      "A loss term is not finite: `" + name + "` is `" + std::to_string(number) + "` at step `" +
                          std::to_string(step_) + "`.",
                      "a lower `learning_rate`, a warm-up, or `clip_norm`");
    }
    losses_.add(step_, name, number);
  }
  check_loss_terms(terms, job_.method);
}

at::Tensor FitLoop::weighted_sum(const LossTerms& terms) const {
  at::Tensor sum;
  for (const auto& [name, value] : terms) {
    const double weight = term_weight(job_.settings, name, step_);
    if (weight == 0) continue;
    const at::Tensor single = value.scalar_type() == at::kDouble ? value : value.to(at::kFloat);
    const at::Tensor term = weight == 1.0 ? single : single * weight;
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

void FitLoop::after_step() {
  step_ += 1;
  if (job_.on_step) job_.on_step(losses_.last());
  job_.run.progress(step_, length_.steps);
  end_step();
}

// An epoch's end may take long, and is no place to go on from: who is asked to stop stops before it, and does it when it
// goes on.
void FitLoop::end_step() {
  step_end_pending_ = true;
  stop_if_cancelled();
  const std::int64_t epoch = epoch_of(step_ - 1);
  const bool last = step_ == length_.steps;
  const bool epoch_ends = last || epoch_of(step_) != epoch;
  if (epoch_ends) end_epoch(epoch);
  const std::int64_t interval = job_.settings.validate_every;
  if (last || (interval > 0 ? step_ % interval == 0 : epoch_ends)) validate();
  step_end_pending_ = false;
  const std::int64_t every = job_.settings.checkpoint_every;
  if (every > 0 && !last && step_ % every == 0) save();
}

void FitLoop::end_epoch(std::int64_t epoch) {
  check_terms((job_.batches.batches_per_epoch() + job_.settings.accumulate - 1) / job_.settings.accumulate);
  module().train(false);
  const RandomScope random(job_.run.generator(), seed("epoch", epoch));
  Services services(job_.batches, stores_, job_.run, epoch);
  job_.student.after_epoch(services);
}

// A name that the method never gives must not pass for a weight. One epoch is waited for, since a term may be absent
// where a batch holds nothing for it.
void FitLoop::check_terms(std::int64_t steps_per_epoch) const {
  for (const auto& [name, schedule] : job_.settings.terms) {
    const std::int64_t end = schedule.to == 0 ? step_ : std::min(schedule.to, step_);
    if (schedule.weight == 0 || end - schedule.from < steps_per_epoch || losses_.last().contains(name)) continue;
    std::vector<std::string> given;
    for (const auto& [term, value] : losses_.last()) given.push_back(term);
    throw UserError("train.terms." + name, "The method gave no such loss term in a whole epoch: `" + name + "`.",
                    "the nearest of its terms: `" + nearest_name(name, given) + "`");
  }
}

void FitLoop::validate() {
  if (!job_.validate) return;
  Module& fitted = result().trained_module();
  fitted.train(false);
  const RandomScope random(job_.run.generator(), seed("validate", step_));
  best_.offer(step_, job_.validate(), fitted);
}

void FitLoop::finish() {
  Module& fitted = result().trained_module();
  if (job_.settings.keeps_best && best_.any()) fitted.load_state(best_.tensors());
  fitted.train(false);
  const RandomScope random(job_.run.generator(), seed("finish", 0));
  Services services(job_.batches, stores_, job_.run, length_.epochs);
  result().finish(services);
  const NamedTensors teacher = job_.settings.keeps_teacher ? NamedTensors{} : teacher_state();
  outcome_.checkpoint = checkpoint_tensors(fitted.state(), teacher, stores_.state());
  report();
}

void FitLoop::report() {
  outcome_.steps = length_.steps;
  outcome_.epochs = length_.epochs;
  outcome_.steps_left_out = scaler_.steps_left_out();
  outcome_.curves = losses_.curves();
  outcome_.learning_rates = rates_.curves();
  outcome_.last_losses = losses_.last();
  if (!best_.any()) return;
  const LossCurve& course = best_.course();
  outcome_.validated = job_.settings.keeps_best ? Validated{course, best_.step(), best_.value()}
                                                : Validated{course, step_, course.values.back()};
}

// A fit that is asked to stop leaves a point to go on from.
void FitLoop::stop_if_cancelled() {
  try {
    job_.run.check_cancelled();
  } catch (const Cancelled&) {
    if (step_ > outcome_.resumed_from_step) save();
    throw;
  }
}

void FitLoop::save() {
  if (job_.resume_file.empty()) return;
  ResumePoint point;
  point.step = step_;
  point.parts = {{"module", module().state()},
                 {"teacher", teacher_state()},
                 {"optimiser", optimisers_.state()},
                 {"store", stores_.state()},
                 {"best", best_.tensors()}};
  point.state = {{"step_end_pending", step_end_pending_}, {"losses", losses_.state()},
                 {"learning_rates", rates_.state()},      {"loss_scale", scaler_.state()},
                 {"validation", best_.state()},           {"batches", job_.batches.state()}};
  write_resume_point(job_.resume_file, point);
}

}  // namespace

FitOutcome fit(const FitJob& job) { return FitLoop(job).run(); }

}  // namespace seedbed::fit
