#include "support/goldens.hpp"

#include <cstdlib>

#include <ATen/ATen.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::testing {
namespace {

/// A folder of goldens of its own, read through SEEDBED_GOLDENS_EXTRA.
class Goldens : public ::testing::Test {
 protected:
  void SetUp() override {
    weights::write_safetensors(folder_ / "a.safetensors", {{"in.x", at::arange(4, at::kFloat)},
                                                           {"out.y", at::tensor({1.0f, 2.0f})},
                                                           {"out.labels", at::tensor({3, 4}, at::kLong)}});
    folder_.write("index.toml", R"(
[[golden]]
name = "a_0"
file = "a.safetensors"
component = "own"
source = "somebody/repository: file.py"
function = "f"
options = { scales = [1, 0.5], rule = "max", eps = 0.25 }
weights = { prefix = "p.a" }
inputs = [ { name = "x", dtype = "float32", shape = [4] },
           { name = "u", dtype = "float32", shape = [2, 2], formula = "some.name", lo = 2.0, hi = 3.0 } ]
outputs = [ { name = "y" }, { name = "labels" } ]
compare = "allclose"
atol = 0.1
rtol = 0.0

[[golden]]
name = "a_backbone"
file = "b.safetensors"
group = "backbone"
)");
    setenv("SEEDBED_GOLDENS_EXTRA", folder_.path().c_str(), 1);
  }
  void TearDown() override { unsetenv("SEEDBED_GOLDENS_EXTRA"); }

  Golden own() const {
    for (const Golden& golden : method_goldens()) {
      if (golden.component() == "own") return golden;
    }
    throw std::runtime_error("not found");
  }

  TempFolder folder_;
};

TEST_F(Goldens, AreReadFromExtraFolders) {
  const Golden golden = own();
  EXPECT_EQ(golden.name(), "a_0");
  EXPECT_EQ(golden.numbers("scales"), (std::vector<double>{1.0, 0.5}));
  EXPECT_EQ(golden.number("eps"), 0.25);
  EXPECT_EQ(golden.number("absent", 7), 7);
  EXPECT_EQ(golden.text("rule", ""), "max");
  EXPECT_THROW(golden.number("absent"), std::runtime_error);
  EXPECT_THAT(golden.input("x"), equals_tensor(at::arange(4, at::kFloat)));
  const at::Tensor formula = golden.input("u");
  EXPECT_THAT(formula, has_shape({2, 2}));
  EXPECT_TRUE(formula.ge(2).logical_and_(formula.lt(3)).all().item<bool>());
}

TEST_F(Goldens, CompareAsTheEntrySays) {
  const at::Tensor labels = at::tensor({3, 4}, at::kLong);
  own().expect_outputs({{"y", at::tensor({1.05f, 2.0f})}, {"labels", labels}});
  EXPECT_NONFATAL_FAILURE(own().expect_outputs({{"y", at::tensor({1.2f, 2.0f})}, {"labels", labels}}), "worst at [0]");
  EXPECT_NONFATAL_FAILURE(own().expect_outputs({{"labels", labels}, {"other", labels}}), "not computed");
  EXPECT_NONFATAL_FAILURE(own().expect_outputs({{"y", at::tensor({1.0f, 2.0f})}, {"labels", labels + 1}}),
                          "worst at [0]");
}

TEST_F(Goldens, GoToTheRunnerThatFits) {
  GoldenRunner runner{"own", "f", "somebody", {}};
  EXPECT_TRUE(runner.fits(own()));
  runner.source = "another";
  EXPECT_FALSE(runner.fits(own()));
  runner = {"own", "g", "", {}};
  EXPECT_FALSE(runner.fits(own()));
}

}  // namespace
}  // namespace seedbed::testing
