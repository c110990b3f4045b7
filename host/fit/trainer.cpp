#include "fit/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "fit/checkpoint.hpp"
#include "fit/ema.hpp"
#include "fit/map_stores.hpp"
#include "fit/optimiser.hpp"
#include "fit/random_streams.hpp"
#include "fit/schedule.hpp"
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
        optimiser_(make_optimiser(job.settings, job.student.parameter_groups())),
        log_(length_.steps) {}

  FitOutcome run() {
    const c10::NoGradGuard no_gradients;
    start();
    const auto begin = Clock::now();
    const std::int64_t first = step_;
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

  void start();
  void collect();
  void one_step();
  void one_batch(StepRequest& request);
  at::Tensor weighted_sum(const LossTerms& terms);
  void after_step();
  void end_epoch(std::int64_t epoch);
  void finish();
  void stop_if_cancelled();
  StepRequest request_at(std::int64_t step, std::int64_t epoch);
  double learning_rate() const;
  void save() const;
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
  std::unique_ptr<Optimiser> optimiser_;
  LossLog log_;
  MapStores stores_;
  std::int64_t step_ = 0;
  FitOutcome outcome_;
};

void FitLoop::start() {
  if (job_.teacher != nullptr) become(job_.teacher->trained_module(), module());
  for (const at::Tensor& parameter : optimiser_->parameters()) outcome_.parameters_trained += parameter.numel();
  std::optional<ResumePoint> point;
  if (!job_.resume_file.empty()) point = read_resume_point(job_.resume_file);
  if (!point) {
    if (job_.collects) collect();
  } else {
    if (!module().load_state(point->module).complete()) {
      throw ContractError(job_.method, "the trained module has the same tensors whenever it is built", "a complete state",
                          "differences");
    }
    if (job_.teacher != nullptr) job_.teacher->trained_module().load_state(point->teacher);
    optimiser_->load_state(point->optimiser);
    stores_.load_state(point->stores);
    log_.load_state(point->loss_log);
    step_ = outcome_.resumed_from_step = point->step;
    job_.run.log(LogLevel::info, "going on from step " + std::to_string(step_));
  }
  job_.batches.start_at(step_ * job_.settings.accumulate);
}

StepRequest FitLoop::request_at(std::int64_t step, std::int64_t epoch) {
  StepRequest request;
  request.step = step;
  request.num_steps = length_.steps;
  request.epoch = epoch;
  request.num_epochs = length_.epochs;
  request.teacher = job_.teacher;
  request.term_weight = [this, step](std::string_view term) { return term_weight(job_.settings, term, step); };
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

double FitLoop::learning_rate() const {
  const ScheduleSettings& schedule = job_.settings.schedule;
  return schedule.by_epoch ? learning_rate_at(schedule, job_.settings.learning_rate, epoch_of(step_), length_.epochs)
                           : learning_rate_at(schedule, job_.settings.learning_rate, step_, length_.steps);
}

void FitLoop::one_step() {
  module().train(true);
  StepRequest request = request_at(step_, epoch_of(step_));
  const RandomScope random(job_.run.generator(), seed("step", step_));
  for (std::int64_t i = 0; i < job_.settings.accumulate; ++i) {
    request.streams = job_.batches.next();
    one_batch(request);
  }
  if (job_.settings.clip_norm > 0) clip_gradients(optimiser_->parameters(), job_.settings.clip_norm);
  optimiser_->step(learning_rate());
  optimiser_->drop_gradients();
  if (job_.teacher != nullptr) follow(job_.teacher->trained_module(), module(), job_.settings.ema_decay);
  job_.student.after_step(request);
}

// The graph lives in this function only.
void FitLoop::one_batch(StepRequest& request) {
  at::Tensor loss;
  {
    const c10::AutoGradMode gradients(true);
    const LossTerms terms = job_.student.training_step(request);
    loss = weighted_sum(terms);
  }
  if (!loss.defined() || !loss.requires_grad()) return;  // every term is switched off at this step
  if (job_.settings.accumulate > 1) {
    const c10::AutoGradMode gradients(true);
    loss = loss / static_cast<double>(job_.settings.accumulate);
  }
  loss.backward();
}

at::Tensor FitLoop::weighted_sum(const LossTerms& terms) {
  for (const auto& [name, value] : terms) {
    if (!value.defined() || value.numel() != 1) continue;  // check_loss_terms says so in words
    const double number = value.item<double>();
    if (!std::isfinite(number)) {
      throw UserError(job_.method,
                      "A loss term is not finite: `" + name + "` is `" + std::to_string(number) + "` at step `" +
                          std::to_string(step_) + "`.",
                      "a lower `learning_rate`, a warm-up, or `clip_norm`");
    }
    log_.add(step_, name, number);
  }
  check_loss_terms(terms, job_.method);
  at::Tensor sum;
  for (const auto& [name, value] : terms) {
    const double weight = term_weight(job_.settings, name, step_);
    if (weight == 0) continue;
    const at::Tensor term = weight == 1.0 ? value : value * weight;
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

void FitLoop::after_step() {
  const std::int64_t epoch = epoch_of(step_);
  step_ += 1;
  job_.run.progress(step_, length_.steps);
  const bool last = step_ == length_.steps;
  if (last || epoch_of(step_) != epoch) end_epoch(epoch);
  const std::int64_t every = job_.settings.checkpoint_every;
  if (every > 0 && !last && step_ % every == 0) save();
}

void FitLoop::end_epoch(std::int64_t epoch) {
  module().train(false);
  const RandomScope random(job_.run.generator(), seed("epoch", epoch));
  Services services(job_.batches, stores_, job_.run, epoch);
  job_.student.after_epoch(services);
}

void FitLoop::finish() {
  module().train(false);
  const RandomScope random(job_.run.generator(), seed("finish", 0));
  Services services(job_.batches, stores_, job_.run, length_.epochs);
  job_.student.finish(services);
  outcome_.checkpoint = checkpoint_tensors(module().state(), teacher_state(), stores_.state());
  outcome_.steps = length_.steps;
  outcome_.epochs = length_.epochs;
  outcome_.curves = log_.curves();
  outcome_.last_losses = log_.last();
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

void FitLoop::save() const {
  if (job_.resume_file.empty()) return;
  ResumePoint point;
  point.step = step_;
  point.module = job_.student.trained_module().state();
  point.teacher = teacher_state();
  point.optimiser = optimiser_->state();
  point.stores = stores_.state();
  point.loss_log = log_.state();
  write_resume_point(job_.resume_file, point);
}

}  // namespace

FitOutcome fit(const FitJob& job) { return FitLoop(job).run(); }

}  // namespace seedbed::fit
