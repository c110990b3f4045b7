#include "plugin/state_guard.hpp"

#include <cfenv>
#include <clocale>
#include <csignal>
#include <filesystem>

#include <sys/stat.h>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fit/random_streams.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::plugin {
namespace {

using ::testing::ElementsAre;
using testing::equals_tensor;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(StateGuard, FindsNothingWhereNothingChanged) {
  StateGuard guard;
  EXPECT_THAT(guard.restore(), IsEmpty());
}

TEST(StateGuard, PutsBackEverythingAndSaysSo) {
  const std::filesystem::path directory = std::filesystem::current_path();
  const int threads = at::get_num_threads();
  StateGuard guard;
  c10::GradMode::set_enabled(false);
  c10::set_default_dtype(caffe2::TypeMeta::Make<double>());
  at::set_num_threads(threads + 1);
  std::fesetround(FE_UPWARD);
  std::setlocale(LC_ALL, "C.UTF-8");
  std::filesystem::current_path("/");
  ::umask(0);
  std::signal(SIGALRM, SIG_IGN);
  EXPECT_THAT(guard.restore(),
              ElementsAre(HasSubstr("gradient mode was `on`, then `off`"), HasSubstr("the default type"),
                          HasSubstr("LibTorch's thread count"), HasSubstr("the floating-point mode"),
                          HasSubstr("the locale was `C`, then `C.UTF-8`"), HasSubstr("the directory"),
                          HasSubstr("the umask"), HasSubstr("the handler of ALRM")));
  EXPECT_TRUE(c10::GradMode::is_enabled());
  EXPECT_EQ(at::get_num_threads(), threads);
  EXPECT_EQ(std::fegetround(), FE_TONEAREST);
  EXPECT_EQ(std::filesystem::current_path(), directory);
  EXPECT_THAT(guard.restore(), IsEmpty());
}

TEST(RandomScope, LeavesTheProcessWideGeneratorAsItWas) {
  const at::Tensor before = at::detail::getDefaultCPUGenerator().get_state();
  at::Tensor first, second;
  {
    const fit::RandomScope scope({}, 7);
    first = at::rand({4});
  }
  {
    const fit::RandomScope scope({}, 7);
    second = at::rand({4});
  }
  EXPECT_THAT(second, equals_tensor(first));
  EXPECT_THAT(at::detail::getDefaultCPUGenerator().get_state(), equals_tensor(before));
}

TEST(RandomStreams, DifferByEveryPartOfTheirName) {
  const std::uint64_t seed = fit::derive_seed(0, "map.seeds/a/0");
  EXPECT_EQ(seed, fit::derive_seed(0, "map.seeds/a/0"));
  EXPECT_NE(seed, fit::derive_seed(1, "map.seeds/a/0"));
  EXPECT_NE(seed, fit::derive_seed(0, "map.seeds/b/0"));
  EXPECT_NE(seed, fit::derive_seed(0, "map.seeds/a/1"));
}

}  // namespace
}  // namespace seedbed::plugin
