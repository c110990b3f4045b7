#include "dataset/roles.hpp"

#include <map>

#include <gmock/gmock.h>

#include "expect_user_error.hpp"

namespace seedbed::dataset {
namespace {

using seedbed::testing::errors_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Labels = std::vector<std::int64_t>;

// Ten images "0" .. "9" in list "all"; image i has the classes below.
RoleSource ten_images() {
  static const std::map<std::string, Labels> labels{{"0", {1}}, {"1", {1, 2}}, {"2", {}},  {"3", {1}}, {"4", {3}},
                                                    {"5", {2}}, {"6", {2, 3}}, {"7", {3}}, {"8", {}},  {"9", {1}}};
  return {[](const std::string& list, const std::string& where) {
            if (list != "all") throw UserError(where, "There is no such list.", "");
            std::vector<std::string> ids;
            for (const auto& [id, unused] : labels) ids.push_back(id);
            return ids;
          },
          [](const std::string& id) { return std::optional(labels.at(id)); }};
}

std::vector<std::string> images_of(const std::string& text) {
  std::vector<UserError> problems;
  const auto roles = resolve_roles({{"test", text}}, ten_images(), 0, problems);
  EXPECT_THAT(problems, IsEmpty());
  return roles.empty() ? std::vector<std::string>{} : roles.front().image_ids;
}

TEST(Roles, ReadEveryForm) {
  EXPECT_EQ(role_text_from("train", ""), (RoleText{"train", Part::all, 0, 0}));
  EXPECT_EQ(role_text_from("0..200", ""), (RoleText{"0..200", Part::all, 0, 0}));
  EXPECT_EQ(role_text_from("train:3..9", ""), (RoleText{"train", Part::range, 3, 9}));
  EXPECT_EQ(role_text_from("*:0%..80%", ""), (RoleText{"*", Part::share, 0, 80}));
  EXPECT_EQ(role_text_from("val:40", ""), (RoleText{"val", Part::first, 0, 40}));
  EXPECT_EQ(role_text_from("train:5-per-class", ""), (RoleText{"train", Part::per_class, 0, 5}));
}

TEST(Roles, RefuseWhatIsMalformed) {
  for (const char* text : {"", ":5", "train:", "train:0", "train:9..3", "train:1..1", "train:0%..120%", "train:0..80%",
                           "train:-per-class", "train:x"})
    EXPECT_THAT(errors_of([&] { role_text_from(text, "dataset.roles.test"); }),
                ElementsAre(HasSubstr("LIST:5-per-class")))
        << text;
}

TEST(Roles, TakePartsOfLists) {
  EXPECT_THAT(images_of("all:2..4"), ElementsAre("2", "3"));
  EXPECT_THAT(images_of("all:80%..100%"), ElementsAre("8", "9"));
  EXPECT_THAT(images_of("all:3"), ElementsAre("0", "1", "2"));
}

TEST(Roles, TakeTheFirstImagesOfEachClass) {
  EXPECT_THAT(images_of("all:1-per-class"), ElementsAre("0", "1", "4"));
  EXPECT_THAT(images_of("all:2-per-class"), ElementsAre("0", "1", "4", "5", "6"));
}

TEST(Roles, LeaveImagesWithoutClassOutOfTrainingOnly) {
  std::vector<UserError> problems;
  const auto roles = resolve_roles({{"train", "all:5"}, {"test", "all:5"}}, ten_images(), 0, problems);
  EXPECT_THAT(roles.at(0).image_ids, ElementsAre("0", "1", "3", "4"));
  EXPECT_EQ(roles.at(0).images_without_class, 1);
  EXPECT_THAT(roles.at(1).image_ids, ElementsAre("0", "1", "2", "3", "4"));
  EXPECT_EQ(roles.at(1).images_without_class, 0);
}

TEST(Roles, LeaveSelectedImagesOutOfReportedRoles) {
  std::vector<UserError> problems;
  const auto roles =
      resolve_roles({{"train", "all:0..4"}, {"measure", "all:0..4"}, {"select", "all:1"}, {"test", "all:8..10"}},
                    ten_images(), 0, problems);
  EXPECT_THAT(roles.at(0).image_ids, ElementsAre("0", "1", "3"));
  EXPECT_THAT(roles.at(1).image_ids, ElementsAre("1", "2", "3"));
  EXPECT_THAT(roles.at(3).image_ids, ElementsAre("8", "9"));
}

TEST(Roles, LimitTheImagesOfEach) {
  std::vector<UserError> problems;
  const auto roles = resolve_roles({{"train", "all"}, {"test", "all:9..10"}}, ten_images(), 2, problems);
  EXPECT_THAT(roles.at(0).image_ids, ElementsAre("0", "1"));
  EXPECT_THAT(roles.at(1).image_ids, ElementsAre("9"));
}

TEST(Roles, CollectEveryProblem) {
  std::vector<UserError> problems;
  resolve_roles({{"trian", "all"}, {"train", "none"}, {"measure", 3}, {"test", "all:4..99"}, {"select", "all:x"}},
                ten_images(), 0, problems);
  std::vector<std::string> wheres;
  for (const UserError& problem : problems) wheres.push_back(problem.where());
  EXPECT_THAT(wheres, ElementsAre("dataset.roles.trian", "dataset.roles.train", "dataset.roles.measure",
                                  "dataset.roles.test", "dataset.roles.select"));
  EXPECT_THAT(problems[0].hint(), HasSubstr("`train`"));
  EXPECT_THAT(problems[3].hint(), HasSubstr("holds 10"));
}

TEST(Roles, RefuseARoleThatSelectLeavesEmpty) {
  std::vector<UserError> problems;
  resolve_roles({{"select", "all"}, {"test", "all:3"}}, ten_images(), 0, problems);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].where(), "dataset.roles.test");
}

}  // namespace
}  // namespace seedbed::dataset
