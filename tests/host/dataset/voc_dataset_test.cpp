#include <gmock/gmock.h>

#include "dataset/dataset.hpp"
#include "expect_user_error.hpp"
#include "support/shared_folder.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::dataset {
namespace {

using seedbed::testing::errors_of;
using seedbed::testing::TempFolder;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class VocDataset : public ::testing::Test {
 protected:
  VocDataset() {
    folder_.write("ImageSets/Segmentation/train.txt", "a\nb\nc\n");
    folder_.write("ImageSets/Segmentation/val.txt", "d\n");
    folder_.write("cls_labels.txt", "a 15\nb 1 15\nc\nd 2\n");
    for (const char* id : {"a", "b", "c", "d"}) {
      folder_.write("JPEGImages/" + std::string(id) + ".jpg", id);
      folder_.write("SegmentationClass/" + std::string(id) + ".png", id);
    }
  }

  Json table() const {
    return {{"kind", "voc"},
            {"root", folder_.path().string()},
            {"labels", "cls_labels.txt"},
            {"roles", {{"train", "train"}, {"measure", "train"}, {"test", "val"}}}};
  }

  Json with(const std::string& key, Json value) const {
    Json changed = table();
    changed[key] = std::move(value);
    return changed;
  }

  TempFolder folder_;
};

TEST_F(VocDataset, ReadsListsLabelsAndPaths) {
  const auto dataset = Dataset::open(table());
  EXPECT_EQ(dataset->classes().num_classes(), 20);
  EXPECT_THAT(dataset->role("train").image_ids, ElementsAre("a", "b"));
  EXPECT_EQ(dataset->role("train").images_without_class, 1);
  EXPECT_THAT(dataset->role("measure").image_ids, ElementsAre("a", "b", "c"));
  EXPECT_TRUE(dataset->role("measure").has_masks);
  EXPECT_THAT(*dataset->image_labels("b"), ElementsAre(1, 15));
  EXPECT_EQ(dataset->entry("d").mask, folder_ / "SegmentationClass/d.png");
}

TEST_F(VocDataset, WritesOutItsDefaults) {
  const Json resolved = Dataset::open(table())->table();
  EXPECT_EQ(resolved["images"], "JPEGImages");
  EXPECT_EQ(resolved["masks"], "SegmentationClass");
  EXPECT_EQ(resolved["lists"], "ImageSets/Segmentation");
  for (const auto& [key, value] : resolved.items()) EXPECT_THAT(legal_keys("voc"), Contains(key));
}

constexpr std::string_view kAnnotation = R"(<?xml version="1.0"?>
<!-- as PASCAL VOC writes them -->
<annotation verified="no">
  <filename>a.jpg</filename>
  <object>
    <name>person</name><difficult>1</difficult><occluded/>
    <bndbox><xmax>40</xmax><xmin>11</xmin><ymax>20.5</ymax><ymin>1</ymin></bndbox>
    <part><name>head</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></part>
  </object>
  <object><name>zebra</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object>
  <object><name> aeroplane </name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>5</xmax><ymax>6</ymax></bndbox></object>
</annotation>
)";

TEST_F(VocDataset, AnnotationsHoldBoxes) {
  const auto without = Dataset::open(table());
  EXPECT_EQ(without->table()["annotations"], "");
  EXPECT_THAT(errors_of([&] { without->boxes("a"); }), ElementsAre(HasSubstr("`annotations`")));
  EXPECT_THAT(errors_of([&] { without->digest({"a"}, Content::boxes); }), ElementsAre(HasSubstr("`annotations`")));
  EXPECT_THAT(without->side_inputs(), IsEmpty());

  folder_.write("Annotations/a.xml", std::string(kAnnotation));
  const auto dataset = Dataset::open(table());
  EXPECT_EQ(dataset->table()["annotations"], "Annotations");
  EXPECT_THAT(dataset->boxes("a"), ElementsAre(Box{15, 10, 0, 40, 20.5}, Box{1, 4, 5, 5, 6}))
      << "pixels counted from 0, of classes that the data set has";
  ASSERT_THAT(dataset->side_inputs(), SizeIs(1));
  EXPECT_EQ(dataset->side_kind("boxes"), SideKind::labels);
  EXPECT_THAT(errors_of([&] { dataset->boxes("b"); }), ElementsAre(HasSubstr("Annotations/b.xml")));

  const std::string before = dataset->digest({"a"}, Content::boxes);
  EXPECT_EQ(before, dataset->digest({"a"}, Content::side, "boxes"));
  folder_.write("Annotations/a.xml", "<annotation></annotation>");
  EXPECT_NE(before, Dataset::open(table())->digest({"a"}, Content::boxes));
  EXPECT_THAT(dataset->boxes("a"), IsEmpty());
}

