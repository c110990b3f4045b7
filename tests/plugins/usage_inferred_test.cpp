#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>

#include "contract/given_features.hpp"
#include "contract/methods_under_test.hpp"
#include "seedbed/seed_generator.hpp"
#include "seedbed/trainable.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t kClasses = 3;

std::shared_ptr<SeedGenerator> usage(FakeRun& run, std::shared_ptr<Backbone> backbone,
                                     ParameterValues parameters = {}) {
  ModelContext context = contract_context(run, kClasses, false);
  context.backbone = std::move(backbone);
  return make<SeedGenerator>(MethodKind::seed_generator, "usage_inferred", context, parameters);
}

std::shared_ptr<Backbone> small_cnn(FakeRun& run) { return contract_context(run, kClasses).backbone; }

// On given maps: a classifier that passes each channel on as a class.
class PoolingTest : public ::testing::Test {
 protected:
  SeedResult pooled(const at::Tensor& maps_nchw, ParameterValues parameters) {
    parameters["adjustment"] = std::string("none");
    const auto generator = usage(run_, std::make_shared<GivenFeatures>(kClasses), parameters);
    generator->load_state({{"classifier.weight", at::eye(kClasses).view({kClasses, kClasses, 1, 1})}});
    SeedRequest request;
    request.images_nchw = maps_nchw;
    request.views.resize(static_cast<std::size_t>(maps_nchw.size(0)));
    request.logits_wanted = true;
    request.side_artefacts_wanted = {"activation_distribution"};
    request.run = &run_;
    return generator->generate(request);
  }

  double score(double tau, ParameterValues parameters = {}) {
    parameters["generation_tau"] = tau;
    return pooled(four_cells_, parameters).logits_nc[0][0].item<double>();
  }

  FakeRun run_;
  at::Tensor four_cells_ = at::tensor({2.0F, 0.0F, 1.0F, -1.0F}).view({1, 1, 2, 2}).repeat({1, kClasses, 1, 1});
  at::Tensor maps_ = contract_images(2, 5, 6) * 2.0;
};

TEST_F(PoolingTest, LiesBetweenMaximumAndMeanByItsTemperature) {
  const std::map<double, double> expected{{0.1, 1.999955}, {0.5, 1.844825}, {1, 1.492653},
                                          {2, 1.084576},   {10, .624647},   {100, .512500}};
  for (const auto& [tau, value] : expected) EXPECT_NEAR(score(tau), value, 1e-5) << tau;
}

TEST_F(PoolingTest, SpreadsItsWeightsAsTheTemperatureGrows) {
  at::Tensor entropy, scores;
  for (const double tau : {0.2, 0.5, 1.0, 2.0, 5.0, 20.0}) {
    const SeedResult result = pooled(maps_, {{"generation_tau", tau}});
    const at::Tensor alpha = result.side_artefacts.at("activation_distribution");
    EXPECT_THAT(alpha.sum({2, 3}), all_close(at::ones({2, kClasses}), 1e-5));
    const at::Tensor now = -(alpha * alpha.clamp_min(1e-30).log()).sum({2, 3});
    if (entropy.defined()) {
      EXPECT_TRUE(now.gt(entropy).all().item<bool>());
      EXPECT_TRUE(result.logits_nc.lt(scores).all().item<bool>());
    }
    entropy = now;
    scores = result.logits_nc;
  }
  EXPECT_TRUE(scores.gt(maps_.mean({2, 3})).all().item<bool>());
}

// d s / d a(u) = alpha(u) (1 + (a(u) - s) / tau): cells below s - tau are pushed down.
TEST_F(PoolingTest, PushesDownWhatLiesATemperatureBelowTheScore) {
  const double tau = 0.5;
  const at::Tensor maps = maps_.clone().set_requires_grad(true);
  const SeedResult result = pooled(maps, {{"generation_tau", tau}});
  result.logits_nc.sum().backward();
  const at::Tensor below = maps.detach() - result.logits_nc.detach().view({2, kClasses, 1, 1});
  const at::Tensor alpha = result.side_artefacts.at("activation_distribution").detach();
  EXPECT_THAT(maps.grad(), all_close(alpha * (1.0 + below / tau), 1e-5));
  EXPECT_TRUE(maps.grad().lt(0).eq(below.lt(-tau)).all().item<bool>());
}

