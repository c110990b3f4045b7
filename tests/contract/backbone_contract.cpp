#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <gmock/gmock.h>

#include "contract/methods_under_test.hpp"
#include "contract/shared_backbone.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/checks.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Two ways of computing one number: batched or one by one, whole or from a tap.
constexpr double kFloatNoise = 1e-4;

class BackboneContract : public ::testing::TestWithParam<MethodVariant> {
 protected:
  void SetUp() override {
    SEEDBED_MAKE_OR_SKIP(made, shared_backbone(GetParam()));
    backbone_ = made;
    const std::int64_t multiple = backbone_->size_multiple_px();
    const auto fitting = [&](std::int64_t side) {
      return (std::max(side, backbone_->minimum_size_px()) + multiple - 1) / multiple * multiple;
    };
    height_ = fitting(45);
    width_ = fitting(67);
  }

  void TearDown() override {
    if (backbone_) shared_backbone(GetParam());  // drops its gradients, which may be half a gigabyte
  }

  std::shared_ptr<Backbone> make_one(std::uint64_t seed) {
    runs_.push_back(std::make_unique<FakeRun>());
    runs_.back()->generator().set_current_seed(seed);
    return make<Backbone>(GetParam(), contract_context(*runs_.back(), 3, false));
  }

  ForwardRequest request(std::int64_t n = 1) {
    ForwardRequest request;
    request.images_nchw = contract_images(n, height_, width_);
    request.run = &run_;
    return request;
  }

  std::vector<std::string> all_taps() const {
    std::vector<std::string> names;
    for (const TapInfo& tap : backbone_->taps()) names.push_back(tap.name);
    return names;
  }

  // Networks of fifty blocks repeat a few kinds: a dozen taps, spread over the depth and `final` among them, meet them all.
  std::vector<TapInfo> some_taps() const {
    const std::vector<TapInfo> taps = backbone_->taps();
    const std::size_t step = (taps.size() + 11) / 12;
    std::vector<TapInfo> some;
    for (std::size_t i = taps.size(); i > 0; i -= std::min(i, step)) some.push_back(taps[i - 1]);
    return some;
  }

  at::Tensor final_of(const ForwardRequest& asked) { return backbone_->forward(asked).taps.at("final"); }

  FakeRun run_;
  std::vector<std::unique_ptr<FakeRun>> runs_;  ///< of make_one, lent for the life of what it made
  std::shared_ptr<Backbone> backbone_;
  std::int64_t height_ = 0;
  std::int64_t width_ = 0;
};

TEST_P(BackboneContract, NamesItsTaps) {
  std::set<std::string> names;
  for (const TapInfo& tap : backbone_->taps()) {
    EXPECT_TRUE(names.insert(tap.name).second) << tap.name;
    for (const std::string& alias : tap.aliases) EXPECT_TRUE(names.insert(alias).second) << alias;
    EXPECT_EQ(find_tap(*backbone_, tap.name).channels, tap.channels);
  }
  EXPECT_EQ(backbone_->taps().back().name, "final");
  ForwardRequest unknown = request();
  unknown.keep = {"finall"};
  EXPECT_THAT([&] { backbone_->forward(unknown); }, ThrowsMessage<UserError>(HasSubstr("`finall`")));
}

TEST_P(BackboneContract, KeepsTheSameTapsAloneAndTogether) {
  ForwardRequest asked = request();
  asked.keep = all_taps();
  const ForwardResult together = backbone_->forward(asked);
  check_forward_result(together, asked, *backbone_, GetParam().name);
  for (const TapInfo& tap : some_taps()) {
    asked.keep = tap.aliases;
    asked.keep.push_back(tap.name);
    const NamedTensors alone = backbone_->forward(asked).taps;
    for (const std::string& name : asked.keep) {
      EXPECT_THAT(alone.at(name), equals_tensor(together.taps.at(tap.name))) << name;
    }
  }
  EXPECT_THAT(final_of(request()), equals_tensor(together.taps.at("final")));
}

