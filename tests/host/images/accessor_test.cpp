#include "images/accessor.hpp"

#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/tensor_matchers.hpp"
#include "voc_folder.hpp"

namespace seedbed::images {
namespace {

using dataset::Content;
using seedbed::testing::equals_tensor;
using seedbed::testing::has_shape;
using seedbed::testing::VocFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Access kEverything{
    "a test", "train", "train", {Content::image, Content::image_labels, Content::mask}, {"saliency"}};

std::shared_ptr<DecodedContent> scenes() {
  return std::make_shared<DecodedContent>(dataset::Dataset::open({{"kind", "scenes"}}));
}

TEST(LabelledImages, HandsOutEveryContentOfFiles) {
  const VocFolder files;
  LabelledImages images(std::make_shared<DecodedContent>(files.open()), kEverything);
  EXPECT_THAT(images.image("b"), has_shape({21, 32, 3}));
  EXPECT_THAT(images.mask("b"), has_shape({21, 32}));
  EXPECT_THAT(images.side("saliency", "b"), equals_tensor(images.mask("b") * 255));
  EXPECT_THAT(images.image_labels("b"), ElementsAre(1));
  EXPECT_EQ(images.present_c("b").sum().item<int>(), 1);
}

TEST(LabelledImages, HandsOutEveryContentOfScenes) {
  LabelledImages images(scenes(), kEverything);
  const at::Tensor mask = images.mask("scene-00003");
  EXPECT_THAT(images.image("scene-00003"), has_shape({96, 96, 3}));
  EXPECT_THAT(images.side("saliency", "scene-00003"), equals_tensor(mask.ne(0).to(at::kByte) * 255));
  for (std::int64_t label : images.image_labels("scene-00003")) EXPECT_TRUE(mask.eq(label).any().item<bool>());
}

TEST(LabelledImages, HandsOutMapsOfObjects) {
  const Access access{"a test", "test", "score", {Content::instances, Content::mask}, {}};
  const VocFolder files(2, /*with_instances=*/true);
  LabelledImages images(std::make_shared<DecodedContent>(files.open()), access);
  const at::Tensor objects = images.instances("b");
  EXPECT_THAT(objects, has_shape({21, 32}));
  EXPECT_EQ(objects[0][0].item<int>(), 3);
  EXPECT_EQ(objects[10][20].item<int>(), 255);
  EXPECT_EQ(images.ledger().at(0).kind, "instances");

  LabelledImages drawn(scenes(), access);
  const at::Tensor mask = drawn.mask("scene-00003");
  EXPECT_THAT(drawn.instances("scene-00003").eq(255), equals_tensor(mask.eq(255)));
}

TEST(LabelledImages, NamesMissingAndMisfitMapsOfObjects) {
  const VocFolder files(2, /*with_instances=*/true);
  write_label_png(files.folder() / "SegmentationObject/a.png", at::zeros({20, 29}, at::kByte));
  std::filesystem::remove(files.folder() / "SegmentationObject/b.png");
  LabelledImages images(std::make_shared<DecodedContent>(files.open()),
                        {"a test", "test", "score", {Content::instances}, {}});
  const auto refused = [&](const char* id, const char* words) {
    EXPECT_THAT([&] { images.instances(id); }, ::testing::ThrowsMessage<UserError>(HasSubstr(words)));
  };
  refused("a", "29 x 20");
  refused("b", "SegmentationObject/b.png");
  LabelledImages undeclared(scenes(), {"a test", "test", "score", {Content::mask}, {}});
  EXPECT_THROW(undeclared.instances("scene-00003"), ContractError);
}

TEST(LabelledImages, CountsDistinctImagesAndOpenings) {
  LabelledImages images(scenes(), kEverything);
  images.image("scene-00001");
  images.image("scene-00001");
  images.image("scene-00002");
  images.side("saliency", "scene-00001");
  const auto ledger = images.ledger();
  ASSERT_EQ(ledger.size(), 2U);
  EXPECT_EQ(ledger[0].kind, "images");
  EXPECT_EQ(ledger[0].role, "train");
  EXPECT_EQ(ledger[0].purpose, "train");
  EXPECT_EQ(ledger[0].images, 2);
  EXPECT_EQ(ledger[0].opens, 3);
  EXPECT_EQ(ledger[1].kind, "side:saliency");
}

TEST(LabelledImages, RefusesWhatWasNotDeclared) {
  LabelledImages images(scenes(), {"cam", "train", "train", {Content::image}, {}});
  EXPECT_THROW(images.side("saliency", "scene-00001"), ContractError);
  EXPECT_THROW(images.image_labels("scene-00001"), ContractError);
  try {
    images.mask("scene-00001");
    FAIL();
  } catch (const ContractError& error) {
    EXPECT_EQ(error.who(), "cam");
    EXPECT_EQ(error.expected(), "images");
    EXPECT_EQ(error.found(), "masks");
  }
  EXPECT_TRUE(images.ledger().empty());
}

TEST(LabelledImages, TakesLabelsFromMasksWhereThereIsNoLabelFile) {
  const VocFolder files;
  dataset::Json table = files.table();
  table["labels"] = "masks";
  LabelledImages images(std::make_shared<DecodedContent>(dataset::Dataset::open(table)), kEverything);
  EXPECT_THAT(images.image_labels("c"), ElementsAre(1));
  write_label_png(files.folder() / "SegmentationClass/d.png", at::zeros({23, 36}, at::kByte));
  EXPECT_THAT(images_with_class(images, {"c", "d", "e"}), ElementsAre("c", "e"));
}

TEST(LabelledImages, NamesAMaskOfAnotherSize) {
  const VocFolder files;
  write_label_png(files.folder() / "SegmentationClass/a.png", at::zeros({20, 29}, at::kByte));
  LabelledImages images(std::make_shared<DecodedContent>(files.open()), kEverything);
  try {
    images.mask("a");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("29 x 20"));
    EXPECT_THAT(error.hint(), HasSubstr("30 x 20"));
  }
}

TEST(LabelledImages, ServesManyThreads) {
  LabelledImages images(scenes(), kEverything);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) images.mask("scene-000" + std::to_string(10 + i));
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(images.ledger().front().images, 20);
  EXPECT_EQ(images.ledger().front().opens, 80);
}

TEST(DecodedContent, KeepsTheLatestWithinItsLimit) {
  const VocFolder files;
  DecodedContent keeping(files.open()), forgetting(files.open(), 0);
  EXPECT_EQ(keeping.image("a").data_ptr(), keeping.image("a").data_ptr());
  const at::Tensor first = forgetting.image("a");
  EXPECT_NE(first.data_ptr(), forgetting.image("a").data_ptr());
}

}  // namespace
}  // namespace seedbed::images