TEST_F(PoolingTest, TurnsItsTemperatureRoundByConvention) {
  EXPECT_NEAR(score(4.0, {{"convention", std::string("power")}}), score(0.25), 1e-6);
}

TEST_F(PoolingTest, DividesBySumsOfWeightsOrCells) {
  const double plain = score(2.0);
  EXPECT_NEAR(score(2.0, {{"score_normalisation", std::string("weights")}}), plain, 1e-6);
  EXPECT_NEAR(score(2.0, {{"score_normalisation", std::string("cells")}}), plain / 4, 1e-6);
  // Over classes that are all alike each weighs a third: the sum is the mean times 4 / 3.
  const ParameterValues over_classes{{"axis", std::string("class")}};
  EXPECT_NEAR(score(2.0, over_classes), 0.5 * 4 / 3, 1e-6);
  ParameterValues divided = over_classes;
  divided["score_normalisation"] = std::string("weights");
  EXPECT_NEAR(score(2.0, divided), 0.5, 1e-6);
}

TEST_F(PoolingTest, RefusesASideArtefactItDoesNotKnow) {
  const auto generator = usage(run_, std::make_shared<GivenFeatures>(kClasses), {{"adjustment", std::string("none")}});
  SeedRequest request;
  request.images_nchw = maps_;
  request.views.resize(2);
  request.side_artefacts_wanted = {"attention"};
  request.run = &run_;
  EXPECT_THAT([&] { generator->generate(request); }, ThrowsMessage<UserError>(HasSubstr("`attention`")));
}

// A backbone of one activation site a layer that passes ones on, and remembers what the rewriter left of them.
class OnesBackbone : public Backbone {
 public:
  explicit OnesBackbone(std::vector<Site> sites) : sites_(std::move(sites)) {}

  Normalisation normalisation() const override { return {}; }
  std::vector<TapInfo> taps() const override { return {{"final", {}, kClasses, 1.0, false}}; }
  std::vector<Site> sites() const override { return sites_; }
  std::int64_t minimum_size_px() const override { return 1; }
  ForwardResult forward(const ForwardRequest& request) override {
    seen.clear();
    for (const Site& site : sites_) {
      const at::Tensor value = inputs.contains(site.name) ? inputs.at(site.name) : at::ones({2, 40, 2, 2});
      seen[site.name] = run_site(request, site, value, [](const at::Tensor& input) { return input; });
    }
    return {.taps = {{"final", request.images_nchw}}, .attention = {}};
  }
  std::shared_ptr<Backbone> clone() const override { return std::make_shared<OnesBackbone>(sites_); }

  NamedTensors inputs;
  NamedTensors seen;

 private:
  std::vector<Site> sites_;
};

class AdjustmentTest : public ::testing::Test {
 protected:
  static std::shared_ptr<OnesBackbone> of(const std::vector<std::string>& kinds) {
    std::vector<Site> sites;
    for (const std::string& kind : kinds) {
      const auto depth = static_cast<std::int64_t>(sites.size());
      sites.push_back({"site" + std::to_string(depth), kind, depth, 40});
    }
    return std::make_shared<OnesBackbone>(sites);
  }

  // One step of training: what its strong adjustment left at each site. The term `regularisation` is off.
  NamedTensors left(const std::shared_ptr<OnesBackbone>& backbone, ParameterValues parameters) {
    parameters.try_emplace("student_drop", std::vector<double>{0.25, 0.75});
    const auto generator = usage(run_, backbone, parameters);
    ViewBatch batch;
    batch.images_nchw = at::ones({2, kClasses, 2, 2});
    batch.present_nc = at::ones({2, kClasses}, at::kBool);
    StepRequest step;
    step.streams["main"]["main"] = batch;
    step.term_weight = [](std::string_view) { return 0.0; };
    step.run = &run_;
    generator->train(true);
    generator->trainable()->training_step(step);
    return backbone->seen;
  }