TEST_P(BackboneContract, TreatsEachImageOfABatchAlike) {
  const at::Tensor together = final_of(request(3));
  // A sum's noise follows its largest terms: a hundred layers of fresh weights span three orders of magnitude.
  const double noise = kFloatNoise * std::max(1.0, together.abs().max().item<double>());
  for (std::int64_t i = 0; i < 3; ++i) {
    ForwardRequest one = request();
    one.images_nchw = request(3).images_nchw.slice(0, i, i + 1);
    EXPECT_THAT(final_of(one), all_close(together.slice(0, i, i + 1), noise, kFloatNoise));
  }
}

TEST_P(BackboneContract, TakesAnySizeFromItsSmallest) {
  const std::int64_t smallest = backbone_->minimum_size_px(), step = backbone_->size_multiple_px();
  for (const auto& [height, width] :
       {std::pair{smallest, smallest}, {smallest, smallest + 3 * step}, {smallest + 5 * step, smallest + step}}) {
    ForwardRequest asked = request();
    asked.images_nchw = contract_images(1, height, width);
    check_forward_result(backbone_->forward(asked), asked, *backbone_, GetParam().name);
  }
  if (smallest <= 1) return;
  ForwardRequest small = request();
  small.images_nchw = contract_images(1, smallest - 1, smallest + step);
  EXPECT_THAT([&] { backbone_->forward(small); }, ThrowsMessage<UserError>(HasSubstr("too small")));
}

TEST_P(BackboneContract, GoesOnFromATap) {
  ForwardRequest whole = request();
  whole.keep = all_taps();
  const ForwardResult result = backbone_->forward(whole);
  for (const TapInfo& tap : some_taps()) {
    const std::string& name = tap.name;
    ForwardRequest rest;
    rest.from = FromTap{name, result.taps.at(name), height_, width_};
    rest.run = whole.run;
    EXPECT_THAT(final_of(rest), all_close(result.taps.at("final"), kFloatNoise, kFloatNoise)) << "from " << name;
  }
}

class Recorder : public SiteRewriter {
 public:
  at::Tensor rewrite(const Site& site, const at::Tensor& input,
                     const std::function<at::Tensor(const at::Tensor&)>& original) override {
    const std::size_t place = sites.size();
    sites.push_back(site);
    channels.push_back(0);
    const at::Tensor output = original(input);
    channels[place] = output.size(output.dim() == 4 ? 1 : -1);
    return output;
  }
  std::vector<Site> sites;
  std::vector<std::int64_t> channels;
};

TEST_P(BackboneContract, ShowsItsSitesAndLetsThemBe) {
  Recorder recorder;
  ForwardRequest asked = request();
  asked.rewriter = &recorder;
  EXPECT_THAT(final_of(asked), equals_tensor(final_of(request())));
  const std::vector<Site> listed = backbone_->sites();
  ASSERT_EQ(recorder.sites.size(), listed.size());
  std::set<std::string> names;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    EXPECT_EQ(recorder.sites[i].name, listed[i].name);
    EXPECT_EQ(listed[i].depth, static_cast<std::int64_t>(i)) << listed[i].name;
    EXPECT_EQ(recorder.channels[i], listed[i].channels) << listed[i].name;
    EXPECT_TRUE(names.insert(listed[i].name).second) << listed[i].name;
  }
}

class Doubler : public SiteRewriter {
 public:
  explicit Doubler(std::string site) : site_(std::move(site)) {}
  at::Tensor rewrite(const Site& site, const at::Tensor& input,
                     const std::function<at::Tensor(const at::Tensor&)>& original) override {
    return site.name == site_ ? original(input) * 2.0 : original(input);
  }

 private:
  std::string site_;
};

TEST_P(BackboneContract, ObeysARewriterAtItsLastSite) {
  Doubler doubler(backbone_->sites().back().name);
  ForwardRequest asked = request();
  asked.rewriter = &doubler;
  EXPECT_FALSE(at::equal(final_of(asked), final_of(request())));
}

