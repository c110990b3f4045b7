#include <cmath>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "evaluation/label_file.hpp"
#include "evaluation/result_folder.hpp"
#include "evaluation/score_file.hpp"
#include "images/encode.hpp"
#include "seedbed/error.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/npy.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::evaluation {
namespace {

using images::MaskCoding;
using seedbed::testing::equals_tensor;
using seedbed::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const at::Tensor kLabels = at::tensor({0, 1, 2, 255, 254, 1}, at::kByte).view({2, 3});

template <typename Action>
std::string refusal_of(Action action) {
  try {
    action();
  } catch (const UserError& error) {
    return error.where() + " | " + error.message() + " | " + error.hint();
  }
  return "";
}

at::Tensor labels_in(const TempFolder& folder, const std::string& id, MaskCoding coding = MaskCoding::values) {
  return read_labels(open_result_folder(folder.path(), Holds::labels).at(id), coding);
}

TEST(LabelFiles, AreOneWhateverTheFormat) {
  const TempFolder folder;
  images::write_label_png(folder / "palette.png", kLabels);
  images::write_image_png(folder / "grey.png", kLabels);
  weights::write_npy(folder / "bytes.npy", kLabels);
  weights::write_npy(folder / "wide.npy", kLabels.to(at::kLong).unsqueeze(0));
  weights::write_safetensors(folder / "own.safetensors", {{"labels", kLabels.to(at::kInt)}});
  weights::write_safetensors(folder / "shard.safetensors", {{"first", kLabels}, {"second", kLabels}});
  for (const char* id : {"palette", "grey", "bytes", "wide", "own", "first", "second"})
    EXPECT_THAT(labels_in(folder, id), equals_tensor(kLabels)) << id;
}

TEST(LabelFiles, ColoursAreRefusedOrVocs) {
  const TempFolder folder;
  at::Tensor colours = at::zeros({1, 2, 3}, at::kByte);
  colours[0][1][0] = 128;  // label 1
  images::write_image_png(folder / "a.png", colours);
  EXPECT_THAT(refusal_of([&] { labels_in(folder, "a"); }), HasSubstr("RGB"));
  EXPECT_THAT(labels_in(folder, "a", MaskCoding::voc_colours),
              equals_tensor(at::tensor({0, 1}, at::kByte).view({1, 2})));
}

TEST(LabelFiles, WhatIsNoLabelMapIsNamed) {
  const TempFolder folder;
  weights::write_npy(folder / "float.npy", at::zeros({2, 2}));
  weights::write_npy(folder / "deep.npy", at::zeros({2, 2, 2}, at::kByte));
  weights::write_npy(folder / "negative.npy", at::full({2, 2}, -1, at::kLong));
  weights::write_npy(folder / "large.npy", at::full({2, 2}, 256, at::kLong));
  EXPECT_THAT(refusal_of([&] { labels_in(folder, "float"); }), HasSubstr("not whole"));
  EXPECT_THAT(refusal_of([&] { labels_in(folder, "deep"); }), HasSubstr("[2,2,2]"));
  EXPECT_THAT(refusal_of([&] { labels_in(folder, "negative"); }), HasSubstr("`-1`"));
  EXPECT_THAT(refusal_of([&] { labels_in(folder, "large"); }), HasSubstr("`256`"));
}

TEST(Labels, WithoutAClassAreNamed) {
  const at::Tensor labels = at::tensor({0, 20, 21, 200, 255}, at::kByte).view({1, 5});
  const auto refusal = [&](const at::Tensor& map, VoidLabels voids) {
    return refusal_of([&] { require_labels(map, 21, voids, "a.png"); });
  };
  EXPECT_THAT(refusal(labels, VoidLabels::ignore), HasSubstr("`21`, `200`"));
  EXPECT_EQ(refusal(labels.slice(1, 0, 2), VoidLabels::ignore), "");
  const at::Tensor undecided = at::full({1, 1}, 254, at::kByte);
  EXPECT_THAT(refusal(undecided, VoidLabels::ignore), HasSubstr("`254`"));
  EXPECT_EQ(refusal(undecided, VoidLabels::ignore_and_undecided), "");
}

TEST(ResultFolder, OneResultAnImage) {
  const TempFolder folder;
  EXPECT_THAT(refusal_of([&] { open_result_folder(folder / "nowhere", Holds::labels); }), HasSubstr("cannot be read"));
  EXPECT_THAT(refusal_of([&] { open_result_folder(folder.path(), Holds::scores); }), HasSubstr("no score maps"));
  weights::write_npy(folder / "a.npy", kLabels);
  images::write_label_png(folder / "a.png", kLabels);
  EXPECT_THAT(refusal_of([&] { open_result_folder(folder.path(), Holds::labels); }), HasSubstr("two results"));
}

Scores scores_in(const TempFolder& folder, const std::string& id, std::int64_t num_labels = 4) {
  return read_scores(open_result_folder(folder.path(), Holds::scores).at(id), num_labels);
}

TEST(ScoreFiles, PlanesAreToldByTheirNumberOrByKeys) {
  const TempFolder folder;
  const at::Tensor maps = at::arange(24, at::kFloat).view({4, 2, 3}) / 24;
  weights::write_npy(folder / "classes.npy", maps.slice(0, 0, 3));
  weights::write_npy(folder / "labels.npy", maps.to(at::kDouble));
  weights::write_safetensors(folder / "keys.safetensors",
                             {{"scores", maps.slice(0, 0, 2).to(at::kHalf)}, {"keys", at::tensor({1, 3}, at::kLong)}});
  EXPECT_THAT(scores_in(folder, "classes").planes, ElementsAre(1, 2, 3));
  EXPECT_FALSE(scores_in(folder, "classes").has_background());
  EXPECT_TRUE(scores_in(folder, "labels").has_background());
  EXPECT_THAT(scores_in(folder, "labels").maps_phw, equals_tensor(maps));
  EXPECT_THAT(scores_in(folder, "keys").planes, ElementsAre(1, 3));
  EXPECT_EQ(scores_in(folder, "keys").maps_phw.scalar_type(), at::kFloat);
}

TEST(ScoreFiles, SeedbedsOwnMapsSayTheirPlanes) {
  const TempFolder folder;
  weights::write_safetensors(
      folder / "maps-00000.safetensors", {{"img", at::ones({1, 2, 2})}, {"img/logits", at::ones({3})}},
      {{"seedbed", R"({"format": 1, "images": {"img": {"planes": [2], "covered": [0, 0, 8, 8], "size": [8, 8]}}})"}});
  const Scores scores = scores_in(folder, "img");
  EXPECT_THAT(scores.planes, ElementsAre(2));
  EXPECT_TRUE(open_result_folder(folder.path(), Holds::scores).at("img").may_be_resized);
}

// Saved by fixtures/make_fixtures.py: keys count classes from 0.
TEST(ScoreFiles, DictionariesOfIrnAndPsaAreRead) {
  const at::Tensor maps = at::arange(8, at::kFloat).view({2, 1, 4}) / 8;
  const ResultFolder folder = open_result_folder(SEEDBED_EVALUATION_FIXTURES, Holds::scores);
  for (const char* id : {"irn", "psa"}) {
    const Scores scores = read_scores(folder.at(id), 4);
    EXPECT_THAT(scores.planes, ElementsAre(1, 3)) << id;
    EXPECT_THAT(scores.maps_phw, equals_tensor(maps)) << id;
  }
  EXPECT_THAT(refusal_of([&] { read_scores(folder.at("psa"), 3); }), HasSubstr("ascending numbers of classes"));
}

TEST(ScoreFiles, WhatIsNoScoreMapIsNamed) {
  const TempFolder folder;
  weights::write_npy(folder / "last.npy", at::zeros({2, 3, 4}));
  weights::write_npy(folder / "whole.npy", at::zeros({4, 2, 3}, at::kByte));
  weights::write_npy(folder / "nan.npy", at::full({4, 2, 3}, NAN));
  weights::write_safetensors(folder / "order.safetensors",
                             {{"scores", at::zeros({2, 2, 2})}, {"keys", at::tensor({3, 1}, at::kLong)}});
  weights::write_safetensors(folder / "count.safetensors",
                             {{"scores", at::zeros({2, 2, 2})}, {"keys", at::tensor({1}, at::kLong)}});
  EXPECT_THAT(refusal_of([&] { scores_in(folder, "last"); }), HasSubstr("[3,H,W] without a background"));
  EXPECT_THAT(refusal_of([&] { scores_in(folder, "whole"); }), HasSubstr("whole ones"));
  EXPECT_THAT(refusal_of([&] { scores_in(folder, "nan"); }), HasSubstr("not finite"));
  EXPECT_THAT(refusal_of([&] { scores_in(folder, "order"); }), HasSubstr("ascending"));
  EXPECT_THAT(refusal_of([&] { scores_in(folder, "count"); }), HasSubstr("one plane for each key"));
}

TEST(Scores, AreResizedOnRequestOnly) {
  const Scores scores{at::ones({1, 2, 2}), {1}};
  EXPECT_THAT(refusal_of([&] { at_size(scores, 4, 6, false, "a.npy"); }), HasSubstr("`2 x 2` for `4 x 6`"));
  EXPECT_THAT(at_size(scores, 4, 6, true, "a.npy").maps_phw, equals_tensor(at::ones({1, 4, 6})));
  EXPECT_THAT(at_size({at::zeros({0, 1, 1}), {}}, 4, 6, false, "a.npy").maps_phw, equals_tensor(at::zeros({0, 4, 6})));
}

}  // namespace
}  // namespace seedbed::evaluation
