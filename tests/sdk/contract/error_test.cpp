#include "seedbed/error.hpp"

#include <gtest/gtest.h>

namespace seedbed {
namespace {

TEST(UserError, SaysWhereWhatAndHint) {
  const UserError error("study.toml:3:5", "unknown key `methd`", "nearest: `method`");
  EXPECT_STREQ(error.what(), "study.toml:3:5: unknown key `methd`\n  nearest: `method`");
  EXPECT_EQ(error.where(), "study.toml:3:5");
  EXPECT_EQ(error.message(), "unknown key `methd`");
  EXPECT_EQ(error.hint(), "nearest: `method`");
}

TEST(UserError, LeavesOutWhatIsEmpty) { EXPECT_STREQ(UserError("", "no such study").what(), "no such study"); }

TEST(UserErrors, TellsAll) {
  const UserErrors errors({UserError("a:1:1", "first"), UserError("a:2:1", "second", "do")});
  EXPECT_STREQ(errors.what(), "a:1:1: first\na:2:1: second\n  do");
  ASSERT_EQ(errors.errors().size(), 2u);
  EXPECT_EQ(errors.errors()[1].hint(), "do");
}

TEST(UserErrors, OneIsLikeTheErrorItself) {
  const UserErrors errors({UserError("a:1:1", "first", "do")});
  EXPECT_STREQ(errors.what(), "a:1:1: first\n  do");
  EXPECT_EQ(errors.where(), "a:1:1");
  EXPECT_EQ(errors.hint(), "do");
}

TEST(UserErrors, NoneIsAMistakeOfTheCaller) { EXPECT_THROW(UserErrors({}), std::logic_error); }

TEST(ContractError, NamesWhoAndThePromise) {
  const ContractError error("cam", "scores are finite", "finite values", "`nan`");
  EXPECT_STREQ(error.what(), "`cam` broke a promise: scores are finite; expected finite values, found `nan`");
  EXPECT_EQ(error.who(), "cam");
  EXPECT_EQ(error.promise(), "scores are finite");
  EXPECT_EQ(error.expected(), "finite values");
  EXPECT_EQ(error.found(), "`nan`");
}

TEST(Cancelled, IsNeitherOfThem) {
  EXPECT_THROW(throw Cancelled(), std::runtime_error);
  try {
    throw Cancelled();
  } catch (const UserError&) {
    FAIL();
  } catch (const std::exception&) {
  }
}

TEST(NearestName, FindsASlip) {
  const std::vector<std::string> names{"dense_crf", "pamr", "par", "random_walk"};
  EXPECT_EQ(nearest_name("dens_crf", names), "dense_crf");
  EXPECT_EQ(nearest_name("dnese_crf", names), "dense_crf");  // swapped neighbours count once
  EXPECT_EQ(nearest_name("random_wlak", names), "random_walk");
  EXPECT_EQ(nearest_name("pa", names), "par");
}

TEST(NearestName, KeepsQuietAboutAnotherName) {
  EXPECT_EQ(nearest_name("grabcut", {"dense_crf", "pamr"}), "");
  EXPECT_EQ(nearest_name("anything", {}), "");
}

TEST(NearestName, TiesGoToTheFirst) { EXPECT_EQ(nearest_name("cat", {"cab", "car"}), "cab"); }

}  // namespace
}  // namespace seedbed