TEST_F(VocDataset, DamagedAnnotationsAreTold) {
  const auto object = [](const std::string& content) {
    return "<annotation>\n<object>" + content + "</object>\n</annotation>";
  };
  const std::string box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>";
  const std::vector<std::pair<std::string, std::string>> damaged{
      {"", "no annotation"},
      {"a 1 2 3", "no annotation"},
      {"<html></html>", "its root is `html`"},
      {"<annotation></annotation><annotation></annotation>", "no annotation"},
      {"<annotation><object>", "no annotation: Start-end tags mismatch"},
      {"<annotation><object", "no annotation: Error parsing start element tag"},
      {"<annotation></object></annotation>", "no annotation: Start-end tags mismatch"},
      {object(box), "no name"},
      {object("<name>person</name>"), "lacks a corner: `xmin`"},
      {object("<name>person</name><bndbox><xmin>one</xmin></bndbox>"), "no number: `one`"},
      {object("<name>person</name><bndbox><xmin>nan</xmin></bndbox>"), "no number: `nan`"},
      {object("<name>person</name><bndbox><xmin>3</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>"),
       "make no box"}};
  for (const auto& [text, expected] : damaged) {
    folder_.write("Annotations/a.xml", text);
    EXPECT_THAT(errors_of([&] { Dataset::open(table())->boxes("a"); }), ElementsAre(HasSubstr(expected))) << text;
  }
  EXPECT_THAT(errors_of([&] { Dataset::open(table())->boxes("a"); }), ElementsAre(HasSubstr("a.xml:2"))) << "its line";
  folder_.write("Annotations/a.xml", object("<name>&quot;a &amp;&lt; b&apos;</name>" + box));
  EXPECT_THAT(Dataset::open(table())->boxes("a"), IsEmpty()) << "read, and of no class";
  folder_.write("Annotations/a.xml", std::string((1 << 20) + 1, ' '));
  EXPECT_THAT(errors_of([&] { Dataset::open(table())->boxes("a"); }), ElementsAre(HasSubstr("too large")));
}

TEST_F(VocDataset, LabelsFromMasksAreKnownOnlyOnceDecoded) {
  const auto dataset = Dataset::open(with("labels", "masks"));
  EXPECT_EQ(dataset->image_labels("a"), std::nullopt);
  EXPECT_THAT(dataset->role("train").image_ids, SizeIs(3));
  EXPECT_THAT(errors_of([&] {
                Json by_class = with("labels", "masks");
                by_class["roles"]["select"] = "train:1-per-class";
                Dataset::open(by_class);
              }),
              ElementsAre(HasSubstr("without decoding masks")));
}

TEST_F(VocDataset, DigestsFollowTheContent) {
  const auto dataset = Dataset::open(table());
  const std::vector<std::string> ids{"a", "b"};
  const std::string images = dataset->digest(ids, Content::image), masks = dataset->digest(ids, Content::mask);
  EXPECT_EQ(images, Dataset::open(with("roles", {{"test", "train"}}))->digest(ids, Content::image));
  EXPECT_NE(images, dataset->digest({"b", "a"}, Content::image));
  folder_.write("JPEGImages/b.jpg", "another");
  folder_.write("cls_labels.txt", "a 15\nb 15\nc\nd 2\n");
  const auto again = Dataset::open(table());
  EXPECT_NE(again->digest(ids, Content::image), images);
  EXPECT_EQ(again->digest(ids, Content::mask), masks);
  EXPECT_NE(again->digest(ids, Content::image_labels), dataset->digest(ids, Content::image_labels));
}

TEST_F(VocDataset, DigestNamesAMissingFile) {
  const auto dataset = Dataset::open(table());
  std::filesystem::remove(folder_ / "JPEGImages/a.jpg");
  EXPECT_THAT(errors_of([&] { dataset->digest({"a"}, Content::image); }), ElementsAre(HasSubstr("a.jpg")));
}

TEST_F(VocDataset, SideInputsHaveFolders) {
  const auto dataset =
      Dataset::open(with("side", {{"saliency", "Saliency"}, {"cues", {{"folder", "Cues"}, {"suffix", ".jpg"}}}}));
  EXPECT_EQ(dataset->entry("a").side.at("saliency"), folder_ / "Saliency/a.png");
  EXPECT_EQ(dataset->entry("a").side.at("cues"), folder_ / "Cues/a.jpg");
  EXPECT_THAT(errors_of([&] { dataset->digest({"a"}, Content::side, "depth"); }), ElementsAre(HasSubstr("`depth`")));
}

