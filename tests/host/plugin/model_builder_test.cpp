#include "plugin/model_builder.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture_folder.hpp"
#include "seedbed/error.hpp"
#include "silent_services.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::plugin {
namespace {

using protocol::MethodBinding;
using ::testing::ElementsAre;
using testing::equals_tensor;
using testing::fixture_plugin;
using ::testing::HasSubstr;

MethodBinding scale_binding(double factor) {
  MethodBinding binding;
  binding.kind = "refiner";
  binding.id = "fixture.scale";
  binding.revision = 3;
  binding.library = fixture_plugin("good").string();
  binding.parameters = {{"factor", factor}};
  return binding;
}

class ModelBuilderTest : public ::testing::Test {
 protected:
  ModelBuilder builder() { return ModelBuilder(registry_, services_, {{"disc", "square"}, 0, 0, 1, "test", "."}); }

  template <typename Error>
  std::string refusal(const MethodBinding& binding) {
    ModelBuilder made = builder();
    try {
      made.refiner(binding, nullptr);
    } catch (const Error& error) {
      return error.what();
    }
    return "it was made";
  }

  Registry registry_;
  SilentServices services_;
};

at::Tensor refined(Refiner& refiner) {
  RefineRequest request;
  request.maps.scores_nphw = at::ones({1, 1, 2, 2});
  request.maps.planes = {1};
  return refiner.refine(request).maps.scores_nphw;
}

TEST_F(ModelBuilderTest, MakesAMethodWithItsParameters) {
  ModelBuilder made = builder();
  const Built<Refiner> refiner = made.refiner(scale_binding(2.5), nullptr);
  EXPECT_THAT(refined(*refiner.method), equals_tensor(at::full({1, 1, 2, 2}, 2.5)));
  EXPECT_EQ(refiner.manifest->id, "fixture.scale");
}

TEST_F(ModelBuilderTest, FillsSlots) {
  MethodBinding outer = scale_binding(2);
  outer.uses["inner"] = scale_binding(3);
  ModelBuilder made = builder();
  EXPECT_THAT(refined(*made.refiner(outer, nullptr).method), equals_tensor(at::full({1, 1, 2, 2}, 6.0)));
}

TEST_F(ModelBuilderTest, RefusesParametersThatTheManifestForbids) {
  EXPECT_THAT(refusal<ContractError>(scale_binding(11)), HasSubstr("`factor` of `fixture.scale`"));
  MethodBinding missing = scale_binding(1);
  missing.parameters = protocol::Json::object();
  EXPECT_THAT(refusal<ContractError>(missing), HasSubstr("every parameter"));
  MethodBinding unknown = scale_binding(1);
  unknown.parameters["colour"] = 1;
  EXPECT_THAT(refusal<ContractError>(unknown), HasSubstr("`colour`"));
  MethodBinding wrong = scale_binding(1);
  wrong.parameters["factor"] = "big";
  EXPECT_THAT(refusal<ContractError>(wrong), HasSubstr("its declared type"));
}

TEST_F(ModelBuilderTest, RefusesAnotherRevisionThanPlanned) {
  MethodBinding binding = scale_binding(1);
  binding.revision = 2;
  EXPECT_THAT(refusal<UserError>(binding), HasSubstr("has revision `3`, planned was `2`"));
}

TEST_F(ModelBuilderTest, RefusesAFactoryThatGivesNothing) {
  MethodBinding binding = scale_binding(1);
  binding.id = "fixture.null";
  binding.revision = 1;
  binding.library = fixture_plugin("misbehaving").string();
  binding.parameters = protocol::Json::object();
  EXPECT_THAT(refusal<ContractError>(binding), HasSubstr("a factory gives a method"));
}

TEST_F(ModelBuilderTest, AMethodsFilesComeFromItsBinding) {
  const testing::TempFolder folder;
  MethodBinding binding = scale_binding(1);
  binding.files["table"] = folder.write("table.txt", "1").string();
  binding.files["gone"] = (folder / "gone.txt").string();
  MethodRun run(services_, binding, ".");
  EXPECT_EQ(run.file("table"), binding.files.at("table"));
  EXPECT_THROW(run.file("gone"), UserError);
  EXPECT_THROW(run.file("weights"), UserError);
}

TEST_F(ModelBuilderTest, ARunSaysWhetherActivationsAreCheckpointed) {
  for (const bool on : {false, true}) {
    ModelSettings settings{{"disc"}, 0, 0, 1, "test", "."};
    settings.checkpoint_activations = on;
    ModelBuilder made(registry_, services_, settings);
    EXPECT_EQ(made.refiner(scale_binding(1), nullptr).run->checkpoints_activations(), on);
  }
}

TEST_F(ModelBuilderTest, ARunPassesOnLogAndCancellation) {
  MethodRun run(services_, scale_binding(1), ".");
  run.log(LogLevel::info, "hello");
  EXPECT_THAT(services_.lines, ElementsAre("fixture.scale: hello"));
  EXPECT_NO_THROW(run.check_cancelled());
  services_.cancel = true;
  EXPECT_THROW(run.check_cancelled(), Cancelled);
}

}  // namespace
}  // namespace seedbed::plugin
