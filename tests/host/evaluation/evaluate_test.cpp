#include "evaluation/evaluate.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "images/encode.hpp"
#include "metrics/confusion.hpp"
#include "seedbed/error.hpp"
#include "support/temp_folder.hpp"
#include "weights/npy.hpp"

namespace seedbed::evaluation {
namespace {

using Json = nlohmann::ordered_json;
using seedbed::testing::TempFolder;
using ::testing::HasSubstr;

constexpr std::int64_t kImages = 5;

/// Masks, predictions and scores of four labels over five small images.
class EvaluateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write("classes.txt", "background\ncat\ndog\nfox\n");
    for (const char* name : {"truth", "predictions", "scores", "probabilities"})
      std::filesystem::create_directory(folder_ / name);
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{3});
    for (std::int64_t i = 0; i < kImages; ++i) {
      const std::string id = "image" + std::to_string(i);
      truth_.push_back(at::randint(0, 4, {8, 10}, generator, at::kByte));
      truth_.back()[0][0] = 255;
      predictions_.push_back(at::where(at::rand({8, 10}, generator).lt(0.6), truth_.back().clamp_max(3),
                                       at::randint(0, 4, {8, 10}, generator, at::kByte)));
      const at::Tensor scores = at::rand({3, 8, 10}, generator);
      images::write_label_png(folder_ / ("truth/" + id + ".png"), truth_.back());
      images::write_label_png(folder_ / ("predictions/" + id + ".png"), predictions_.back());
      weights::write_npy(folder_ / ("scores/" + id + ".npy"), scores);
      weights::write_npy(folder_ / ("probabilities/" + id + ".npy"), at::cat({at::full({1, 8, 10}, 0.5), scores}));
    }
  }

  Json request(const std::string& kind, const std::string& of) const {
    return {{"labels", (folder_ / "truth").string()},
            {kind, (folder_ / of).string()},
            {"classes", (folder_ / "classes.txt").string()},
            {"threads", 2}};
  }

  static Json run(const Json& request) {
    return evaluate(settings_from(request), [](std::int64_t, std::int64_t) {});
  }

  static double metric(const Json& answer, const std::string& name, const std::string& of = "",
                       const std::string& rule = "") {
    for (const Json& each : answer.at("metrics"))
      if (each.at("name") == name && each.at("class") == of && each.at("rule") == rule) return each.at("value");
    ADD_FAILURE() << "no " << name << " " << of << " " << rule;
    return -1;
  }

  static std::string refusal_of(const Json& request) {
    try {
      run(request);
    } catch (const UserError& error) {
      return error.where() + " | " + error.message() + " | " + error.hint();
    }
    return "";
  }

  TempFolder folder_;
  std::vector<at::Tensor> truth_, predictions_;
};

TEST_F(EvaluateTest, LabelsAreCountedAsAlways) {
  std::int64_t told = 0;
  const Json answer =
      evaluate(settings_from(request("predictions", "predictions")), [&](std::int64_t done, std::int64_t total) {
        EXPECT_EQ(done, ++told);
        EXPECT_EQ(total, kImages);
      });
  metrics::LabelCounts counts(4);
  for (std::size_t i = 0; i < truth_.size(); ++i)
    counts +=
        metrics::label_counts(metrics::count_confusion(truth_[i], predictions_[i], 4, metrics::PredictedVoid::refuse));
  EXPECT_EQ(told, kImages);
  EXPECT_EQ(answer.at("images"), kImages);
  EXPECT_EQ(metric(answer, "miou_union"), *metrics::mean_iou(counts, metrics::MeanOver::unions));
  EXPECT_EQ(metric(answer, "iou", "fox"), *metrics::iou(counts)[3]);
  EXPECT_TRUE(answer.at("background").is_null());
}

TEST_F(EvaluateTest, NoNumberDependsOnThreads) {
  Json one = request("predictions", "predictions");
  one["metrics"] = {"boundary_f_2px", "miou_classes"};
  one["threads"] = 1;
  Json many = one;
  many["threads"] = 4;
  EXPECT_EQ(run(one), run(many));
}

TEST_F(EvaluateTest, ScoresAreSwept) {
  Json asked = request("scores", "scores");
  asked["value"] = 0.5;
  asked["metrics"] = {"pixel_ap"};
  const Json answer = run(asked);
  EXPECT_FALSE(answer.at("background").get<bool>());
  const std::vector<double> curve = answer.at("curve").at("scores");
  ASSERT_EQ(curve.size(), 100U);
  EXPECT_EQ(metric(answer, "miou_union", "", "oracle"), *std::ranges::max_element(curve));
  EXPECT_EQ(metric(answer, "miou_union", "", "fixed"), curve[50]);
  EXPECT_GT(metric(answer, "pixel_ap"), 0);
}

TEST_F(EvaluateTest, ScoresWithABackgroundAreLabelled) {
  Json asked = request("scores", "probabilities");
  asked["metrics"] = {"ece_15", "boundary_iou_0.1_void_cleared"};
  const Json answer = run(asked);
  EXPECT_TRUE(answer.at("background").get<bool>());
  EXPECT_FALSE(answer.contains("curve"));
  Json swept = request("scores", "scores");
  swept["value"] = 0.5;
  EXPECT_EQ(metric(answer, "miou_union"), metric(run(swept), "miou_union", "", "fixed"));
  EXPECT_GT(metric(answer, "ece_15"), 0);
}

