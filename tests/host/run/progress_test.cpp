#include "run/progress.hpp"

#include <sstream>
#include <thread>

#include <gtest/gtest.h>

namespace seedbed::run {
namespace {

TEST(ProgressDisplay, KeepsItsLinesPlainWithoutATerminal) {
  std::ostringstream out;
  ProgressDisplay display(out, false, false);
  display.line("done      fit");
  display.update({});
  EXPECT_EQ(out.str(), "done      fit\n");
}

TEST(ProgressDisplay, RedrawsOneLineOnATerminalAndErasesItAtTheEnd) {
  std::ostringstream out;
  {
    ProgressDisplay display(out, true, false);
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
    RunState state;
    state.stages_done = 3;
    state.stages_total = 9;
    state.seconds_left = 65;
    state.busy[0] = "fit 50 %";
    display.update(state);
  }
  EXPECT_NE(out.str().find("[3/9]"), std::string::npos);
  EXPECT_NE(out.str().find("about 1:05 left"), std::string::npos);
  EXPECT_EQ(out.str().find('\n'), std::string::npos);
  EXPECT_EQ(out.str().substr(out.str().size() - 5), "\r\033[2K");
}

TEST(ProgressDisplay, QuietSaysNothing) {
  std::ostringstream out;
  ProgressDisplay display(out, true, true);
  display.line("done");
  EXPECT_TRUE(out.str().empty());
}

}  // namespace
}  // namespace seedbed::run
