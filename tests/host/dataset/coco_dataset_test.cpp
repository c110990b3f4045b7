#include <algorithm>
#include <map>
#include <set>

#include <gmock/gmock.h>

#include "coco_folder.hpp"
#include "dataset/class_table.hpp"
#include "dataset/dataset.hpp"
#include "dataset/label_file.hpp"
#include "expect_user_error.hpp"
#include "support/shared_folder.hpp"

namespace seedbed::dataset {
namespace {

using seedbed::testing::annotation;
using seedbed::testing::CocoFolder;
using seedbed::testing::errors_of;
using seedbed::testing::small_annotations;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(CocoDataset, TakesItsClassesFromTheCategories) {
  const CocoFolder coco;
  const auto dataset = Dataset::open(coco.table());
  EXPECT_EQ(dataset->kind(), "coco");
  EXPECT_THAT(dataset->classes().names, ElementsAre("cat", "dog"));
  EXPECT_THAT(dataset->role("train").image_ids, ElementsAre("a", "b"));
  EXPECT_EQ(dataset->role("train").images_without_class, 1);
  EXPECT_THAT(dataset->role("test").image_ids, ElementsAre("a", "b", "c"));
  EXPECT_TRUE(dataset->role("test").has_masks);
  EXPECT_THAT(*dataset->image_labels("a"), ElementsAre(1, 2));
  EXPECT_THAT(*dataset->image_labels("b"), ElementsAre(2));
  EXPECT_EQ(dataset->entry("a").image, coco.folder() / "train/a.jpg");  // the folder that COCO's own layout has
}

TEST(CocoDataset, WritesOutItsDefaults) {
  const CocoFolder coco;
  const Json resolved = Dataset::open(coco.table())->table();
  EXPECT_EQ(resolved["images"], "train");
  EXPECT_EQ(resolved["labels"], "annotations");
  EXPECT_EQ(resolved["painting"], "area");
  EXPECT_EQ(resolved["crowd"], "ignore");
  for (const auto& [key, value] : resolved.items()) EXPECT_THAT(legal_keys("coco"), Contains(key));
  EXPECT_EQ(Dataset::open(resolved)->table(), resolved);
}

TEST(CocoDataset, DrawsMasksAndObjects) {
  const CocoFolder coco;
  const auto dataset = Dataset::open(coco.table());
  const auto mask = dataset->draw_mask("a");
  EXPECT_EQ(mask->height_px, 4);
  EXPECT_EQ(std::vector<std::uint8_t>(mask->values_hw.begin() + 6, mask->values_hw.begin() + 12),
            (std::vector<std::uint8_t>{1, 2, 2, 1, 0, 0}));
  EXPECT_EQ(dataset->draw_instances("b")->values_hw[4], 255);
  const auto later = Dataset::open(coco.with("painting", "file"));
  EXPECT_EQ(later->draw_mask("a")->values_hw[7], 1);
  const auto objects = Dataset::open(coco.with("crowd", "object"));
  EXPECT_EQ(objects->draw_mask("b")->values_hw[4], 2);
}

TEST(CocoDataset, HasBoxes) {
  const CocoFolder coco;
  const auto dataset = Dataset::open(coco.table());
  EXPECT_THAT(dataset->boxes("b"), ElementsAre(Box{2, 0, 0, 4, 2, false}, Box{2, 2, 0, 6, 4, true}));
  EXPECT_THAT(dataset->boxes("c"), IsEmpty());
  const auto scenes = Dataset::open({{"kind", "scenes"}});
  EXPECT_FALSE(scenes->boxes("scene-00000").empty());
}

TEST(CocoDataset, MapsCategoriesThroughAClassesFile) {
  const CocoFolder coco;
  coco.folder().write("classes.csv", "id,coco_category_id,name,pets_id\n0,0,background,0\n1,3,cat,0\n2,7,dog,1\n");
  Json table = coco.with("classes", "classes.csv");
  table["protocol"] = "pets";
  const auto dataset = Dataset::open(table);
  EXPECT_THAT(dataset->classes().names, ElementsAre("dog"));
  EXPECT_THAT(*dataset->image_labels("a"), ElementsAre(1));
  EXPECT_EQ(dataset->draw_mask("a")->values_hw[6], 0);
  EXPECT_EQ(dataset->draw_mask("a")->values_hw[7], 1);
  EXPECT_THAT(dataset->boxes("a"), SizeIs(1));
  coco.folder().write("classes.csv", "id,name\n3,cat\n");
  EXPECT_THAT(errors_of([&] { Dataset::open(coco.with("classes", "classes.csv")); }),
              ElementsAre(HasSubstr("Labels are missing before this one: `3`")));
  coco.folder().write("classes.csv", "id,category_id,name\n1,3,cat\n");
  EXPECT_THAT(errors_of([&] { Dataset::open(coco.with("classes", "classes.csv")); }),
              ElementsAre(HasSubstr("do not hold these categories: `dog`")));
  coco.folder().write("classes.csv", "id,category_id,name\n1,3,cat\n2,3,dog\n3,x,cow\n");
  EXPECT_THAT(errors_of([&] { Dataset::open(coco.with("classes", "classes.csv")); }),
              ElementsAre(AllOf(HasSubstr("classes.csv:3"), HasSubstr("twice: `3`")), HasSubstr("not legal: `x`")));
}

TEST(CocoDataset, ReadsNoAnnotationsWhereListsLabelsAndClassesStandApart) {
  const CocoFolder coco;
  coco.folder().write("classes.csv", "id,category_id,name\n1,3,cat\n2,7,dog\n");
  coco.folder().write("lists/train.txt", "a 0 1\nb 1\n");
  coco.folder().write("annotations/instances_train.json", "no JSON");
  Json table = coco.with("classes", "classes.csv");
  table["labels"] = Json::array({"lists/train.txt"});
  table["label_offset"] = 1;
  table["roles"] = {{"train", "train"}};
  const auto dataset = Dataset::open(table);
  EXPECT_THAT(*dataset->image_labels("a"), ElementsAre(1, 2));
  EXPECT_THAT(errors_of([&] { dataset->draw_mask("a"); }), ElementsAre(HasSubstr("no valid JSON")));
  coco.write_annotations(small_annotations());
  EXPECT_TRUE(dataset->draw_mask("a"));  // mended while it is open
}

TEST(CocoDataset, LabelsFromMasksLackWhatIsHidden) {
  const CocoFolder coco;
  EXPECT_EQ(Dataset::open(coco.with("labels", "masks"))->image_labels("a"), std::nullopt);
}

TEST(CocoDataset, JoinsSeveralFiles) {
  const CocoFolder coco;
  Json second = small_annotations();
  coco.folder().write("annotations/instances_val.json", second.dump());
  Json table = coco.with("annotations", {"annotations/instances_train.json", "annotations/instances_val.json"});
  EXPECT_THAT(errors_of([&] { Dataset::open(table); }),
              ElementsAre(AllOf(HasSubstr("instances_val.json"), HasSubstr("same image: `a`"))));
  second["images"][0]["file_name"] = "val_a.jpg";
  second["images"][1]["file_name"] = "val_b.jpg";
  second["images"][2]["file_name"] = "val_c.jpg";
  coco.folder().write("annotations/instances_val.json", second.dump());
  coco.folder().write("val/val_a.jpg", "");
  table["roles"] = {{"train", "instances_train"}, {"test", "instances_val"}};
  const auto dataset = Dataset::open(table);
  EXPECT_THAT(dataset->role("test").image_ids, ElementsAre("val_a", "val_b", "val_c"));
  EXPECT_EQ(dataset->entry("val_a").image, coco.folder() / "val/val_a.jpg");
  second["categories"][0]["id"] = 8;
  second["annotations"] = Json::array();
  coco.folder().write("annotations/instances_val.json", second.dump());
  EXPECT_THAT(errors_of([&] { Dataset::open(table); }), ElementsAre(HasSubstr("do not hold these categories: `dog`")));
}

TEST(CocoDataset, DigestsFollowTheAnnotations) {
  const CocoFolder coco;
  const std::vector<std::string> ids{"a", "b"};
  const auto digest = [&](const Json& table, Content content) { return Dataset::open(table)->digest(ids, content); };
  const std::string mask = digest(coco.table(), Content::mask);
  EXPECT_EQ(digest(coco.with("roles", {{"test", "instances_train"}}), Content::mask), mask);
  EXPECT_NE(digest(coco.with("painting", "file"), Content::mask), mask);
  EXPECT_NE(digest(coco.with("crowd", "object"), Content::mask), mask);
  EXPECT_NE(Dataset::open(coco.table())->digest({"a"}, Content::mask), mask);
  const std::string labels = digest(coco.table(), Content::image_labels);
  const std::string boxes = digest(coco.table(), Content::boxes);
  Json moved = small_annotations();
  moved["annotations"][0]["bbox"][0] = 2;
  coco.write_annotations(moved);
  EXPECT_EQ(digest(coco.table(), Content::image_labels), labels);
  EXPECT_NE(digest(coco.table(), Content::boxes), boxes);
}

TEST(CocoDataset, NamesEverythingThatIsWrong) {
  const CocoFolder coco;
  Json table = coco.with("painting", "size");
  table["crowds"] = "ignore";
  table["annotations"] = {"annotations/instances_trian.json", "b.json"};
  table["images"] = "train";
  EXPECT_THAT(
      errors_of([&] { Dataset::open(table); }),
      ::testing::IsSupersetOf({HasSubstr("no such file of annotations: `"), HasSubstr("needs its folder of images"),
                               HasSubstr("dataset.painting"), HasSubstr("Did you mean `crowd`?")}));
  EXPECT_THAT(errors_of([&] { Dataset::open(coco.with("annotations", Json::array())); }),
              ElementsAre(HasSubstr("needs the key `annotations`")));
  EXPECT_THAT(errors_of([&] {
                Dataset::open(coco.with("roles", {{"test", "instances_trian"}}));
              }),
              ElementsAre(AllOf(HasSubstr("no such list"), HasSubstr("Key `lists`"))));
  EXPECT_THAT(errors_of([&] { Dataset::open(coco.with("protocol", "pets")); }),
              ElementsAre(HasSubstr("needs a classes file")));
  EXPECT_THAT(errors_of([&] { Dataset::open(coco.with("labels", Json::array())); }),
              ElementsAre(HasSubstr("No label file")));
}

TEST(CocoDataset, NamesAnImageThatItsAnnotationsLack) {
  const CocoFolder coco;
  coco.folder().write("lists/more.txt", "a\nz\n");
  EXPECT_THAT(errors_of([&] {
                Dataset::open(coco.with("roles", {{"test", "more"}}));
              }),
              ElementsAre(AllOf(HasSubstr("role `test`"), HasSubstr("`z`"))));
  Json table = coco.with("roles", {{"test", "more"}});
  table["labels"] = "masks";
  EXPECT_THAT(errors_of([&] { Dataset::open(table)->draw_mask("z"); }),
              ElementsAre(HasSubstr("do not hold this image: `z`")));
}

TEST(CocoDataset, RefusesCategoriesThatCannotBeClasses) {
  const CocoFolder coco;
  Json twins = small_annotations();
  twins["categories"][0]["name"] = "cat";
  coco.write_annotations(twins);
  EXPECT_THAT(errors_of([&] { Dataset::open(coco.table()); }),
              ElementsAre(HasSubstr("Two categories have the same name")));
  Json none = small_annotations();
  none["categories"] = none["annotations"] = Json::array();
  coco.write_annotations(none);
  EXPECT_THAT(errors_of([&] { Dataset::open(coco.table()); }), ElementsAre(HasSubstr("number of categories")));
}

TEST(CocoDataset, OtherKindsHaveNoBoxes) {
  const seedbed::testing::TempFolder folder;
  folder.write("images/a.jpg", "");
  folder.write("labels.csv", "id,labels\na,1\n");
  const auto dataset = Dataset::open({{"kind", "folder"},
                                      {"root", folder.path().string()},
                                      {"class_names", {"cat"}},
                                      {"labels", "labels.csv"},
                                      {"roles", {{"test", "*"}}}});
  EXPECT_THAT(errors_of([&] { dataset->boxes("a"); }), ElementsAre(HasSubstr("has no boxes: `folder`")));
  EXPECT_THAT(errors_of([&] { dataset->digest({"a"}, Content::boxes); }),
              ElementsAre(HasSubstr("has no boxes: `folder`")));
}

TEST(CocoDataset, TakesThePublishedListsOfCoco14) {
  SEEDBED_SHARED_OR_SKIP(images, "data/coco549");
  SEEDBED_SHARED_OR_SKIP(lists, "data/coco14-protocol");
  const auto dataset = Dataset::open({{"kind", "coco"},
                                      {"root", images.string()},
                                      {"annotations", "instances.json"},
                                      {"classes", "classes.csv"},
                                      {"names", "name"},
                                      {"lists", lists.string()},
                                      {"labels", {(lists / "train.txt").string(), (lists / "val.txt").string()}},
                                      {"label_offset", 1},
                                      {"roles", {{"train", "train"}, {"test", "val"}}}});
  EXPECT_THAT(dataset->role("train").image_ids, SizeIs(82081));
  EXPECT_EQ(dataset->role("train").images_without_class, 0);
  EXPECT_THAT(dataset->role("test").image_ids, SizeIs(40137));
  EXPECT_EQ(dataset->classes().num_classes(), 80);
  EXPECT_THAT(*dataset->image_labels("COCO_train2014_000000000009"), ElementsAre(46, 50, 51));
}

// The published lists name the classes that are seen where later objects lie over earlier ones: of all 544 images that
// both hold. Small objects on top show more in 33 of them (../shared/data/coco549/SOURCE.md).
TEST(CocoDataset, PaintsInTheOrderOfTheFileAsThePublishedListsDid) {
  SEEDBED_SHARED_OR_SKIP(images, "data/coco549");
  SEEDBED_SHARED_OR_SKIP(lists, "data/coco14-protocol");
  const ImageLabels published =
      read_label_lines({lists / "train.txt", lists / "val.txt"}, read_classes(images / "classes.csv", "", "name"), 1);
  std::map<std::string, std::vector<std::int64_t>, std::less<>> by_number;  // without `COCO_train2014_`
  for (const auto& [id, labels] : published) by_number[id.substr(id.size() - 12)] = labels;
  for (const auto& [painting, equal_sets] : {std::pair("file", 544), std::pair("area", 511)}) {
    const auto dataset = Dataset::open({{"kind", "coco"},
                                        {"root", images.string()},
                                        {"annotations", "instances.json"},
                                        {"classes", "classes.csv"},
                                        {"names", "name"},
                                        {"painting", painting},
                                        {"roles", {{"test", "instances"}}}});
    int equal = 0;
    for (const std::string& id : dataset->role("test").image_ids) {
      std::set<std::int64_t> seen;
      const auto mask = dataset->draw_mask(id);
      for (const std::uint8_t label : mask->values_hw)
        if (label != 0 && label != 255) seen.insert(label);
      const auto known = by_number.find(id);
      equal += known != by_number.end() && std::ranges::equal(seen, known->second);
    }
    EXPECT_EQ(equal, equal_sets) << painting;
  }
}

}  // namespace
}  // namespace seedbed::dataset
