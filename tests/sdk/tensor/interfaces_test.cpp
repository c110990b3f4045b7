// Test doubles for what the SDK lets a method express and no built-in uses yet: every signature is called once.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doubles.hpp"
#include "seedbed/checks.hpp"
#include "seedbed/plugin.hpp"
#include "support/formula_tensors.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed {
namespace {

using ::testing::ElementsAre;
using testing::equals_tensor;
using testing::FakeRun;
using testing::formula_input;
using testing::has_shape;
using ::testing::HasSubstr;
using ::testing::Throws;
using ::testing::ThrowsMessage;

class MemoryStore : public MapStore {
 public:
  bool contains(std::string_view image_id) const override { return maps_.contains(image_id); }
  at::Tensor read(std::string_view image_id) const override {
    const auto found = maps_.find(image_id);
    if (found == maps_.end()) throw UserError("", "no map is stored for `" + std::string(image_id) + "`");
    return found->second;
  }
  void write(std::string_view image_id, const at::Tensor& value) override {
    maps_[std::string(image_id)] = value.clone();
  }
  std::vector<std::string> image_ids() const override {
    std::vector<std::string> ids;
    for (const auto& [id, map] : maps_) ids.push_back(id);
    return ids;
  }

 private:
  NamedTensors maps_;
};

class FakeServices : public EpochServices {
 public:
  std::int64_t epoch() const override { return 2; }
  void for_each_image(const std::function<void(const ViewBatch&)>& visit) override {
    for (const char* id : {"a", "b"}) {
      ViewBatch batch;
      batch.image_ids = {id};
      batch.images_nchw = formula_input(id, {1, 3, 8, 8});
      visit(batch);
    }
  }
  MapStore& map_store(std::string_view name) override { return stores_[std::string(name)]; }
  RunContext& run() override { return run_; }

 private:
  std::map<std::string, MemoryStore, std::less<>> stores_;
  FakeRun run_;
};

/// A segmenter with a teacher, two streams, a scheduled term, two optimisers and labels that it corrects as it goes.
class SelfCorrecting : public TrainingStrategy {
 public:
  explicit SelfCorrecting(const ModelContext& context)
      : backbone_(context.backbone), refiner_(context.used("label_refiner").refiner) {
    register_module("backbone", backbone_);
    head_ = register_module(
        "head", std::make_shared<Conv2d>(Conv2dOptions{8, context.output_channels, 1}, context.run->generator()));
  }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override {
    auto groups = grouped_parameters(*backbone_, "pretrained");
    for (ParameterGroup group : grouped_parameters(*head_, "new")) {
      group.learning_rate_factor = 10;
      group.optimiser = "head";
      groups.push_back(std::move(group));
    }
    return groups;
  }

  LossTerms training_step(const StepRequest& request) override {
    const at::Tensor logits = predict(request.main().images_nchw, *request.run);
    LossTerms terms{{"segmentation", logits.square().mean()}};
    if (request.teacher && request.term_weight("consistency") != 0) {
      auto& teacher = dynamic_cast<TrainingStrategy&>(*request.teacher);
      const at::Tensor& images = request.streams.at("unlabelled").at("strong").images_nchw;
      const c10::NoGradGuard no_grad;
      const at::Tensor target = teacher.predict(images, *request.run);
      const c10::AutoGradMode grad(true);
      terms.emplace_back("consistency", (predict(images, *request.run) - target).abs().mean());
    }
    return terms;
  }

  void collect(const StepRequest& request) override { collected += static_cast<int>(request.main().image_ids.size()); }
  void after_step(const StepRequest& request) override { last_step = request.step; }
  void after_epoch(EpochServices& services) override {
    MapStore& labels = services.map_store("labels");
    services.for_each_image([&](const ViewBatch& batch) {
      labels.write(batch.image_ids[0], predict(batch.images_nchw, services.run()).argmax(1).to(at::kByte));
    });
    services.run().log(LogLevel::info, "corrected at epoch " + std::to_string(services.epoch()));
  }
  void finish(EpochServices& services) override { services.run().progress(1, 1); }

