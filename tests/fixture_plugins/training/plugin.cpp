#include <numeric>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "fixture_training_manifest.hpp"
#include "seedbed/layers.hpp"
#include "seedbed/plugin.hpp"

namespace seedbed::fixture {
namespace {

class Learner : public SeedGenerator, public Trainable {
 public:
  Learner(bool hold_graphs, bool two_streams, const ModelContext& context)
      : hold_graphs_(hold_graphs), two_streams_(two_streams), backbone_(register_module("backbone", context.backbone)) {
    const std::int64_t channels = find_tap(*backbone_, "final").channels;
    const Conv2dOptions options{.in_channels = channels, .out_channels = context.num_classes(), .bias = false};
    classifier_ = register_module("classifier", std::make_shared<Conv2d>(options, context.run->generator()));
    critic_ = register_parameter("critic", at::ones({1}));
    mean_logits_c_ = register_buffer("mean_logits", at::zeros({context.num_classes()}));
    const auto slot = context.uses.find("label_refiner");
    if (slot != context.uses.end()) label_refiner_ = slot->second.refiner;
  }

  SeedResult generate(const SeedRequest& request) override {
    SeedResult result;
    result.maps.scores_nphw = maps(request.images_nchw, BatchNormMode::running, request.run);
    result.maps.planes = planes();
    for (const View& view : request.views) result.maps.covered.push_back(view.covered);
    if (request.logits_wanted) result.logits_nc = result.maps.scores_nphw.mean({2, 3});
    return result;
  }

  Trainable* trainable() override { return this; }
  Backbone* backbone() override { return backbone_.get(); }
  Module& trained_module() override { return *this; }

  std::vector<ParameterGroup> parameter_groups() override {
    std::vector<ParameterGroup> groups = grouped_parameters(*backbone_, "pretrained");
    groups.push_back({"new", {classifier_->weight}, 10.0, 1.0});
    groups.push_back({"critic", {critic_}, 1.0, 0.0, "adversary"});
    return groups;
  }

  LossTerms training_step(const StepRequest& request) override;
  void after_epoch(EpochServices& services) override;

 private:
  at::Tensor maps(const at::Tensor& images_nchw, BatchNormMode mode, RunContext* run) const {
    ForwardRequest forward;
    forward.images_nchw = images_nchw;
    forward.keep = {"final"};
    forward.batch_norm = mode;
    forward.run = run;
    return classifier_->forward(backbone_->forward(forward).taps.at("final"));
  }

  std::vector<std::int64_t> planes() const {
    std::vector<std::int64_t> all(static_cast<std::size_t>(classifier_->options.out_channels));
    std::iota(all.begin(), all.end(), 1);
    return all;
  }

  at::Tensor remembered(const StepRequest& request, const at::Tensor& logits_nc) const;
  at::Tensor refined(const StepRequest& request, const at::Tensor& maps_nchw) const;

