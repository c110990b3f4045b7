#include "plugin/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture_folder.hpp"
#include "seedbed/error.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::plugin {
namespace {

using ::testing::AllOf;
using testing::fixture_plugin;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Refusal {
  const char* library;
  const char* message;
  const char* hint;
};

TEST(Registry, TakesAGoodPlugin) {
  Registry registry;
  registry.load(fixture_plugin("good"));
  const RegisteredMethod& method = registry.find(MethodKind::refiner, "fixture.scale");
  EXPECT_EQ(method.manifest.revision, 3);
  EXPECT_EQ(method.library.filename(), "seedbed_fixture_good.so");
  EXPECT_THAT(registry.warnings(), IsEmpty());
}

TEST(Registry, LoadingTwiceDoesNothing) {
  Registry registry;
  registry.load(fixture_plugin("good"));
  registry.load(fixture_plugin("good"));
  EXPECT_THAT(registry.methods(), SizeIs(2));
}

TEST(Registry, AnotherRegistryOfTheProcessTakesItToo) {
  Registry first, second;
  first.load(fixture_plugin("good"));
  second.load(fixture_plugin("good"));
  EXPECT_THAT(second.methods(), SizeIs(2));
}

// What a person can mend: each says what, with both values, and what to do.
TEST(Registry, RefusesWhatCannotBeLoadedHere) {
  const std::vector<Refusal> refusals{
      {"other_host", "torch_version is `1.13.1` in the plugin and `2.11", "rebuild it with this host's SDK"},
      {"other_host", "compiler_major is `9` in the plugin", "--target seedbed_fixture_other_host"},
      {"no_door", "The library has no symbol `seedbed_plugin`.", "SEEDBED_PLUGIN(function)"},
      {"other_epoch", "The plugin's door is of another epoch: `2`, here `1`.", "build it with this host's SDK"},
      {"missing_dependency", "libseedbed_fixture_dependency.so: cannot open shared object file",
       "install the library"}};
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.library);
    Registry registry;
    try {
      registry.load(fixture_plugin(refusal.library));
      ADD_FAILURE() << "it was taken";
    } catch (const UserError& error) {
      EXPECT_THAT(error.message(), HasSubstr(refusal.message));
      EXPECT_THAT(error.hint(), HasSubstr(refusal.hint));
      EXPECT_THAT(error.where(), HasSubstr(std::string("seedbed_fixture_") + refusal.library + ".so"));
    }
    EXPECT_THAT(registry.methods(), IsEmpty());
  }
}

// What the plugin's author must mend; nothing of the library is taken.
TEST(Registry, RefusesBrokenPromisesWhileRegistering) {
  const std::vector<Refusal> refusals{
      {"throws", "registration does not throw", "the licence server does not answer"},
      {"no_factory", "every method of the manifest is registered", "a factory for the refiner `fixture.no_factory`"},
      {"undeclared", "only methods that the manifest declares are registered", "the id `fixture.surprise`"}};
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.library);
    Registry registry;
    try {
      registry.load(fixture_plugin(refusal.library));
      ADD_FAILURE() << "it was taken";
    } catch (const ContractError& error) {
      EXPECT_EQ(error.who(), std::string("fixture_") + refusal.library);
      EXPECT_EQ(error.promise(), refusal.message);
      EXPECT_THAT(error.expected() + error.found(), HasSubstr(refusal.hint));
    }
    EXPECT_THAT(registry.methods(), IsEmpty());
  }
}

TEST(Registry, RefusesAnIdThatAnotherLibraryBrought) {
  Registry registry;
  registry.load(fixture_plugin("good"));
  try {
    registry.load(fixture_plugin("duplicate"));
    FAIL() << "it was taken";
  } catch (const UserError& error) {
    EXPECT_THAT(error.message(), AllOf(HasSubstr("Two libraries bring the refiner `fixture.scale`"),
                                       HasSubstr("seedbed_fixture_good.so")));
  }
  EXPECT_EQ(registry.find(MethodKind::refiner, "fixture.scale").manifest.revision, 3);
}

TEST(Registry, RefusesFilesThatAreNoPlugins) {
  const testing::TempFolder folder;
  Registry registry;
  EXPECT_THROW(registry.load(folder / "absent.so"), UserError);
  EXPECT_THROW(registry.load(folder.write("text.so", "not a library")), UserError);
  EXPECT_THROW(registry.load("/lib64/ld-linux-x86-64.so.2"), UserError);
}

TEST(Registry, NamesTheNearestMethod) {
  Registry registry;
  registry.load(fixture_plugin("good"));
  try {
    registry.find(MethodKind::refiner, "fixture.scal");
    FAIL() << "it was found";
  } catch (const UserError& error) {
    EXPECT_THAT(error.hint(), HasSubstr("`fixture.scale`"));
  }
}

}  // namespace
}  // namespace seedbed::plugin
