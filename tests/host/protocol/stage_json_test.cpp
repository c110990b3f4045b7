#include "protocol/stage.hpp"

#include <gtest/gtest.h>

#include "protocol/revisions.hpp"
#include "seedbed/error.hpp"

namespace seedbed::protocol {
namespace {

MethodBinding some_binding() {
  MethodBinding binding;
  binding.kind = "refiner";
  binding.id = "toy";
  binding.revision = 3;
  binding.library = "/plugins/toy.so";
  binding.library_digest = "abc";
  binding.parameters = {{"iterations", 10}, {"scale", 0.1}};
  binding.files = {{"weights", "/w.safetensors"}};
  binding.input_nodes = {{"weights", "vit"}};
  binding.strict = false;
  binding.uses["label_refiner"] = MethodBinding{};
  return binding;
}

StageSpec some_stage() {
  StageSpec stage;
  stage.key = std::string(64, 'a');
  stage.type = StageType::fit;
  stage.operation = "segmenter";
  stage.node = "segmenter";
  stage.role = "train";
  stage.image_ids = {"1", "2"};
  stage.other_images["validate"] = {"select", {"3"}};
  stage.methods["head"] = some_binding();
  stage.settings = {{"epochs", 3}, {"learning_rate", 0.1}};
  stage.inputs = {{"labels", std::string(64, 'b')}};
  stage.random_seed = 7;
  stage.keep = false;
  return stage;
}

TEST(StageJson, RequestsSurviveTheRoundTrip) {
  GroupRequest request;
  request.group = "fit";
  request.stages = {some_stage()};
  request.dataset = {{"kind", "scenes"}};
  request.attempts = {{std::string(64, 'a'), 12}};
  request.device = "cpu";
  request.threads = 2;
  request.deterministic = false;
  const Json json = request;
  EXPECT_EQ(Json(json.get<GroupRequest>()).dump(), json.dump());
  EXPECT_EQ(json.get<GroupRequest>().stages.front().other_images.at("validate").image_ids.size(), 1u);
  EXPECT_EQ(json.get<GroupRequest>().stages.front().methods.at("head").uses.size(), 1u);
}

TEST(StageJson, ResultsKeepEveryDigitAndAbsentValues) {
  StageResult result;
  result.key = "k";
  result.state = StageState::failed;
  result.cause = Cause::contract_error;
  result.metrics = {{"miou_union", "", 0.1 + 0.2, "1", "seeds", "oracle", 0.15},
                    {"iou", "cat", 1.0 / 3, "1", "seeds", "", {}}};
  result.curves = {{"miou_union", "threshold", "seeds", {0, 0.5}, {0.25, 0.1}}};
  result.ledger = {{"masks", "measure", "score", 10, 12}};
  result.artefacts = {{"maps", "ab/c", "d", 5}};
  const StageResult back = Json::parse(Json(result).dump()).get<StageResult>();
  EXPECT_EQ(back.metrics[0].value, 0.1 + 0.2);
  EXPECT_EQ(back.metrics[0].rule_value, 0.15);
  EXPECT_FALSE(back.metrics[1].rule_value.has_value());
  EXPECT_EQ(back.cause, Cause::contract_error);
  EXPECT_EQ(Json(back).dump(), Json(result).dump());
}

TEST(StageJson, AMissingMemberIsTheOtherProgramsFault) {
  Json json = some_stage();
  json.erase("operation");
  try {
    json.get<StageSpec>();
    FAIL() << "no error";
  } catch (const ContractError& error) {
    EXPECT_NE(error.promise().find("`operation`"), std::string::npos);
  }
}

TEST(StageJson, AnotherVersionIsRefused) {
  Json json = GroupRequest{};
  json["version"] = kProtocolVersion + 1;
  EXPECT_THROW(json.get<GroupRequest>(), ContractError);
}

TEST(StageNames, ReadBackWhatTheyWrite) {
  for (const StageType type : {StageType::fit, StageType::map, StageType::choose, StageType::score}) {
    EXPECT_EQ(stage_type_from(name_of(type)), type);
  }
  EXPECT_EQ(stage_state_from("interrupted"), StageState::interrupted);
  EXPECT_EQ(cause_from("out_of_memory"), Cause::out_of_memory);
  EXPECT_THROW(stage_type_from("fly"), ContractError);
  EXPECT_THROW(stage_state_from("asleep"), ContractError);
  EXPECT_THROW(cause_from("bad luck"), ContractError);
}

TEST(HostRevision, BelongsToAnOperationOfItsType) {
  EXPECT_GE(host_revision(StageType::map, "seeds"), 1);
  EXPECT_THROW(host_revision(StageType::score, "seeds"), ContractError);
}

}  // namespace
}  // namespace seedbed::protocol
