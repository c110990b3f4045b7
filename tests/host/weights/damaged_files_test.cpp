#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "host/weights/fixture_values.hpp"
#include "host/weights/read_all.hpp"
#include "seedbed/error.hpp"

// Every fixture cut short, with bits flipped, with pieces of other fixtures in it: reading gives tensors or a UserError,
// and nothing else. The same damage each time; tests/fuzz looks for more.
namespace seedbed::weights::testing {
namespace {

std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<std::string> all_fixtures() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(fixture(""))) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> contents;
  for (const auto& file : files) contents.push_back(content_of(file));
  return contents;
}

void expect_read_or_refused(const std::string& content) {
  try {
    read_all(content);
  } catch (const UserError& error) {
    ASSERT_FALSE(error.message().empty());
    ASSERT_LT(error.message().size(), 2000U);
  }
}

// SplitMix64: the same numbers everywhere.
class Numbers {
 public:
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : next() % bound; }

 private:
  std::uint64_t state_ = 20;
};

std::string damaged(std::string content, const std::vector<std::string>& others, Numbers& numbers) {
  const std::size_t place = numbers.below(content.size());
  switch (numbers.below(5)) {
    case 0:
      content.resize(place);
      break;
    case 1:
      for (std::size_t flips = numbers.below(4) + 1; flips > 0; --flips) {
        content[numbers.below(content.size())] ^= static_cast<char>(1 << numbers.below(8));
      }
      break;
    case 2:
      content.erase(place, numbers.below(40));
      break;
    case 3:
      content.insert(place, others[numbers.below(others.size())].substr(0, numbers.below(60)));
      break;
    default: {
      // A number grows: eight bytes of one value.
      const char value = numbers.below(2) == 0 ? '\xff' : '\x7f';
      content.replace(place, 8, std::string(8, value));
    }
  }
  return content;
}

TEST(DamagedFiles, EveryFixtureIsReadOrRefused) {
  for (const std::string& content : all_fixtures()) expect_read_or_refused(content);
}

TEST(DamagedFiles, CutShortAnywhere) {
  for (const std::string& content : all_fixtures()) {
    const std::size_t step = content.size() / 60 + 1;
    for (std::size_t size = 0; size < content.size(); size += step) expect_read_or_refused(content.substr(0, size));
  }
}

TEST(DamagedFiles, DamagedAnywhere) {
  const std::vector<std::string> fixtures = all_fixtures();
  Numbers numbers;
  for (int round = 0; round < 200; ++round) {
    for (const std::string& content : fixtures) {
      expect_read_or_refused(damaged(content, fixtures, numbers));
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace seedbed::weights::testing
