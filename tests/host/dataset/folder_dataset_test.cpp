#include <gmock/gmock.h>

#include "dataset/dataset.hpp"
#include "expect_user_error.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::dataset {
namespace {

using seedbed::testing::errors_of;
using seedbed::testing::TempFolder;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FolderDataset : public ::testing::Test {
 protected:
  FolderDataset() {
    for (const char* name : {"x1.jpg", "x2.png", "y1.jpeg", "y2.jpg", "notes.txt"})
      folder_.write("images/" + std::string(name), name);
    folder_.write("labels.csv", "id,labels\nx1,cat\nx2,dog;cat\ny1,\ny2,dog\n");
  }

  Json table() const {
    return {{"kind", "folder"},
            {"root", folder_.path().string()},
            {"labels", "labels.csv"},
            {"class_names", {"cat", "dog"}},
            {"roles", {{"train", "x*"}, {"test", "*:50%..100%"}}}};
  }

  TempFolder folder_;
};

TEST_F(FolderDataset, FindsImagesByPatternAndShare) {
  const auto dataset = Dataset::open(table());
  EXPECT_THAT(dataset->role("train").image_ids, ElementsAre("x1", "x2"));
  EXPECT_THAT(dataset->role("test").image_ids, ElementsAre("y1", "y2"));
  EXPECT_EQ(dataset->entry("x2").image, folder_ / "images/x2.png");
  EXPECT_THAT(*dataset->image_labels("x2"), ElementsAre(1, 2));
  EXPECT_FALSE(dataset->role("test").has_masks);
  for (const auto& [key, value] : dataset->table().items()) EXPECT_THAT(legal_keys("folder"), Contains(key));
}

TEST_F(FolderDataset, TakesListFiles) {
  folder_.write("lists/mine.txt", "y2\nx1\n");
  Json listed = table();
  listed["roles"] = {{"test", "mine"}};
  EXPECT_THAT(Dataset::open(listed)->role("test").image_ids, ElementsAre("y2", "x1"));
}

TEST_F(FolderDataset, NamesEverythingThatIsWrong) {
  folder_.write("images/x1.png", "twin");
  Json table = this->table();
  table["classes"] = "classes.csv";
  EXPECT_THAT(errors_of([&] { Dataset::open(table); }),
              ElementsAre(HasSubstr("either a classes file or class names"),
                          HasSubstr("Two files belong to one image: `x1`"), HasSubstr("classes.csv")));
  Json nothing = this->table();
  nothing["images"] = "none";
  EXPECT_THAT(errors_of([&] { Dataset::open(nothing); }), ElementsAre(HasSubstr("holds no images")));
}

TEST_F(FolderDataset, NamesAPatternThatFitsNothing) {
  Json table = this->table();
  table["roles"] = {{"test", "z*"}};
  EXPECT_THAT(errors_of([&] { Dataset::open(table); }), ElementsAre(HasSubstr("No image fits this pattern: `z*`")));
}

}  // namespace
}  // namespace seedbed::dataset