  bool hold_graphs_, two_streams_;
  std::shared_ptr<Backbone> backbone_;
  std::shared_ptr<Conv2d> classifier_;
  std::shared_ptr<Refiner> label_refiner_;
  at::Tensor critic_, mean_logits_c_;
  std::vector<at::Tensor> held_;
};

// Distance to what each image scored when it was seen last; the store then holds what it scores now.
at::Tensor Learner::remembered(const StepRequest& request, const at::Tensor& logits_nc) const {
  MapStore& store = request.map_store("logits");
  at::Tensor sum = 0 * logits_nc.sum();
  const ViewBatch& batch = request.main();
  for (std::size_t i = 0; i < batch.image_ids.size(); ++i) {
    const at::Tensor own = logits_nc[static_cast<std::int64_t>(i)];
    if (store.contains(batch.image_ids[i])) sum = sum + (own - store.read(batch.image_ids[i])).square().mean();
    store.write(batch.image_ids[i], own);
  }
  return sum;
}

at::Tensor Learner::refined(const StepRequest& request, const at::Tensor& maps_nchw) const {
  const ViewBatch& batch = request.main();
  at::Tensor sum = 0 * maps_nchw.sum();
  for (std::int64_t i = 0; i < maps_nchw.size(0); ++i) {
    RefineRequest refine;
    {
      const c10::NoGradGuard no_gradients;
      refine.images_nhwc = batch.images_raw_nhwc.narrow(0, i, 1);
      refine.maps.scores_nphw = maps_nchw.narrow(0, i, 1).detach().clone();
      refine.maps.planes = planes();
      refine.maps.covered = {
          {0, 0, static_cast<double>(refine.images_nhwc.size(1)), static_cast<double>(refine.images_nhwc.size(2))}};
      refine.present_nc = batch.present_nc.narrow(0, i, 1);
      refine.image_ids = {batch.image_ids.at(static_cast<std::size_t>(i))};
      refine.run = request.run;
    }
    at::Tensor target;
    {
      const c10::NoGradGuard no_gradients;
      const at::Tensor given = label_refiner_->refine(refine).maps.scores_nphw;
      target = at::adaptive_avg_pool2d(given, {maps_nchw.size(2), maps_nchw.size(3)});
    }
    sum = sum + at::mse_loss(maps_nchw.narrow(0, i, 1), target);
  }
  return sum;
}

LossTerms Learner::training_step(const StepRequest& request) {
  const ViewBatch& batch = request.main();
  const at::Tensor maps_nchw = maps(batch.images_nchw, BatchNormMode::batch, request.run);
  const at::Tensor noise = 0.01 * at::randn({batch.images_nchw.size(0), 1}, request.run->generator());
  const at::Tensor logits_nc = maps_nchw.mean({2, 3}) - 0.1 * mean_logits_c_ + noise;
  LossTerms terms;
  terms.emplace_back("classification",
                     at::binary_cross_entropy_with_logits(logits_nc, batch.present_nc.to(logits_nc.scalar_type())));
  terms.emplace_back("remembered", 0.1 * remembered(request, logits_nc));
  terms.emplace_back("critic", (critic_ * logits_nc.detach() - 1).square().mean());
  if (request.teacher != nullptr) {
    const c10::NoGradGuard no_gradients;
    const auto& teacher = dynamic_cast<const Learner&>(*request.teacher);
    const at::Tensor wanted = teacher.maps(batch.images_nchw, BatchNormMode::running, request.run).mean({2, 3});
    const c10::AutoGradMode gradients(true);
    terms.emplace_back("consistency", at::mse_loss(logits_nc, wanted));
  }
  if (label_refiner_ && request.term_weight("refined") != 0) {
    terms.emplace_back("refined", 0.1 * refined(request, maps_nchw));
  }
  if (two_streams_) {
    const ViewBatch& unlabelled = request.streams.at("unlabelled").at("main");
    const at::Tensor other = maps(unlabelled.images_nchw, BatchNormMode::batch_without_update, request.run);
    terms.emplace_back("unlabelled", 0.01 * other.square().mean());
  }
  if (hold_graphs_) {
    for (const auto& [name, term] : terms) held_.push_back(term);
  }
  return terms;
}

void Learner::after_epoch(EpochServices& services) {
  at::Tensor sum = at::zeros_like(mean_logits_c_);
  std::int64_t count = 0;
  services.for_each_image([&](const ViewBatch& image) {
    const at::Tensor logits = maps(image.images_nchw, BatchNormMode::running, &services.run()).mean({0, 2, 3});
    services.map_store("means").write(image.image_ids.at(0), logits);
    sum = sum + logits;
    ++count;
  });
  mean_logits_c_.copy_(sum / static_cast<double>(count));
}

void register_all(Registrar& registrar) {
  registrar.add_seed_generator("fixture.learner", [](const ParameterValues& values, const ModelContext& context) {
    return std::make_shared<Learner>(parameter<bool>(values, "hold_graphs", "fixture.learner"), false, context);
  });
  registrar.add_seed_generator("fixture.two_streams", [](const ParameterValues&, const ModelContext& context) {
    return std::make_shared<Learner>(false, true, context);
  });
}

}  // namespace
}  // namespace seedbed::fixture

SEEDBED_PLUGIN(seedbed::fixture::register_all)
