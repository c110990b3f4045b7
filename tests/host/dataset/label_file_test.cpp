#include "dataset/label_file.hpp"

#include <gmock/gmock.h>

#include "dataset/class_table.hpp"
#include "expect_user_error.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::dataset {
namespace {

using seedbed::testing::errors_of;
using seedbed::testing::TempFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(LabelLines, AreRemappedSortedAndDistinct) {
  const TempFolder folder;
  ClassTable classes = plain_classes({"cat", "dog"});
  classes.label_of_value[7] = 1;
  classes.known_value[7] = true;
  classes.label_of_value[8] = 0;
  classes.known_value[8] = true;
  const auto labels = read_label_lines({folder.write("l.txt", "a 2 7 1\nb\n\nc 8\r\n")}, classes, 0);
  EXPECT_THAT(labels.at("a"), ElementsAre(1, 2));
  EXPECT_THAT(labels.at("b"), IsEmpty());
  EXPECT_THAT(labels.at("c"), IsEmpty());
}

TEST(LabelLines, AreShifted) {
  const TempFolder folder;
  const auto labels = read_label_lines({folder.write("l.txt", "a 0 1\n")}, plain_classes({"cat", "dog"}), 1);
  EXPECT_THAT(labels.at("a"), ElementsAre(1, 2));
}

TEST(LabelLines, NameWhatIsWrong) {
  const TempFolder folder;
  const auto file = folder.write("l.txt", "a 1\nb 3\na 2\nc x\n");
  EXPECT_THAT(
      errors_of([&] {
        read_label_lines({file}, plain_classes({"cat", "dog"}), 0);
      }),
      ElementsAre(AllOf(HasSubstr("l.txt:2"), HasSubstr("`3`")), AllOf(HasSubstr("l.txt:3"), HasSubstr("twice: `a`")),
                  AllOf(HasSubstr("l.txt:4"), HasSubstr("`x`"))));
}

TEST(LabelTable, TakesNamesAndNumbers) {
  const TempFolder folder;
  const auto file = folder.write("l.csv", "id,labels\na,dog;cat\nb,2\nc,\n");
  const auto labels = read_label_table(file, plain_classes({"cat", "dog"}));
  EXPECT_THAT(labels.at("a"), ElementsAre(1, 2));
  EXPECT_THAT(labels.at("b"), ElementsAre(2));
  EXPECT_THAT(labels.at("c"), IsEmpty());
}

TEST(LabelTable, OffersTheNearestName) {
  const TempFolder folder;
  const auto file = folder.write("l.csv", "id,labels\na,dgo\n");
  EXPECT_THAT(errors_of([&] {
                read_label_table(file, plain_classes({"cat", "dog"}));
              }),
              ElementsAre(AllOf(HasSubstr("l.csv:2"), HasSubstr("Did you mean `dog`?"))));
}

}  // namespace
}  // namespace seedbed::dataset