  FakeRun run_;
};

TEST_F(AdjustmentTest, DropsMoreOfTheStrongestChannelsTheDeeperALayerLies) {
  const auto backbone = of({"activation", "norm", "activation", "activation"});
  const at::Tensor rising = at::arange(1, 41, at::kFloat).view({1, 40, 1, 1}).expand({2, 40, 2, 2});
  for (const char* site : {"site0", "site2", "site3"}) backbone->inputs[site] = rising;
  const NamedTensors seen = left(backbone, {{"adjustment_policy", std::string("ranked")}});
  for (const auto& [site, fallen] : {std::pair{"site0", 10}, {"site2", 20}, {"site3", 30}}) {
    const at::Tensor channels = seen.at(site).select(3, 1).select(2, 1);
    EXPECT_TRUE(channels.slice(1, 40 - fallen).eq(0).all().item<bool>()) << site;
    EXPECT_THAT(channels.slice(1, 0, 40 - fallen),
                all_close(rising.select(3, 0).select(2, 0).slice(1, 0, 40 - fallen) * (40.0 / (40 - fallen)), 1e-4))
        << site;
  }
  EXPECT_TRUE(seen.at("site1").eq(1).all().item<bool>());
}

TEST_F(AdjustmentTest, DropsWholeChannelsAtRandomAndKeepsTheirMean) {
  const auto backbone = of({"activation"});
  backbone->inputs["site0"] = at::ones({50, 40, 2, 2});
  const at::Tensor seen = left(backbone, {}).at("site0");  // alone it is the last layer: three quarters fall
  EXPECT_TRUE(seen.amax({2, 3}).eq(seen.amin({2, 3})).all().item<bool>());
  EXPECT_NEAR(seen.eq(0).to(at::kFloat).mean().item<double>(), 0.75, 0.05);
  EXPECT_NEAR(seen.mean().item<double>(), 1.0, 0.2);
  const at::Tensor plain = left(backbone, {{"adjustment_rescale", false}}).at("site0");
  EXPECT_EQ(plain.max().item<double>(), 1.0);
}

TEST_F(AdjustmentTest, DropsTokensAndPathsInTheBranchesOfATransformer) {
  const auto backbone = of({"block", "attention", "feed_forward", "activation"});
  for (const char* site : {"site0", "site1", "site2", "site3"}) backbone->inputs[site] = at::ones({20, 30, 4});
  NamedTensors seen = left(backbone, {{"adjustment", std::string("token_drop")}});
  for (const char* site : {"site1", "site2"}) {
    EXPECT_TRUE(seen.at(site).amax({2}).eq(seen.at(site).amin({2})).all().item<bool>());
    EXPECT_GT(seen.at(site).amax({2}).std(1, /*unbiased=*/false).min().item<double>(), 0.0);
  }
  seen = left(backbone, {{"adjustment", std::string("path_drop")}});
  for (const char* site : {"site1", "site2"}) {
    EXPECT_TRUE(seen.at(site).amax({1, 2}).eq(seen.at(site).amin({1, 2})).all().item<bool>());
    EXPECT_TRUE(seen.at(site).eq(0).any().item<bool>());
  }
  for (const char* site : {"site0", "site3"}) EXPECT_TRUE(seen.at(site).eq(1).all().item<bool>());
  seen = left(backbone, {{"adjustment", std::string("channel_drop")}});
  EXPECT_TRUE(seen.at("site3").amax({1}).eq(seen.at("site3").amin({1})).all().item<bool>());
}

