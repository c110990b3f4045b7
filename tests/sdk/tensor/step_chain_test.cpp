#include "seedbed/step_chain.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "seedbed/error.hpp"

namespace seedbed {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class StepChainTest : public ::testing::Test {
 protected:
  StepChainTest() {
    for (const char* name : {"one", "two", "final"}) {
      chain_.add_site(name, "activation", 1);
      chain_.add_step([this](const at::Tensor& input, const ForwardRequest&) {
        ++num_steps_;
        return input + 1;
      });
      chain_.add_tap({name, {std::string(name) + "_alias"}, 1, 1.0, false});
    }
  }

  ForwardRequest request(std::vector<std::string> keep) const {
    ForwardRequest request;
    request.images_nchw = at::zeros({1, 1, 1, 1});
    request.keep = std::move(keep);
    return request;
  }

  StepChain chain_;
  int num_steps_ = 0;
};

TEST_F(StepChainTest, RunsNoFurtherThanTheLastTapKept) {
  const ForwardResult result = chain_.run(request({"two", "one_alias"}));
  EXPECT_EQ(num_steps_, 2);
  EXPECT_EQ(result.taps.at("one_alias").item<double>(), 1.0);
  EXPECT_EQ(result.taps.at("two").item<double>(), 2.0);
  EXPECT_EQ(result.taps.size(), 2u);
  EXPECT_EQ(chain_.run(request({})).taps.at("final").item<double>(), 3.0);
}

TEST_F(StepChainTest, StartsBehindATap) {
  ForwardRequest from = request({"two", "final"});
  from.from = FromTap{"two", at::full({1}, 10.0)};
  const ForwardResult result = chain_.run(from);
  EXPECT_EQ(num_steps_, 1);
  EXPECT_EQ(result.taps.at("two").item<double>(), 10.0);
  EXPECT_EQ(result.taps.at("final").item<double>(), 11.0);
  from.keep = {"one"};
  EXPECT_THAT([&] { chain_.run(from); }, ThrowsMessage<UserError>(HasSubstr("`one`")));
}

TEST_F(StepChainTest, ListsSitesInOrder) {
  EXPECT_EQ(chain_.sites().at(2).name, "final");
  EXPECT_EQ(chain_.sites().at(2).depth, 2);
  EXPECT_EQ(chain_.taps().front().name, "one");
}

TEST_F(StepChainTest, RefusesANameThatIsTaken) {
  EXPECT_THAT(
      [&] {
        chain_.add_tap({"one_alias", {}, 1, 1.0, false});
      },
      ThrowsMessage<ContractError>(HasSubstr("again")));
}

}  // namespace
}  // namespace seedbed
