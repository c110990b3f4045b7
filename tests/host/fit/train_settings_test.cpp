#include "fit/train_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"

namespace seedbed::fit {
namespace {

using ::testing::HasSubstr;

Json full_table() {
  return Json::parse(R"({
    "optimiser": "adamw", "learning_rate": 6e-5, "momentum": 0.8, "nesterov": true, "weight_decay": 0.01,
    "schedule": "poly_warmup", "power": 0.8, "warmup_steps": 1500, "warmup_ratio": 1e-6, "milestones": [3, 5],
    "gamma": 0.3, "epochs": 0, "steps": 20000, "batch_size": 4, "drop_last": true, "input": "native", "augment": [],
    "precision": "bfloat16", "clip_norm": 1.5, "accumulate": 2, "ema_decay": 0.99, "ema_warmup": true,
    "checkpoint": "best", "checkpoint_of": "teacher", "checkpoint_every": 100, "on_broken_image": "fail",
    "validate": {"on": "select", "every": 50, "metric": "map_macro"},
    "optimisers": {"adversary": {"optimiser": "adam", "learning_rate": 1e-4}},
    "groups": {"new": {"learning_rate_factor": 10.0}},
    "terms": {"seg": {"weight": 0.1, "from": 2001, "to": 0}}})");
}

TEST(TrainSettings, ReadsEveryKeyOfItsOwn) {
  const TrainSettings settings = train_settings_from(full_table());
  EXPECT_EQ(settings.optimiser.kind, OptimiserKind::adamw);
  EXPECT_EQ(settings.optimiser.learning_rate, 6e-5);
  EXPECT_TRUE(settings.optimiser.nesterov);
  EXPECT_EQ(settings.optimiser.schedule.kind, ScheduleKind::poly_warmup);
  EXPECT_EQ(settings.optimiser.schedule.warmup_steps, 1500);
  EXPECT_EQ(settings.optimiser.schedule.milestones, (std::vector<std::int64_t>{3, 5}));
  EXPECT_EQ(settings.precision, Precision::bfloat16);
  EXPECT_TRUE(settings.ema_warmup && settings.keeps_best && settings.keeps_teacher);
  EXPECT_EQ(settings.validate_every, 50);
  EXPECT_EQ(settings.steps, 20000);
  EXPECT_EQ(settings.clip_norm, 1.5);
  EXPECT_EQ(settings.accumulate, 2);
  EXPECT_EQ(settings.checkpoint_every, 100);
  EXPECT_EQ(settings.groups.at("new").learning_rate_factor, 10.0);
  EXPECT_FALSE(settings.groups.at("new").weight_decay_factor.has_value());
  EXPECT_EQ(settings.terms.at("seg").from, 2001);
}

TEST(TrainSettings, AnotherOptimiserTakesTheRestFromTheTable) {
  const OptimiserSettings adversary = train_settings_from(full_table()).optimisers.at("adversary");
  EXPECT_EQ(adversary.kind, OptimiserKind::adam);
  EXPECT_EQ(adversary.learning_rate, 1e-4);
  EXPECT_EQ(adversary.weight_decay, 0.01);
  EXPECT_EQ(adversary.schedule.kind, ScheduleKind::poly_warmup);
}

struct Refusal {
  const char* key;
  Json value;
  const char* message;
};

TEST(TrainSettings, RefusesValuesThatMakeNoSense) {
  const std::vector<Refusal> refusals{{"optimiser", "agd", "`sgd`"},
                                      {"schedule", "cosin", "`cosine`"},
                                      {"epochs", 3, "either `epochs` or `steps`"},
                                      {"steps", 0, "either `epochs` or `steps`"},
                                      {"learning_rate", 0.0, "a number above 0"},
                                      {"momentum", 1.0, "below 1"},
                                      {"accumulate", 0, "at least 1"},
                                      {"clip_norm", -1.0, "at least 0"},
                                      {"ema_decay", 1.0, "below 1"},
                                      {"schedule_unit", "hour", "`epoch`"},
                                      {"schedule_stretch", 0.5, "at least 1"},
                                      {"ema_decay", 0.0, "an `ema_decay` above 0"},
                                      {"precision", "float", "`float16`"},
                                      {"checkpoint", "lst", "`last`"},
                                      {"validate", {{"every", -1}}, "at least 0 steps"},
                                      {"optimisers", {{"a", {{"momentum", 2.0}}}}, "below 1"},
                                      {"checkpoint_every", -1, "at least 0"},
                                      {"weight_decay", -1.0, "at least 0"}};
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.key);
    Json table = full_table();
    table[refusal.key] = refusal.value;
    try {
      train_settings_from(table);
      FAIL() << "it was taken";
    } catch (const UserError& error) {
      EXPECT_THAT(error.where(), HasSubstr("train."));
      EXPECT_THAT(error.hint(), HasSubstr(refusal.message));
    }
  }
}

TEST(TrainSettings, AWrongTypeIsTheHostsFault) {
  Json table = full_table();
  table["steps"] = "many";
  EXPECT_THROW(train_settings_from(table), ContractError);
}

TEST(TrainSettings, TheBestCheckpointNeedsAValidation) {
  Json table = full_table();
  table.erase("validate");
  EXPECT_THROW(train_settings_from(table), UserError);
}

}  // namespace
}  // namespace seedbed::fit
