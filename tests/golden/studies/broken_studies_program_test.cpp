#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "expected_words.hpp"
#include "program_run.hpp"

// What `seedbed plan` prints, with the manifests of the built libraries, is what the rooms say.
namespace seedbed::study {
namespace {

// Undoes how the program prints errors: "error: WHERE: MESSAGE", then "  hint: HINT".
std::string words_in(const std::string& printed) {
  constexpr std::string_view kError = "error: ", kHint = "  hint: ";
  std::istringstream lines(printed);
  std::string words, message;
  const auto flush = [&](const std::string& hint) {
    if (message.empty()) return;
    const auto end_of_where = message.find(": ");
    words += words_of(UserError(message.substr(0, end_of_where), message.substr(end_of_where + 2), hint));
    message.clear();
  };
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kHint)) {
      flush(line.substr(kHint.size()));
    } else if (line.starts_with(kError)) {
      flush("");
      message = line.substr(kError.size());
    }
  }
  flush("");
  return words;
}

TEST(BrokenStudiesInTheProgram, AreToldTheSame) {
  const testing::ScratchFolder folder;
  for (const std::string& name : broken_studies()) {
    SCOPED_TRACE(name);
    const testing::ProgramEnd end =
        testing::seedbed({"--builtin-only", "plan", broken_study(name).string()}, folder.path());
    EXPECT_EQ(end.status, 2);
    EXPECT_EQ(end.out, "");
    EXPECT_EQ(words_in(end.err), expected_words(name));
  }
}

}  // namespace
}  // namespace seedbed::study