TEST_F(AdjustmentTest, RefusesWhatHasNoPlaceOrNoRank) {
  const auto refusal = [&](ParameterValues parameters) {
    return [this, parameters] { usage(run_, of({"activation"}), parameters); };
  };
  EXPECT_THAT(refusal({{"adjustment", std::string("token_drop")}}),
              ThrowsMessage<UserError>(HasSubstr("`token_drop`")));
  EXPECT_THAT(refusal({{"adjustment", std::string("path_drop")}, {"adjustment_policy", std::string("ranked")}}),
              ThrowsMessage<UserError>(HasSubstr("nothing to rank")));
  EXPECT_THAT(refusal({{"teacher_drop", std::vector<double>{0.1, 0.2, 0.3}}}),
              ThrowsMessage<UserError>(HasSubstr("`3`")));
}

class UsageTest : public ::testing::Test {
 protected:
  StepRequest step(Trainable* teacher = nullptr) {
    ViewBatch batch;
    batch.images_nchw = contract_images(4, 40, 48);
    batch.present_nc = at::eye(4, at::kBool).slice(1, 0, kClasses);
    batch.to_image_n23 = at::tensor({1.0, 0.0, 0.0, 0.0, 1.0, 0.0}, at::kDouble).view({1, 2, 3}).expand({4, 2, 3});
    StepRequest request;
    request.streams["main"]["main"] = batch;
    request.num_steps = 10;
    request.num_epochs = 5;
    request.teacher = teacher;
    request.term_weight = [](std::string_view) { return 1.0; };
    request.run = &run_;
    return request;
  }

  std::shared_ptr<SeedGenerator> usage_on_cnn(const ParameterValues& parameters, std::uint64_t seed = 1) {
    run_.generator().set_current_seed(seed);
    return usage(run_, small_cnn(run_), parameters);
  }

  FakeRun run_;
};

const ParameterValues kUnadjusted{{"adjustment", std::string("none")}, {"regularisation_rampup_epochs", 0.0}};

double term(const LossTerms& terms, const std::string& name) {
  const auto found = std::ranges::find(terms, name, [](const auto& entry) { return entry.first; });
  return found == terms.end() ? -1.0 : found->second.item<double>();
}

TEST_F(UsageTest, ComparesStudentAndTeacherByEachMeasure) {
  for (const char* measure : {"kl", "l1", "l2"}) {
    for (const char* axis : {"space", "class"}) {
      ParameterValues parameters = kUnadjusted;
      parameters["regularisation"] = std::string(measure);
      parameters["axis"] = std::string(axis);
      const auto student = usage_on_cnn(parameters), other = usage_on_cnn(parameters, 2);
      EXPECT_NEAR(term(student->trainable()->training_step(step()), "regularisation"), 0.0, 1e-6) << measure;
      EXPECT_GT(term(student->trainable()->training_step(step(other->trainable())), "regularisation"), 1e-7) << measure;
    }
  }
}

TEST_F(UsageTest, TeachesTheStudentAlone) {
  const auto student = usage_on_cnn(kUnadjusted), teacher = usage_on_cnn(kUnadjusted, 2);
  const LossTerms terms = student->trainable()->training_step(step(teacher->trainable()));
  terms.back().second.backward();
  EXPECT_EQ(terms.back().first, "regularisation");
  for (const auto& [name, parameter] : student->named_parameters()) {
    EXPECT_TRUE(parameter.grad().defined()) << name;
  }
  for (const auto& [name, parameter] : teacher->named_parameters()) EXPECT_FALSE(parameter.grad().defined()) << name;
}

TEST_F(UsageTest, GrowsItsRegularisationFromNothing) {
  ParameterValues parameters = kUnadjusted;
  parameters["regularisation_rampup_epochs"] = 2.0;
  const auto student = usage_on_cnn(parameters), teacher = usage_on_cnn(parameters, 2);
  std::vector<double> values;
  for (const std::int64_t at : {0, 2, 4, 6}) {  // two steps an epoch
    StepRequest request = step(teacher->trainable());
    request.step = at;
    values.push_back(term(student->trainable()->training_step(request), "regularisation"));
  }
  EXPECT_EQ(values[0], -1.0);
  EXPECT_NEAR(values[1], values[2] / 2, 1e-6);
  EXPECT_EQ(values[3], values[2]);
}

