#include <cstdlib>

#include <gtest/gtest.h>

#include "manifest/catalogue.hpp"

namespace seedbed::manifest {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> as_text(const std::vector<SearchPlace>& places) {
  std::vector<std::string> text;
  for (const SearchPlace& place : places)
    text.push_back(std::string(name_of(place.origin)) + " " + place.path.string());
  return text;
}

TEST(SearchPlaces, ComeInTheDesignsOrder) {
  ::setenv("SEEDBED_PLUGIN_PATH", "/env/one::/env/two.so:", 1);
  ::setenv("XDG_DATA_HOME", "/data", 1);
  EXPECT_EQ(as_text(search_places({"/flag", "x.so"}, "/opt/seedbed/bin/seedbed")),
            (std::vector<std::string>{"--plugin-path /flag", "--plugin-path x.so", "SEEDBED_PLUGIN_PATH /env/one",
                                      "SEEDBED_PLUGIN_PATH /env/two.so", "user data folder /data/seedbed/plugins",
                                      "beside the program /opt/seedbed/lib/seedbed/plugins"}));
}

TEST(SearchPlaces, FollowTheXdgSpecification) {
  ::unsetenv("SEEDBED_PLUGIN_PATH");
  ::setenv("XDG_DATA_HOME", "relative", 1);
  ::setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(search_places({}, "/bin/seedbed").front().path, "/home/someone/.local/share/seedbed/plugins");
  ::unsetenv("XDG_DATA_HOME");
  ::unsetenv("HOME");
  EXPECT_EQ(as_text(search_places({}, "/usr/bin/seedbed")),
            (std::vector<std::string>{"beside the program /usr/lib/seedbed/plugins"}));
}

TEST(ThisExecutable, IsThisTest) { EXPECT_EQ(this_executable().filename(), "manifest_test"); }

}  // namespace
}  // namespace seedbed::manifest
