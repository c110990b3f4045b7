#include "dataset/class_table.hpp"

#include <gmock/gmock.h>

#include "expect_user_error.hpp"
#include "support/shared_folder.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::dataset {
namespace {

using seedbed::testing::errors_of;
using seedbed::testing::TempFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kClasses =
    "id,name,supercategory,pets_id,one_id\n"
    "0,background,,0,0\n1,cat,animal,1,1\n2,dog,animal,2,1\n3,\"car, van\",vehicle,0,2\n";

TEST(ClassTable, WithoutProtocolIdsAreLabels) {
  const TempFolder folder;
  const ClassTable table = read_classes(folder.write("classes.csv", kClasses), "", "");
  EXPECT_THAT(table.names, ElementsAre("cat", "dog", "car, van"));
  EXPECT_EQ(table.label_of_value[3], 3);
  EXPECT_TRUE(table.known_value[255]);
  EXPECT_EQ(table.label_of_value[255], 255);
  EXPECT_FALSE(table.known_value[4]);
}

TEST(ClassTable, AProtocolRemaps) {
  const TempFolder folder;
  const auto file = folder.write("classes.csv", kClasses);
  const ClassTable pets = read_classes(file, "pets", "");
  EXPECT_THAT(pets.names, ElementsAre("cat", "dog"));
  EXPECT_EQ(pets.label_of_value[3], 0);
  EXPECT_TRUE(pets.known_value[3]);
  const ClassTable one = read_classes(file, "one", "");
  EXPECT_THAT(one.names, ElementsAre("animal", "vehicle"));
  EXPECT_EQ(one.label_of_value[2], 1);
}

TEST(ClassTable, NamesWhatIsWrongWithFileAndLine) {
  const TempFolder folder;
  const auto file = folder.write("classes.csv", kClasses);
  EXPECT_THAT(errors_of([&] { read_classes(file, "pest", ""); }), ElementsAre(HasSubstr("Did you mean `pets`?")));
  EXPECT_THAT(errors_of([&] { read_classes(file, "one", "name"); }), ElementsAre(HasSubstr("no single name: `1`")));
  EXPECT_THAT(errors_of([&] { read_classes(file, "", "nme"); }), ElementsAre(HasSubstr("Did you mean `name`?")));
  const auto broken = folder.write("broken.csv", "id,name\n1,a\n1,b\nx,c\n300,d\n2,e,f\n");
  EXPECT_THAT(errors_of([&] { read_classes(broken, "", ""); }), ElementsAre(HasSubstr("broken.csv:6")));
  const auto twice = folder.write("twice.csv", "id,name\n1,a\n1,b\nx,c\n300,d\n");
  EXPECT_THAT(errors_of([&] { read_classes(twice, "", ""); }),
              ElementsAre(HasSubstr("twice.csv:3"), HasSubstr("twice.csv:4"),
                          AllOf(HasSubstr("twice.csv:5"), HasSubstr("`300`"))));
  const auto hole = folder.write("hole.csv", "id,name\n1,a\n3,b\n");
  EXPECT_THAT(errors_of([&] { read_classes(hole, "", ""); }), ElementsAre(HasSubstr("the next one would be 2")));
  EXPECT_THAT(errors_of([&] { read_classes(folder / "none.csv", "", ""); }), ElementsAre(HasSubstr("cannot be read")));
}

TEST(ClassTable, ReadsTheProtocolsOfCoco549) {
  SEEDBED_SHARED_OR_SKIP(file, "data/coco549/classes.csv");
  EXPECT_EQ(read_classes(file, "super12", "").num_classes(), 12);
  EXPECT_EQ(read_classes(file, "super12", "").names[0], "person");
  EXPECT_EQ(read_classes(file, "super12", "").names[1], "vehicle");
  EXPECT_EQ(read_classes(file, "voc20", "").num_classes(), 20);
  EXPECT_EQ(read_classes(file, "voc20", "").names[14], "person");
  EXPECT_EQ(read_classes(file, "", "").num_classes(), 80);
}

}  // namespace
}  // namespace seedbed::dataset