TEST_F(UsageTest, ComparesPresentClassesOrAll) {
  ParameterValues all = kUnadjusted;
  all["regularised_classes"] = std::string("all");
  const auto teacher = usage_on_cnn(kUnadjusted, 2);
  const double of_present =
      term(usage_on_cnn(kUnadjusted)->trainable()->training_step(step(teacher->trainable())), "regularisation");
  EXPECT_NE(term(usage_on_cnn(all)->trainable()->training_step(step(teacher->trainable())), "regularisation"),
            of_present);
}

TEST_F(UsageTest, LeavesTheTeachersPassOutWhereItsTermIsOff) {
  const auto student = usage_on_cnn({});
  StepRequest request = step();
  request.step = 5;
  request.term_weight = [](std::string_view name) { return name == "regularisation" ? 0.0 : 1.0; };
  EXPECT_EQ(student->trainable()->training_step(request).size(), 1U);
}

TEST_F(UsageTest, LaysTheTeachersViewOverTheStudents) {
  ParameterValues parameters = kUnadjusted;
  parameters["teacher_view"] = std::string("mirrored");
  const auto student = usage_on_cnn(parameters), teacher = usage_on_cnn(parameters, 2);
  const auto value = [&](const ViewBatch& view) {
    StepRequest request = step(teacher->trainable());
    request.streams["main"]["mirrored"] = view;
    return term(student->trainable()->training_step(request), "regularisation");
  };
  StepRequest plain = step(teacher->trainable());
  const ViewBatch& seen = plain.main();
  // The same view under another name: its maps lie where they did.
  const ViewBatch same = seen;
  const double same_image = value(same);
  parameters["teacher_view"] = std::string("main");
  const auto other = usage_on_cnn(parameters);
  EXPECT_NEAR(same_image, term(other->trainable()->training_step(plain), "regularisation"), 1e-5);
  // Half of the image, mirrored: cells that it does not show count on neither side.
  ViewBatch half = seen;
  half.images_nchw = seen.images_nchw.slice(3, 0, 24).flip(3);
  half.to_image_n23 = at::tensor({-1.0, 0.0, 24.0, 0.0, 1.0, 0.0}, at::kDouble).view({1, 2, 3}).expand({4, 2, 3});
  const double half_image = value(half);
  EXPECT_TRUE(std::isfinite(half_image));
  EXPECT_NE(half_image, same_image);
  StepRequest missing = step(teacher->trainable());
  EXPECT_THAT([&] { student->trainable()->training_step(missing); },
              ThrowsMessage<UserError>(HasSubstr("no view `mirrored`")));
}

TEST_F(UsageTest, RefusesWhatItsBackboneCannotGive) {
  EXPECT_THAT([&] { usage_on_cnn({{"cell_affinity", true}}); }, ThrowsMessage<UserError>(HasSubstr("no attention")));
  EXPECT_THAT(
      [&] {
        usage_on_cnn({{"attention_fusion", std::string("product")}});
      },
      ThrowsMessage<UserError>(HasSubstr("no attention")));
  EXPECT_THAT([&] { usage_on_cnn({{"head_kernel", std::int64_t{2}}}); }, ThrowsMessage<UserError>(HasSubstr("odd")));
}

// A transformer parent with two blocks, and a class token for each class unless told otherwise.
class UsageOnTransformerTest : public UsageTest {
 protected:
  std::shared_ptr<Backbone> vit(std::int64_t class_tokens = kClasses) {
    const std::int64_t two = 2, four = 4, eight = 8, sixteen = 16;
    return make<Backbone>(MethodKind::backbone, "vit", contract_context(run_, kClasses, false),
                          {{"width", sixteen},
                           {"depth", two},
                           {"heads", two},
                           {"patch", eight},
                           {"table_grid", four},
                           {"class_tokens", class_tokens}});
  }