  at::Tensor predict(const at::Tensor& images_nchw, RunContext& run) override {
    ForwardRequest request;
    request.images_nchw = images_nchw;
    request.run = &run;
    return head_->forward(backbone_->forward(request).taps.at("final"));
  }
  Backbone* backbone() override { return backbone_.get(); }

  int collected = 0;
  std::int64_t last_step = -1;

 private:
  std::shared_ptr<Backbone> backbone_;
  std::shared_ptr<Conv2d> head_;
  std::shared_ptr<Refiner> refiner_;
};

class Identity : public Refiner {
 public:
  RefineResult refine(const RefineRequest& request) override { return {request.maps, {}}; }
};

class PromptCounter : public TextTower {
 public:
  at::Tensor encode(const std::vector<std::string>& prompts, RunContext&) override {
    return forward(token_ids(prompts)).embeddings_pd;
  }
  at::Tensor token_ids(const std::vector<std::string>& prompts) override {
    return at::arange(static_cast<std::int64_t>(prompts.size())).unsqueeze(1);
  }
  TextFeatures forward(const at::Tensor& ids_pl) override {
    const at::Tensor embeddings = at::eye(ids_pl.size(0), 8);
    return {embeddings.unsqueeze(1), embeddings};
  }
  double logit_scale() const override { return 100; }
};

ModelContext context_for(FakeRun& run) {
  ModelContext context;
  context.class_names = {"cat", "dog"};
  context.output_channels = 3;
  context.backbone = std::make_shared<testing::TinyBackbone>(run.generator());
  context.uses["label_refiner"].refiner = std::make_shared<Identity>();
  context.run = &run;
  return context;
}

StepRequest step_for(FakeRun& run) {
  StepRequest request;
  for (const auto& [stream, view] : {std::pair("main", "main"), std::pair("unlabelled", "strong")}) {
    ViewBatch batch;
    batch.images_nchw = formula_input(stream, {2, 3, 16, 16});
    batch.image_ids = {"x", "y"};
    batch.valid.boxes_n4 = at::tensor({0, 0, 16, 16, 0, 0, 16, 12}, at::kLong).view({2, 4});
    request.streams[stream][view] = batch;
  }
  request.step = 7;
  request.term_weight = [](std::string_view term) { return term == "consistency" ? 0.5 : 1.0; };
  request.run = &run;
  return request;
}

TEST(Trainable, SeesStreamsTeacherAndScheduledTerms) {
  FakeRun run;
  SelfCorrecting student(context_for(run)), teacher(context_for(run));
  StepRequest request = step_for(run);
  EXPECT_THAT(student.training_step(request), ::testing::SizeIs(1));
  request.teacher = &teacher;
  const LossTerms terms = student.training_step(request);
  ASSERT_THAT(terms, ::testing::SizeIs(2));
  check_loss_terms(terms, "test");
  terms[1].second.backward();
  EXPECT_FALSE(teacher.state().at("head.weight").grad().defined());
  EXPECT_TRUE(student.state().at("head.weight").grad().defined());
  request.term_weight = [](std::string_view) { return 0.0; };
  EXPECT_THAT(student.training_step(request), ::testing::SizeIs(1));
  student.collect(request);
  student.after_step(request);
  EXPECT_EQ(student.collected, 2);
  EXPECT_EQ(student.last_step, 7);
}

TEST(Trainable, NamesItsGroupsAndOptimisers) {
  FakeRun run;
  SelfCorrecting student(context_for(run));
  std::map<std::string, std::string> optimisers;
  for (const ParameterGroup& group : student.parameter_groups()) optimisers[group.name] = group.optimiser;
  EXPECT_EQ(optimisers.at("pretrained_norm"), "main");
  EXPECT_EQ(optimisers.at("new_bias"), "head");
}

TEST(Trainable, CorrectsLabelsBetweenEpochs) {
  FakeRun run;
  SelfCorrecting student(context_for(run));
  FakeServices services;
  student.after_epoch(services);
  student.finish(services);
  MapStore& labels = services.map_store("labels");
  EXPECT_THAT(labels.image_ids(), ElementsAre("a", "b"));
  EXPECT_TRUE(labels.contains("a"));
  EXPECT_THAT(labels.read("b"), has_shape({1, 2, 2}));
  EXPECT_THAT([&] { labels.read("c"); }, Throws<UserError>());
}

TEST(Trainable, HasQuietDefaults) {
  struct Plain : Trainable {
    Module& trained_module() override { return module; }
    std::vector<ParameterGroup> parameter_groups() override { return {}; }
    LossTerms training_step(const StepRequest&) override { return {}; }
    testing::TinyBackbone module{testing::generator()};
  } plain;
  FakeServices services;
  plain.collect({});
  plain.after_step({});
  plain.after_epoch(services);
  plain.finish(services);
  EXPECT_TRUE(services.map_store("any").image_ids().empty());
}

TEST(StepRequest, HasAMainView) {
  StepRequest request;
  EXPECT_THAT([&] { request.main(); }, ThrowsMessage<ContractError>(HasSubstr("no stream `main`")));
  request.streams["main"]["global"] = {};
  EXPECT_THAT([&] { request.main(); }, ThrowsMessage<ContractError>(HasSubstr("no view `main`")));
  request.streams["main"]["main"].image_ids = {"a"};
  EXPECT_EQ(request.main().image_ids.size(), 1u);
}

TEST(ModelContext, GivesFilledSlotsOnly) {
  FakeRun run;
  const ModelContext context = context_for(run);
  EXPECT_EQ(context.num_classes(), 2);
  EXPECT_NE(context.used("label_refiner").refiner, nullptr);
  EXPECT_THAT([&] { context.used("head"); }, ThrowsMessage<ContractError>(HasSubstr("`head`")));
}

TEST(RunContext, IsTheOnlySurroundings) {
  FakeRun run;
  EXPECT_THAT([&] { run.artefact("affinity"); }, ThrowsMessage<UserError>(HasSubstr("`affinity`")));
  EXPECT_THAT([&] { run.weights("weights"); }, Throws<UserError>());
  run.check_cancelled();
  run.cancel();
  EXPECT_THAT([&] { run.check_cancelled(); }, Throws<Cancelled>());
}

TEST(AttentionPlan, ChangesABlockOfABackbone) {
  testing::TinyBackbone backbone(testing::generator());
  ForwardRequest request;
  request.images_nchw = formula_input("images", {2, 3, 16, 16});
  const at::Tensor plain = backbone.forward(request).taps.at("final");
  AttentionBlockPlan block;
  block.blocks = {-1};
  block.exports = {"soft", "v"};
  block.head_reduction = "mean";
  request.attention.blocks = {block};
  const ForwardResult exported = backbone.forward(request);
  check_forward_result(exported, request, backbone, "test");
  EXPECT_THAT(exported.attention.at("block.0.soft"), has_shape({2, 16, 16}));
  EXPECT_THAT(exported.taps.at("final"), testing::all_close(plain, 1e-6));
  request.attention.blocks[0].terms = {{'v', 'v'}};
  request.attention.blocks[0].residual = false;
  EXPECT_FALSE(at::allclose(backbone.forward(request).taps.at("final"), plain));
}

TEST(TextTower, EncodesPrompts) {
  PromptCounter tower;
  FakeRun run;
  EXPECT_THAT(tower.encode({"a cat", "a dog"}, run), has_shape({2, 8}));
  EXPECT_THAT(tower.forward(tower.token_ids({"a cat"})).tokens_pld, has_shape({1, 1, 8}));
  EXPECT_EQ(tower.logit_scale(), 100);
}

/// A generator without training that gives everything it may give.
class EverySide : public SeedGenerator {
 public:
  explicit EverySide(const ModelContext& context) : backbone_(context.backbone) {}
  SeedResult generate(const SeedRequest& request) override {
    const std::int64_t n = request.images_nchw.size(0);
    SeedResult result;
    result.maps.scores_nphw =
        request.side_artefacts.contains("prior") ? request.side_artefacts.at("prior") : at::zeros({n, 2, 4, 4});
    result.maps.planes = {1, 2};
    for (const View& view : request.views) result.maps.covered.push_back(view.covered);
    if (request.logits_wanted) result.logits_nc = at::zeros({n, 2});
    result.segmentation_nkhw = at::zeros({n, 3, 4, 4});
    for (const std::string& name : request.side_artefacts_wanted) result.side_artefacts[name] = at::zeros({n, 5});
    result.instances.resize(static_cast<std::size_t>(n), {Instance{at::ones({16, 16}, at::kBool), 2, 0.5}});
    return result;
  }
  Backbone* backbone() override { return backbone_.get(); }

