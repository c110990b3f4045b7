#include <fstream>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

#include "seedbed/error.hpp"
#include "study_fixture.hpp"

// Whatever a file holds, reading it ends in a study or in words.
namespace seedbed::study {
namespace {

std::string quickstart() {
  std::ifstream stream(SEEDBED_QUICKSTART);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

class BadInput : public StudyTest {
 protected:
  void expect_study_or_words(const std::string& text) const {
    try {
      read(text);
    } catch (const UserError& error) {
      EXPECT_STRNE(error.what(), "");
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what() << "\nfor\n" << text;
    }
  }
};

TEST_F(BadInput, TheQuickstartItselfIsFine) { EXPECT_GE(read(quickstart()).cells.size(), 6u); }

TEST_F(BadInput, CutShortAnywhere) {
  const std::string whole = quickstart();
  for (std::size_t length = 0; length < whole.size(); length += 23) expect_study_or_words(whole.substr(0, length));
}

TEST_F(BadInput, BytesFlippedAnywhere) {
  const std::string whole = quickstart();
  std::mt19937 random(1);
  for (int i = 0; i < 150; ++i) {
    std::string text = whole;
    for (int flips = 0; flips < 1 + i % 8; ++flips) text[random() % text.size()] = static_cast<char>(random() % 256);
    expect_study_or_words(text);
  }
}

TEST_F(BadInput, LinesSwappedAndRepeated) {
  std::vector<std::string> lines{""};
  for (const char c : quickstart()) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  std::mt19937 random(2);
  for (int i = 0; i < 100; ++i) {
    std::vector<std::string> changed = lines;
    std::swap(changed[random() % changed.size()], changed[random() % changed.size()]);
    changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(random() % changed.size()),
                   lines[random() % lines.size()]);
    std::string text;
    for (const std::string& line : changed) text += line + "\n";
    expect_study_or_words(text);
  }
}

TEST_F(BadInput, ValuesOfEveryTypeInEveryPlace) {
  const std::string whole = quickstart();
  for (const char* value :
       {"1", "-1.5", "true", "\"x\"", "[]", "[1, \"a\"]", "{}", "{ method = 1 }", "[{}]", "1979-05-27", "nan", "inf"}) {
    for (std::size_t at = whole.find(" = "); at != std::string::npos; at = whole.find(" = ", at + 1)) {
      const std::size_t end = whole.find('\n', at);
      expect_study_or_words(whole.substr(0, at + 3) + value + whole.substr(end));
    }
  }
}

TEST_F(BadInput, NoFileAtAll) {
  EXPECT_THROW(read_study(folder_ / "none.toml", test_catalogue(), {}), UserError);
  EXPECT_THROW(read_study(folder_.path(), test_catalogue(), {}), UserError);
}

}  // namespace
}  // namespace seedbed::study