  SeedResult generate(SeedGenerator& generator) {
    const c10::NoGradGuard no_grad;
    SeedRequest request;
    request.images_nchw = images_;
    request.views.resize(2);
    request.run = &run_;
    return generator.generate(request);
  }

  at::Tensor images_ = contract_images(2, 40, 48);
};

TEST_F(UsageOnTransformerTest, ClassifiesClassTokensToo) {
  const auto names = [&](std::int64_t class_tokens, const ParameterValues& parameters) {
    std::vector<std::string> terms;
    const auto generator = usage(run_, vit(class_tokens), parameters);
    for (const auto& [name, value] : generator->trainable()->training_step(step())) terms.push_back(name);
    return terms;
  };
  const ParameterValues tokens{{"adjustment", std::string("token_drop")}, {"regularisation_rampup_epochs", 0.0}};
  EXPECT_THAT(names(kClasses, tokens), ElementsAre("generation", "class_tokens", "regularisation"));
  EXPECT_THAT(names(1, tokens), ElementsAre("generation", "regularisation"));
  ParameterValues without = tokens;
  without["token_logits"] = false;
  EXPECT_THAT(names(kClasses, without), ElementsAre("generation", "regularisation"));
}

TEST_F(UsageOnTransformerTest, FusesItsMapsWithAttentionAsMctformerDoes) {
  const auto backbone = vit();
  const ParameterValues plain{
      {"adjustment", std::string("none")}, {"head_kernel", std::int64_t{3}}, {"head_bias", true}};
  const auto generator = usage(run_, backbone, plain);
  const at::Tensor maps = generate(*generator).maps.scores_nphw;
  ForwardRequest forward;
  forward.images_nchw = images_;
  AttentionBlockPlan blocks;
  blocks.blocks = {0, 1};
  blocks.exports = {"soft"};
  blocks.head_reduction = "mean";
  forward.attention.blocks = {blocks};
  forward.run = &run_;
  const c10::NoGradGuard no_grad;
  const NamedTensors attention = backbone->forward(forward).attention;
  const at::Tensor last = attention.at("block.1.soft"), sum = last + attention.at("block.0.soft");
  const at::Tensor to_cells = last.slice(1, 0, kClasses).slice(2, kClasses).reshape_as(maps);
  const at::Tensor affinity = sum.slice(1, kClasses).slice(2, kClasses);
  const at::Tensor product = maps.relu() * to_cells;

  const auto fused = [&](const std::string& rule, bool affine) {
    ParameterValues parameters = plain;
    parameters["attention_fusion"] = rule;
    parameters["attention_layers"] = std::int64_t{1};
    parameters["cell_affinity"] = affine;
    const auto other = usage(run_, backbone, parameters);
    other->load_state(generator->state());
    return generate(*other).maps.scores_nphw;
  };
  EXPECT_THAT(fused("product", false), all_close(product, 1e-6));
  EXPECT_THAT(fused("root_product", false), all_close(product.sqrt(), 1e-6));
  EXPECT_THAT(fused("none", true),
              all_close(at::einsum("nij,ncj->nci", {affinity, maps.flatten(2)}).view_as(maps), 1e-5));
  EXPECT_THAT(fused("product", true),
              all_close(at::einsum("nij,ncj->nci", {affinity, product.flatten(2)}).view_as(maps), 1e-5));
}

TEST_F(UsageOnTransformerTest, NeedsAClassTokenForEachClass) {
  const auto generator =
      usage(run_, vit(1), {{"adjustment", std::string("none")}, {"attention_fusion", std::string("product")}});
  EXPECT_THAT([&] { generate(*generator); }, ThrowsMessage<UserError>(HasSubstr("`1` tokens")));
}

}  // namespace
}  // namespace seedbed::testing