TEST_F(EvaluateTest, AListChoosesImages) {
  Json asked = request("predictions", "predictions");
  asked["images"] = folder_.write("list.txt", "image1\nimage3 1\r\n").string();
  const Json answer = run(asked);
  EXPECT_EQ(answer.at("images"), 2);
  EXPECT_EQ(answer.at("not_scored"), 3);
  asked["images"] = folder_.write("empty.txt", "\n").string();
  EXPECT_THAT(refusal_of(asked), HasSubstr("is empty"));
  asked["images"] = folder_.write("twice.txt", "image1\nimage1\n").string();
  EXPECT_THAT(refusal_of(asked), HasSubstr("twice: `image1`"));
  asked["images"] = (folder_ / "missing.txt").string();
  EXPECT_THAT(refusal_of(asked), HasSubstr("cannot be read"));
}

TEST_F(EvaluateTest, WhatIsMissingIsNamed) {
  std::filesystem::remove(folder_ / "predictions/image2.png");
  EXPECT_THAT(refusal_of(request("predictions", "predictions")),
              HasSubstr("1 of 5 images have no prediction: `image2`."));
}

TEST_F(EvaluateTest, ADifferentSizeIsNamed) {
  images::write_label_png(folder_ / "predictions/image2.png", at::zeros({4, 10}, at::kByte));
  const std::string refusal = refusal_of(request("predictions", "predictions"));
  EXPECT_THAT(refusal, HasSubstr("image2.png"));
  EXPECT_THAT(refusal, HasSubstr("`4 x 10` for `8 x 10`"));
}

TEST_F(EvaluateTest, ALabelWithoutAClassIsNamed) {
  images::write_label_png(folder_ / "predictions/image1.png", at::full({8, 10}, 4, at::kByte));
  EXPECT_THAT(refusal_of(request("predictions", "predictions")), HasSubstr("image1.png | A label map holds labels"));
  images::write_label_png(folder_ / "truth/image0.png", at::full({8, 10}, 9, at::kByte));
  EXPECT_THAT(refusal_of(request("predictions", "predictions")), HasSubstr("`9`"));
}

TEST_F(EvaluateTest, PredictedVoidIsRefusedUnlessItCounts) {
  images::write_label_png(folder_ / "predictions/image1.png", at::full({8, 10}, 255, at::kByte));
  Json asked = request("predictions", "predictions");
  const std::string refusal = refusal_of(asked);
  EXPECT_THAT(refusal, HasSubstr("image1.png"));
  EXPECT_THAT(refusal, HasSubstr("--void"));
  asked["void"] = "error";
  EXPECT_EQ(refusal_of(asked), "");
  asked["void"] = "backgruond";
  EXPECT_THAT(refusal_of(asked), HasSubstr("`background`"));
}

TEST_F(EvaluateTest, MetricsThatCannotBeComputedAreRefused) {
  const auto refusal = [&](const std::string& kind, const std::string& of, const std::string& name) {
    Json asked = request(kind, of);
    asked["metrics"] = {name};
    return refusal_of(asked);
  };
  EXPECT_THAT(refusal("predictions", "predictions", "miou_uniom"), HasSubstr("nearest: `miou_union`"));
  EXPECT_THAT(refusal("predictions", "predictions", "pixel_ap"), HasSubstr("score maps"));
  EXPECT_THAT(refusal("scores", "scores", "max_box_acc"), HasSubstr("boxes of objects"));
  EXPECT_THAT(refusal("scores", "scores", "max_box_acc_annotated"), HasSubstr("boxes of objects"));
  EXPECT_THAT(refusal("scores", "scores", "insertion_10_blur_logit"), HasSubstr("files hold none"));
  EXPECT_THAT(refusal("scores", "scores", "ece_15"), HasSubstr("probability of every label"));
  EXPECT_THAT(refusal("scores", "scores", "boundary_f_2px"), HasSubstr("not decided"));
  EXPECT_THAT(refusal("scores", "probabilities", "pixel_ap"), HasSubstr("without a background"));
}

TEST_F(EvaluateTest, SettingsAreChecked) {
  Json asked = request("predictions", "predictions");
  asked["scores"] = asked["predictions"];
  EXPECT_THAT(refusal_of(asked), HasSubstr("Either"));
  asked = request("scores", "scores");
  asked["background"] = "constant";
  EXPECT_THAT(refusal_of(asked), HasSubstr("`threshold` or `power`"));
  asked = request("predictions", "predictions");
  asked["classes"] = folder_.write("one.txt", "background\n").string();
  EXPECT_THAT(refusal_of(asked), HasSubstr("no list of labels"));
  asked["classes"] = (folder_ / "nowhere.txt").string();
  EXPECT_THAT(refusal_of(asked), HasSubstr("classes file cannot be read"));
}

}  // namespace
}  // namespace seedbed::evaluation