class PlainConvolution : public ConvolutionRule {
 public:
  at::Tensor convolve(const Site& site, const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias,
                      const ConvolutionShape& shape) override {
    sites.push_back(site.name);
    return at::conv2d(input, weight, bias, shape.stride, shape.padding, shape.dilation, shape.groups);
  }
  std::vector<std::string> sites;
};

TEST_P(BackboneContract, HandsEveryConvolutionToTheRule) {
  PlainConvolution rule;
  ForwardRequest asked = request();
  asked.convolution = &rule;
  EXPECT_THAT(final_of(asked), equals_tensor(final_of(request())));
  std::vector<std::string> listed;
  for (const Site& site : backbone_->sites()) {
    if (site.kind == "convolution") listed.push_back(site.name);
  }
  EXPECT_EQ(rule.sites, listed);
}

TEST_P(BackboneContract, LeavesItsInputAlone) {
  ForwardRequest asked = request(3);
  const InputGuard guard({{"images_nchw", asked.images_nchw}}, /*thorough=*/true);
  const at::Tensor before = global_generator_state();
  backbone_->train(true);
  backbone_->forward(asked);
  guard.verify(GetParam().name);
  EXPECT_TRUE(at::equal(before, global_generator_state()));
}

TEST_P(BackboneContract, HasFiniteGradients) {
  ForwardRequest asked = request();
  asked.images_nchw.set_requires_grad(true);
  final_of(asked).square().mean().backward();
  EXPECT_TRUE(asked.images_nchw.grad().isfinite().all().item<bool>());
  for (const auto& [name, parameter] : backbone_->named_parameters()) {
    if (!parameter.requires_grad()) continue;
    ASSERT_TRUE(parameter.grad().defined()) << name;
    EXPECT_TRUE(parameter.grad().isfinite().all().item<bool>()) << name;
  }
}

// Two steps of a large network take a minute; its smaller siblings are made of the same segments.
constexpr std::int64_t kMostStepped = 30'000'000;

TEST_P(BackboneContract, GivesTheSameStepWithCheckpointedActivations) {
  std::int64_t num_parameters = 0;
  for (const auto& [name, parameter] : backbone_->named_parameters()) num_parameters += parameter.numel();
  if (num_parameters > kMostStepped) GTEST_SKIP() << "more than " << kMostStepped << " parameters";
  backbone_->train(true);
  NamedTensors buffers, plain;
  for (const auto& [name, buffer] : backbone_->named_buffers()) buffers[name] = buffer.clone();
  for (const bool checkpointed : {false, true}) {
    for (const auto& [name, buffer] : backbone_->named_buffers()) buffer.copy_(buffers.at(name));
    for (auto& [name, parameter] : backbone_->named_parameters()) parameter.mutable_grad().reset();
    FakeRun run;
    run.checkpoint_activations(checkpointed);
    ForwardRequest asked = request(2);
    asked.images_nchw.set_requires_grad(true);
    asked.run = &run;
    asked.batch_norm = BatchNormMode::batch;
    final_of(asked).square().mean().backward();

    NamedTensors found{{"images.grad", asked.images_nchw.grad()}, {"generator", run.generator().get_state()}};
    for (const auto& [name, buffer] : backbone_->named_buffers()) found[name] = buffer.clone();
    for (const auto& [name, parameter] : backbone_->named_parameters()) {
      if (parameter.requires_grad()) found[name + ".grad"] = parameter.grad();
    }
    if (!checkpointed) {
      plain = std::move(found);
      continue;
    }
    ASSERT_EQ(found.size(), plain.size());
    for (const auto& [name, value] : found) {
      const double noise = kFloatNoise * std::max(1e-6, plain.at(name).abs().max().item<double>());
      EXPECT_THAT(value, all_close(plain.at(name), noise)) << name;
    }
  }
}