 private:
  std::shared_ptr<Backbone> backbone_;
};

TEST(SeedGenerator, TakesAndGivesSideArtefactsAndInstances) {
  FakeRun run;
  EverySide generator(context_for(run));
  EXPECT_EQ(generator.trainable(), nullptr);
  SeedRequest request;
  request.images_nchw = formula_input("images", {1, 3, 16, 16});
  request.views = {{"a", 16, 16, 1.0, false, {0, 0, 16, 16}}};
  request.side_artefacts["prior"] = at::ones({1, 2, 4, 4});
  request.side_artefacts_wanted = {"affinity"};
  request.logits_wanted = true;
  request.run = &run;
  MethodManifest manifest;
  manifest.id = "every_side";
  manifest.traits = {"segments", "instances"};
  const SeedResult result = generator.generate(request);
  check_seed_result(result, request, 2, manifest);
  EXPECT_THAT(result.maps.scores_nphw, equals_tensor(at::ones({1, 2, 4, 4})));
}

/// Records what a plugin binds.
struct Recorder : Registrar {
  void add_backbone(std::string_view id, Factory<Backbone>) override { ids.emplace_back(id); }
  void add_seed_generator(std::string_view id, Factory<SeedGenerator> make) override {
    ids.emplace_back(id);
    make_generator = std::move(make);
  }
  void add_refiner(std::string_view id, Factory<Refiner>) override { ids.emplace_back(id); }
  void add_loss(std::string_view id, Factory<Loss>) override { ids.emplace_back(id); }
  void add_segmentation_head(std::string_view id, Factory<SegmentationHead>) override { ids.emplace_back(id); }
  void add_training_strategy(std::string_view id, Factory<TrainingStrategy>) override { ids.emplace_back(id); }
  std::vector<std::string> ids;
  Factory<SeedGenerator> make_generator;
};

struct EverySideParameters {
  double scale;
  static EverySideParameters from(const ParameterValues& values) {
    return {parameter<double>(values, "scale", "every_side")};
  }
};

TEST(Registrar, BindsTypedFactories) {
  Recorder registrar;
  double seen = 0;
  registrar.add_seed_generator(
      "every_side", typed<EverySideParameters>([&](const EverySideParameters& parameters, const ModelContext& context) {
        seen = parameters.scale;
        return std::make_shared<EverySide>(context);
      }));
  registrar.add_training_strategy("self_correcting", [](const ParameterValues&, const ModelContext& context) {
    return std::make_shared<SelfCorrecting>(context);
  });
  EXPECT_THAT(registrar.ids, ElementsAre("every_side", "self_correcting"));
  FakeRun run;
  EXPECT_NE(registrar.make_generator({{"scale", 0.5}}, context_for(run)), nullptr);
  EXPECT_EQ(seen, 0.5);
}

}  // namespace
}  // namespace seedbed
