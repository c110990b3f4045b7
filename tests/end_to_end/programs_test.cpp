#include <algorithm>

#include <gtest/gtest.h>

#include "program_run.hpp"

namespace seedbed::testing {
namespace {

namespace fs = std::filesystem;

// What the dynamic linker would map, as `ldd` says.
std::string mapped_by(const fs::path& program) {
  const ProgramEnd end = RunningProgram("/usr/bin/ldd", {program.string()}, fs::temp_directory_path()).wait();
  EXPECT_EQ(end.status, 0) << end.err;
  return end.out;
}

TEST(Programs, SeedbedMapsNoTensorLibraryAndNoCodec) {
  const std::string mapped = mapped_by(seedbed_program());
  EXPECT_NE(mapped.find("libsqlite3"), std::string::npos) << mapped;
  for (const char* library : {"libtorch", "libc10", "opencv", "libseedbed_sdk", "libpng", "libjpeg", "libgomp"}) {
    EXPECT_EQ(mapped.find(library), std::string::npos) << library << " is mapped:\n" << mapped;
  }
}

TEST(Programs, TheWorkerMapsLibTorchAndNoStore) {
  const std::string mapped = mapped_by(SEEDBED_WORKER_PROGRAM);
  EXPECT_NE(mapped.find("libtorch_cpu"), std::string::npos) << mapped;
  EXPECT_EQ(mapped.find("libsqlite3"), std::string::npos) << mapped;
  // Debian's codec module alone maps 140 libraries.
  EXPECT_EQ(mapped.find("opencv_imgcodecs"), std::string::npos) << mapped;
}

TEST(Programs, APluginExportsTheDoorAndNothingElse) {
  std::size_t plugins = 0;
  for (const auto& entry : fs::directory_iterator(SEEDBED_PLUGIN_FOLDER)) {
    if (entry.path().extension() != ".so") continue;
    ++plugins;
    const ProgramEnd end =
        RunningProgram("/usr/bin/nm", {"--dynamic", "--defined-only", "--format=posix", entry.path().string()},
                       fs::temp_directory_path())
            .wait();
    ASSERT_EQ(end.status, 0) << end.err;
    EXPECT_EQ(std::count(end.out.begin(), end.out.end(), '\n'), 1) << entry.path() << " exports\n" << end.out;
    EXPECT_EQ(end.out.rfind("seedbed_plugin ", 0), 0u) << entry.path() << " exports\n" << end.out;
  }
  EXPECT_GE(plugins, 7u);
}

}  // namespace
}  // namespace seedbed::testing