TEST_P(BackboneContract, PutsOutFloat32UnderAutocast) {
  ForwardRequest asked = request();
  asked.keep = all_taps();
  const NamedTensors exact = backbone_->forward(asked).taps;
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  const NamedTensors rounded = backbone_->forward(asked).taps;
  final_of(asked).square().mean().backward();
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  for (const auto& [name, value] : rounded) EXPECT_EQ(value.scalar_type(), at::kFloat) << name;
  for (const auto& [name, parameter] : backbone_->named_parameters()) {
    if (parameter.requires_grad()) {
      EXPECT_EQ(parameter.grad().scalar_type(), at::kFloat) << name;
    }
  }
  // It did compute in bfloat16, and near the number.
  const at::Tensor difference = rounded.at("final") - exact.at("final");
  EXPECT_GT(difference.abs().max().item<double>(), 0);
  EXPECT_LT(difference.norm().item<double>(), 0.1 * exact.at("final").norm().item<double>());
}

TEST_P(BackboneContract, DetachesItsParametersOnRequest) {
  ForwardRequest asked = request();
  asked.images_nchw.set_requires_grad(true);
  asked.parameters = ParameterMode::detached;
  final_of(asked).sum().backward();
  EXPECT_TRUE(asked.images_nchw.grad().defined());
  for (const auto& [name, parameter] : backbone_->named_parameters()) EXPECT_FALSE(parameter.grad().defined()) << name;
}

TEST_P(BackboneContract, ChangesBufferedStatisticsOnlyOnRequest) {
  backbone_->train(true);
  NamedTensors before;
  for (const auto& [name, buffer] : backbone_->named_buffers()) before[name] = buffer.clone();
  for (const BatchNormMode mode : {BatchNormMode::running, BatchNormMode::batch_without_update}) {
    ForwardRequest asked = request(3);
    asked.batch_norm = mode;
    backbone_->forward(asked);
    for (const auto& [name, buffer] : backbone_->named_buffers())
      EXPECT_TRUE(at::equal(buffer, before.at(name))) << name;
  }
}

TEST_P(BackboneContract, LoadsWhatItSaved) {
  const auto other = make_one(2);
  ASSERT_FALSE(at::equal(other->forward(request()).taps.at("final"), final_of(request())));
  const StateReport report = other->load_weights(backbone_->state());
  EXPECT_TRUE(report.complete());
  EXPECT_THAT(other->forward(request()).taps.at("final"), equals_tensor(final_of(request())));
  NamedTensors incomplete = backbone_->state();
  const std::string lost = incomplete.begin()->first;
  incomplete.erase(incomplete.begin());
  EXPECT_THAT(other->load_weights(incomplete).missing, ::testing::ElementsAre(lost));
}

TEST_P(BackboneContract, DrawsInitialValuesFromItsGeneratorAlone) {
  const at::Tensor before = global_generator_state();
  const auto other = make_one(1);
  EXPECT_TRUE(at::equal(before, global_generator_state()));
  for (const auto& [name, tensor] : other->state()) EXPECT_TRUE(at::equal(tensor, backbone_->state().at(name))) << name;
}

TEST_P(BackboneContract, ClonesIntoParametersOfItsOwn) {
  backbone_->train(true);
  const std::shared_ptr<Backbone> copy = backbone_->clone();
  EXPECT_TRUE(copy->is_training());
  copy->train(false);
  backbone_->train(false);
  const at::Tensor original = final_of(request());
  EXPECT_THAT(copy->forward(request()).taps.at("final"), equals_tensor(original));
  for (const auto& [name, parameter] : copy->named_parameters()) {
    EXPECT_EQ(parameter.requires_grad(), backbone_->state().at(name).requires_grad()) << name;
  }
  copy->set_requires_grad(false);
  for (const auto& [name, parameter] : copy->named_parameters()) parameter.zero_();
  EXPECT_THAT(final_of(request()), equals_tensor(original));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BackboneContract);
INSTANTIATE_TEST_SUITE_P(Methods, BackboneContract, ::testing::ValuesIn(variants_under_test(MethodKind::backbone)),
                         name_of_variant);

}  // namespace
}  // namespace seedbed::testing
