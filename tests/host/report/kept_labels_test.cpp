#include "report/kept_labels.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.hpp"
#include "seedbed/error.hpp"
#include "small_study.hpp"

namespace seedbed::report::test {
namespace {

using store::test::done_result;
using store::test::fill;
using testing::AllOf;
using testing::HasSubstr;

class KeptLabelsTest : public testing::Test {
 protected:
  KeptLabelsTest() : store_(store::Store::open(folder_.file(), store::Access::write)) { fill(*store_); }

  // The stage leaves labels where the small study leaves maps.
  void leave_labels(const std::string& key) {
    protocol::StageResult result = done_result(key, store_->begin_attempt(key, 1, "logs/again.log"));
    result.artefacts = {{"labels", key + "/labels-00000.safetensors", "digest-of-labels", 100}};
    store_->take_result(result);
  }

  std::string error_of(const LabelChoice& choice) {
    try {
      only_kept_labels(*store_, choice);
    } catch (const UserError& error) {
      return error.message() + " " + error.hint();
    }
    return "";
  }

  store::test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
};

TEST_F(KeptLabelsTest, MapsAreNone) {
  EXPECT_TRUE(kept_labels(*store_, {}).empty());
  EXPECT_THAT(error_of({}), HasSubstr("`pseudo_label.keep = \"file\"`"));
}

TEST_F(KeptLabelsTest, TheOnlyOneIsTakenAndToldWithItsCells) {
  leave_labels("seeds-grid");
  const KeptLabels kept = only_kept_labels(*store_, {});
  EXPECT_EQ(kept.key, "seeds-grid");
  EXPECT_EQ(kept.num_cells, 6) << "with and without the refiner, three random seeds each";
  EXPECT_THAT(kept.levels, HasSubstr("method=GRID"));
  EXPECT_EQ(only_kept_labels(*store_, {.study = {}, .node = kept.node, .role = kept.role, .key = "seeds-g"}).key,
            kept.key);
  EXPECT_NE(error_of({.study = {}, .node = {}, .role = "test", .key = {}}), "");
}

TEST_F(KeptLabelsTest, SeveralAreNamed) {
  leave_labels("seeds-grid");
  leave_labels("seeds-cam-1");
  EXPECT_THAT(error_of({}), AllOf(HasSubstr("seeds-cam-1"), HasSubstr("seeds-grid"), HasSubstr("`--stage ")));
  EXPECT_EQ(only_kept_labels(*store_, {.study = {}, .node = {}, .role = {}, .key = "seeds-c"}).key, "seeds-cam-1");
}

TEST_F(KeptLabelsTest, FilesThatAreGoneAreNotOffered) {
  leave_labels("seeds-grid");
  store_->forget_artefacts("seeds-grid");
  EXPECT_TRUE(kept_labels(*store_, {}).empty());
}

TEST_F(KeptLabelsTest, AnUnknownStudyIsAnsweredWithTheNearest) {
  EXPECT_THAT(error_of({.study = "smal", .node = {}, .role = {}, .key = {}}), HasSubstr("`small`"));
}

}  // namespace
}  // namespace seedbed::report::test
