#include "images/check_dataset.hpp"

#include <gmock/gmock.h>

#include "support/shared_folder.hpp"
#include "voc_folder.hpp"

namespace seedbed::images {
namespace {

using seedbed::testing::jpeg_bytes;
using seedbed::testing::png_bytes;
using seedbed::testing::PngKind;
using seedbed::testing::VocFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

auto finding(const std::string& where, const std::string& problem) {
  return AllOf(Field(&Finding::where, HasSubstr(where)), Field(&Finding::problem, HasSubstr(problem)));
}

TEST(CheckDataset, FindsNothingInAWholeOne) {
  const VocFolder files;
  std::int64_t last = 0;
  EXPECT_THAT(check_dataset(*files.open(),
                            [&](std::int64_t done, std::int64_t all) {
                              EXPECT_EQ(all, 5);
                              last = done;
                            }),
              IsEmpty());
  EXPECT_EQ(last, 5);
}

TEST(CheckDataset, ReadsSideInputsByTheirKind) {
  const VocFolder files;
  dataset::Json table = files.table();
  table["side"] = {{"cues", {{"folder", "SegmentationClass"}, {"kind", "labels"}}}};
  EXPECT_THAT(check_dataset_table(table), IsEmpty());
  files.folder().write("Cues/a.png", png_bytes(20, 30, PngKind::grey8));  // values that no class has
  for (const char* id : {"b", "c", "d", "e"}) files.folder().write("Cues/" + std::string(id) + ".png", "broken");
  table["side"]["cues"]["folder"] = "Cues";
  const std::vector<Finding> findings = check_dataset_table(table);
  ASSERT_EQ(findings.size(), 5U);
  EXPECT_THAT(findings[0], finding("Cues/a.png", "values that the classes do not"));
  EXPECT_THAT(findings[1], finding("Cues/b.png", ""));
}

TEST(CheckDataset, NamesEachThing) {
  const VocFolder files(8);
  const auto& folder = files.folder();
  std::filesystem::remove(folder / "JPEGImages/a.jpg");
  folder.write("JPEGImages/b.jpg", jpeg_bytes(21, 32, 3).substr(0, 500));
  folder.write("SegmentationClass/c.png", png_bytes(22, 34, PngKind::rgb));
  write_label_png(folder / "SegmentationClass/d.png", at::zeros({5, 6}, at::kByte));
  write_label_png(folder / "SegmentationClass/e.png", at::full({24, 38}, 77, at::kByte));
  std::filesystem::remove(folder / "SegmentationClass/f.png");
  std::filesystem::remove(folder / "Saliency/g.png");
  EXPECT_THAT(
      check_dataset(*files.open()),
      ElementsAre(finding("a.jpg", "cannot be read"), finding("b.jpg", "damaged"), finding("c.png", "RGB colours"),
                  finding("d.png", "another size"), finding("e.png", "`77`"),
                  finding("SegmentationClass/f.png", "cannot be read"), finding("Saliency/g.png", "cannot be read")));
}

TEST(CheckDataset, LooksAtMapsOfObjectsWhereThereAreAny) {
  const VocFolder files(3, /*with_instances=*/true);
  EXPECT_THAT(check_dataset(*files.open()), IsEmpty());
  std::filesystem::remove(files.folder() / "SegmentationObject/a.png");
  write_label_png(files.folder() / "SegmentationObject/b.png", at::zeros({5, 6}, at::kByte));
  EXPECT_THAT(check_dataset(*files.open()), ElementsAre(finding("SegmentationObject/b.png", "another size")));
}

TEST(CheckDataset, TrainingImagesNeedNoMasks) {
  const VocFolder files(2);
  dataset::Json table = files.table();
  table["roles"] = {{"train", "train"}};
  std::filesystem::remove(files.folder() / "SegmentationClass/a.png");
  EXPECT_THAT(check_dataset_table(table), IsEmpty());
  table["labels"] = "masks";
  EXPECT_THAT(check_dataset_table(table), ElementsAre(finding("a.png", "cannot be read")));
}

TEST(CheckDataset, ListsAreCheckedToo) {
  const VocFolder files(2);
  files.folder().write("ImageSets/Segmentation/train.txt", "a\nb\na\n");
  EXPECT_THAT(check_dataset_table(files.table()), ElementsAre(finding("train.txt:3", "twice: `a`")));
}

TEST(CheckDataset, ScenesAreAlwaysWhole) { EXPECT_THAT(check_dataset_table({{"kind", "scenes"}}), IsEmpty()); }

}  // namespace
}  // namespace seedbed::images