TEST_F(VocDataset, SideInputsHaveKinds) {
  const auto dataset =
      Dataset::open(with("side", {{"saliency", "Saliency"}, {"cues", {{"folder", "Cues"}, {"kind", "labels"}}}}));
  EXPECT_THAT(dataset->side_inputs(), SizeIs(2));
  EXPECT_EQ(dataset->side_kind("saliency"), SideKind::grey);
  EXPECT_EQ(dataset->side_kind("cues"), SideKind::labels);
  EXPECT_THAT(errors_of([&] { dataset->side_kind("salience"); }), ElementsAre(HasSubstr("Did you mean `saliency`?")));
  EXPECT_THAT(errors_of([&] { Dataset::open(table())->side_kind("cues"); }),
              ElementsAre(HasSubstr("`[dataset.side.cues]`")));
  EXPECT_THAT(errors_of([&] {
                Dataset::open(with("side", {{"cues", {{"folder", "Cues"}, {"kind", "label"}}}}));
              }),
              ElementsAre(AllOf(HasSubstr("dataset.side.cues.kind"), HasSubstr("Did you mean `labels`?"))));
}

TEST_F(VocDataset, LabelFormsAreReserved) {
  EXPECT_THAT(errors_of([&] {
                Dataset::open(with("labels", {{"form", "scribble"}}));
              }),
              ElementsAre(AllOf(HasSubstr("dataset.labels"), HasSubstr("not available in this version"))));
}

TEST_F(VocDataset, PairsOfPathsAreLists) {
  folder_.write("ImageSets/Segmentation/pairs.txt", "/JPEGImages/a.jpg /SegmentationClassAug/a.png\n");
  EXPECT_THAT(Dataset::open(with("roles", {{"test", "pairs"}}))->role("test").image_ids, ElementsAre("a"));
}

TEST_F(VocDataset, NamesEverythingThatIsWrong) {
  folder_.write("ImageSets/Segmentation/twice.txt", "a\nb\na\nb -1\n");
  Json table = with("roles", {{"train", "trian"}, {"test", "twice"}, {"tset", "val"}});
  table["maks"] = "x";
  table["labels"] = 3;
  EXPECT_THAT(errors_of([&] { Dataset::open(table); }),
              ElementsAre(AllOf(HasSubstr("dataset.labels"), HasSubstr("needs a text")),
                          AllOf(HasSubstr("dataset.maks"), HasSubstr("Did you mean `masks`?")),
                          AllOf(HasSubstr("dataset.roles.train"), HasSubstr("Did you mean `train`?")),
                          AllOf(HasSubstr("twice.txt:3"), HasSubstr("twice: `a`")), HasSubstr("twice.txt:4"),
                          HasSubstr("Did you mean `test`?")));
}

TEST_F(VocDataset, NamesImagesWithoutLabels) {
  folder_.write("cls_labels.txt", "a 15\nb 1\n");
  EXPECT_THAT(errors_of([&] { Dataset::open(table()); }),
              ElementsAre(AllOf(HasSubstr("role `train`"), HasSubstr("`c`")), HasSubstr("role `measure`"),
                          AllOf(HasSubstr("role `test`"), HasSubstr("`d`"))));
}

TEST_F(VocDataset, NamesAMissingRoot) {
  EXPECT_THAT(errors_of([&] { Dataset::open(with("root", "/no/such/folder")); }),
              ElementsAre(AllOf(HasSubstr("dataset.root"), HasSubstr("/no/such/folder"))));
  EXPECT_THAT(errors_of([] { Dataset::open({{"kind", "vco"}}); }), ElementsAre(HasSubstr("Did you mean `voc`?")));
  EXPECT_THAT(errors_of([] { Dataset::open(Json::object()); }), ElementsAre(HasSubstr("`kind`")));
}

