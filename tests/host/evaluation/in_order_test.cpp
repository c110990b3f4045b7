#include "evaluation/in_order.hpp"

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

namespace seedbed::evaluation {
namespace {

std::vector<std::size_t> joined_by(std::size_t threads) {
  std::vector<std::size_t> joined;
  for_each_in_order(40, threads, [&](std::size_t index) -> std::function<void()> {
    if (index % 7 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // early ones end late
    return [&joined, index] { joined.push_back(index); };
  });
  return joined;
}

TEST(ForEachInOrder, JoinsInOrderWhateverTheThreads) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < 40; ++i) order.push_back(i);
  EXPECT_EQ(joined_by(1), order);
  EXPECT_EQ(joined_by(4), order);
  EXPECT_EQ(joined_by(0), order);
}

TEST(ForEachInOrder, ThrowsWhatAPartThrew) {
  const auto run = [](std::size_t threads) {
    for_each_in_order(100, threads, [](std::size_t index) -> std::function<void()> {
      if (index == 10) throw std::runtime_error("part " + std::to_string(index));
      return [] {};
    });
  };
  EXPECT_THROW(run(1), std::runtime_error);
  EXPECT_THROW(run(3), std::runtime_error);
}

TEST(ForEachInOrder, OfNothingDoesNothing) {
  for_each_in_order(0, 4, [](std::size_t) -> std::function<void()> { throw std::logic_error("asked"); });
}

}  // namespace
}  // namespace seedbed::evaluation