TEST_F(VocDataset, ListsMayHoldLabels) {
  folder_.write("ImageSets/Segmentation/train_cls.txt", "a 14\nb 0 14\n");
  folder_.write("ImageSets/Segmentation/val_cls.txt", "d 1\n");
  Json table = with("labels", {"ImageSets/Segmentation/train_cls.txt", "ImageSets/Segmentation/val_cls.txt"});
  table["label_offset"] = 1;
  table["roles"] = {{"train", "train_cls"}, {"test", "val_cls"}};
  const auto dataset = Dataset::open(table);
  EXPECT_THAT(dataset->role("train").image_ids, ElementsAre("a", "b"));
  EXPECT_THAT(*dataset->image_labels("b"), ElementsAre(1, 15));
  EXPECT_THAT(*dataset->image_labels("d"), ElementsAre(2));
  folder_.write("ImageSets/Segmentation/val_cls.txt", "d 1\na 1\n");
  EXPECT_THAT(errors_of([&] { Dataset::open(table); }),
              ElementsAre(AllOf(HasSubstr("val_cls.txt:2"), HasSubstr("labels twice: `a`"))));
}

TEST_F(VocDataset, NamesWhatItDoesNotRead) {
  EXPECT_THAT(errors_of([&] { Dataset::open(with("mask_suffix", ".mat")); }),
              ElementsAre(AllOf(HasSubstr("dataset.mask_suffix"), HasSubstr("`SegmentationClassAug`"))));
  folder_.write("cls_labels.npy", "");
  EXPECT_THAT(errors_of([&] { Dataset::open(with("labels", "cls_labels.npy")); }),
              ElementsAre(HasSubstr("of NumPy's is not read")));
  EXPECT_THAT(errors_of([&] {
                Dataset::open(with("roles", {{"train", "train_aug"}}));
              }),
              ElementsAre(AllOf(HasSubstr("no such list"), HasSubstr("Key `lists` names the folder"))));
}

// 10,582 images with SBD's masks, labels as DRS saw them in the masks; lists and labels lie apart from the images.
TEST_F(VocDataset, TakesThePublishedLists) {
  SEEDBED_SHARED_OR_SKIP(protocol, "data/voc12-protocol");
  Json table = with("lists", protocol.string());
  table["masks"] = "SegmentationClassAug";
  table["labels"] = {(protocol / "drs/train_aug_cls.txt").string(), (protocol / "drs/val_cls.txt").string()};
  table["label_offset"] = 1;
  table["roles"] = {{"train", "train_aug"}, {"measure", "train"}, {"test", "val"}};
  const auto dataset = Dataset::open(table);
  EXPECT_THAT(dataset->role("train").image_ids, SizeIs(10582));
  EXPECT_EQ(dataset->role("train").images_without_class, 0);
  EXPECT_THAT(dataset->role("measure").image_ids, SizeIs(1464));
  EXPECT_THAT(dataset->role("test").image_ids, SizeIs(1449));
  EXPECT_THAT(*dataset->image_labels("2007_000032"), ElementsAre(1, 15));
  EXPECT_EQ(dataset->entry("2007_000032").mask, folder_ / "SegmentationClassAug/2007_000032.png");
  table["roles"] = {{"train", "psa/train_aug_pairs"}, {"test", "drs/val_cls"}};
  EXPECT_EQ(Dataset::open(table)->role("train").image_ids, dataset->role("train").image_ids);
}

TEST(Coco549, OpensUnderItsMainProtocol) {
  SEEDBED_SHARED_OR_SKIP(root, "data/coco549");
  const auto dataset = Dataset::open(
      {{"kind", "voc"},
       {"root", root.string()},
       {"labels", "cls_labels.txt"},
       {"classes", "classes.csv"},
       {"protocol", "super12"},
       {"roles", {{"train", "train"}, {"measure", "train"}, {"select", "train:2-per-class"}, {"test", "val"}}}});
  EXPECT_EQ(dataset->classes().num_classes(), 12);
  EXPECT_THAT(dataset->role("train").image_ids, SizeIs(340));
  EXPECT_THAT(dataset->role("test").image_ids, SizeIs(204));
  EXPECT_EQ(dataset->role("select").image_ids.size() + dataset->role("measure").image_ids.size(), 340U);
}

TEST(Coco549, LeavesImagesWithoutVocClassesOut) {
  SEEDBED_SHARED_OR_SKIP(root, "data/coco549");
  const auto dataset = Dataset::open({{"kind", "voc"},
                                      {"root", root.string()},
                                      {"labels", "cls_labels.txt"},
                                      {"classes", "classes.csv"},
                                      {"protocol", "voc20"},
                                      {"roles", {{"train", "train"}}}});
  EXPECT_THAT(dataset->role("train").image_ids, SizeIs(270));
  EXPECT_EQ(dataset->role("train").images_without_class, 70);
}

}  // namespace
}  // namespace seedbed::dataset
