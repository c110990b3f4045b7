#include "manifest/catalogue.hpp"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manifest/host_fingerprint.hpp"
#include "manifest/specimens.hpp"
#include "seedbed/error.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::manifest {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Catalogue scan(const fs::path& path, const ScanOptions& options = {}) {
  return Catalogue::scan({{path, SearchOrigin::plugin_path}}, options);
}

std::string refusal(const Catalogue& catalogue, MethodKind kind, const std::string& id) {
  try {
    catalogue.find(kind, id);
  } catch (const UserError& error) {
    return error.what();
  }
  return "found";
}

// Why the only file of this content is not taken.
std::string reason_for(const std::string& content) {
  const testing::TempFolder folder;
  const Catalogue catalogue = scan(folder.write("x.so", content));
  EXPECT_EQ(catalogue.files().size(), 1u);
  EXPECT_NE(catalogue.files()[0].taken, !catalogue.files()[0].reason.empty());
  return catalogue.files()[0].reason;
}

TEST(Catalogue, TakesFolderAndFilesInOrder) {
  const testing::TempFolder folder;
  folder.write("b.so", library_of(plugin_of("b")));
  folder.write("a.so", library_of(plugin_of("a")));
  folder.write("notes.txt", "not looked at");
  const auto other = folder.write("other/c.so", library_of(plugin_of("c", "", MethodKind::loss)));
  const Catalogue catalogue =
      Catalogue::scan({{folder.path(), SearchOrigin::plugin_path}, {other, SearchOrigin::environment}});
  ASSERT_EQ(catalogue.files().size(), 3u);
  EXPECT_EQ(catalogue.files()[0].path.filename(), "a.so");
  EXPECT_EQ(catalogue.files()[1].path.filename(), "b.so");
  EXPECT_EQ(catalogue.files()[2].origin, SearchOrigin::environment);
  for (const PluginFile& file : catalogue.files()) EXPECT_TRUE(file.taken) << file.reason;

  const FoundMethod found = catalogue.find(MethodKind::refiner, "b");
  EXPECT_EQ(found.method->id, "b");
  EXPECT_EQ(found.file, &catalogue.files()[1]);
  EXPECT_THAT(found.file->manifest_json, HasSubstr("\"id\":\"b\""));
  EXPECT_EQ(catalogue.methods().size(), 3u);
  EXPECT_EQ(catalogue.methods(MethodKind::refiner).size(), 2u);
  EXPECT_TRUE(catalogue.methods(MethodKind::backbone).empty());
}

TEST(Catalogue, TakesTheLinkersLibraries) {
  const Catalogue catalogue = scan(real_specimens() / "stripped.so");
  EXPECT_TRUE(catalogue.files()[0].taken) << catalogue.files()[0].reason;
  EXPECT_EQ(catalogue.find(MethodKind::seed_generator, "acme.all_types").method->revision, 4);
}

TEST(Catalogue, StaysRightWhenCopied) {
  Catalogue copy = Catalogue::of({plugin_of("a")});
  {
    const Catalogue original = Catalogue::of({plugin_of("b")});
    copy = original;
  }
  EXPECT_EQ(copy.find(MethodKind::refiner, "b").file, &copy.files()[0]);
}

TEST(Catalogue, SaysWhyAFileIsNotTaken) {
  EXPECT_THAT(reason_for("text"), HasSubstr("no shared library"));
  EXPECT_THAT(reason_for(elf_of({})), HasSubstr("no Seedbed plugin"));
  EXPECT_THAT(reason_for(elf_of({{".seedbed_manifest", "{"}, {".seedbed_fingerprint", "{}"}})),
              HasSubstr("not valid JSON"));
  PluginManifest newer = plugin_of("a");
  newer.schema = 2;
  EXPECT_THAT(reason_for(library_of(newer)), HasSubstr("schema is `2`"));
  EXPECT_EQ(reason_for(library_of(plugin_of("a"))), "");
}

TEST(Catalogue, SaysThatAPlaceIsMissing) {
  const Catalogue catalogue = Catalogue::scan({{"/no/flag", SearchOrigin::plugin_path},
                                               {"/no/env", SearchOrigin::environment},
                                               {"/no/data", SearchOrigin::user_data},
                                               {"/no/lib", SearchOrigin::beside_executable}});
  ASSERT_EQ(catalogue.files().size(), 2u);  // nobody asked for the other two
  for (const PluginFile& file : catalogue.files()) EXPECT_THAT(file.reason, HasSubstr("no such file or folder"));
}

TEST(Catalogue, ListsAFileOnce) {
  const testing::TempFolder folder;
  const auto file = folder.write("a.so", library_of(plugin_of("a")));
  fs::create_symlink(file, folder / "b.so");
  const Catalogue catalogue = scan(folder.path());
  ASSERT_EQ(catalogue.files().size(), 2u);
  EXPECT_TRUE(catalogue.files()[0].taken);
  EXPECT_THAT(catalogue.files()[1].reason, HasSubstr("the same file"));
  EXPECT_EQ(catalogue.find(MethodKind::refiner, "a").file, &catalogue.files()[0]);
}

TEST(Catalogue, ComparesFingerprintsInWords) {
  const testing::TempFolder folder;
  Fingerprint other = host_fingerprint();
  other.torch_version = "2.10.0";
  other.compiler_major = "13";
  folder.write("a.so", library_of(plugin_of("a"), other));
  folder.write("b.so", library_of(plugin_of("b", "acme"), other));
  const Catalogue catalogue = scan(folder.path());
  const PluginFile& file = catalogue.files()[0];
  EXPECT_FALSE(file.taken);
  EXPECT_EQ(file.differences.size(), 2u);
  EXPECT_THAT(file.reason, AllOf(HasSubstr("`torch_version` is `2.10.0`, the host's is `2.11"),
                                 HasSubstr("`compiler_major` is `13`"), HasSubstr("rebuild it with `./dev build`")));
  EXPECT_THAT(catalogue.files()[1].reason, HasSubstr("cmake -S <its sources> -B build -DCMAKE_PREFIX_PATH="));
  EXPECT_EQ(file.manifest->name, "a");  // still readable
  EXPECT_THAT(refusal(catalogue, MethodKind::refiner, "a"),
              AllOf(HasSubstr("unknown refiner `a`"), HasSubstr("a.so`: it was built for another Seedbed")));

  ScanOptions options;
  options.host = other;
  EXPECT_TRUE(scan(folder.path(), options).files()[0].taken);
}

TEST(Catalogue, PlainIdsAreNoThirdPartys) {
  PluginManifest thief = plugin_of("drs", "acme");
  thief.methods[0].id = "drs";
  EXPECT_THAT(reason_for(library_of(thief)), HasSubstr("plain ids belong to Seedbed's own methods"));
  thief.methods[0].id = "other.drs";
  EXPECT_THAT(reason_for(library_of(thief)), HasSubstr("must begin with the vendor's name"));
  thief.methods[0].id = "acme.drs";
  EXPECT_EQ(reason_for(library_of(thief)), "");
}

TEST(Catalogue, SafeModeListsButDoesNotTake) {
  const testing::TempFolder folder;
  const auto file = folder.write("a.so", library_of(plugin_of("a")));
  const ScanOptions options{.builtin_only = true, .host = {}};
  EXPECT_THAT(scan(file, options).files()[0].reason, HasSubstr("safe mode"));
  EXPECT_TRUE(Catalogue::scan({{file, SearchOrigin::beside_executable}}, options).files()[0].taken);
}

TEST(Catalogue, DuplicatesAreRefusedWhenUsed) {
  const testing::TempFolder folder;
  folder.write("one.so", library_of(plugin_of("pamr")));
  folder.write("two.so", library_of(plugin_of("pamr")));
  folder.write("three.so", library_of(plugin_of("par")));
  const Catalogue catalogue = scan(folder.path());
  for (const PluginFile& file : catalogue.files()) EXPECT_TRUE(file.taken);
  EXPECT_THAT(refusal(catalogue, MethodKind::refiner, "pamr"),
              AllOf(HasSubstr("two libraries declare the refiner `pamr`"), HasSubstr("one.so`"), HasSubstr("two.so`")));
  EXPECT_FALSE(catalogue.find_if_present(MethodKind::refiner, "pamr"));
  EXPECT_TRUE(catalogue.find_if_present(MethodKind::refiner, "par"));
  EXPECT_EQ(catalogue.methods(MethodKind::refiner).size(), 3u);
}

TEST(Catalogue, AnUnknownMethodComesWithHelp) {
  const testing::TempFolder folder;
  folder.write("a.so", library_of(plugin_of("dense_crf")));
  folder.write("b.so", library_of(plugin_of("cam", "", MethodKind::seed_generator)));
  folder.write("broken.so", "text");
  Fingerprint other = host_fingerprint();
  other.compiler = "clang";
  folder.write("old.so", library_of(plugin_of("par"), other));
  const Catalogue catalogue = scan(folder.path());
  const std::string slip = refusal(catalogue, MethodKind::refiner, "dense_crg");
  EXPECT_THAT(slip, AllOf(HasSubstr("unknown refiner `dense_crg`"), HasSubstr("nearest: `dense_crf`"),
                          HasSubstr("accepted: `dense_crf`"), HasSubstr("broken.so`: it is no shared library")));
  EXPECT_THAT(slip, Not(HasSubstr("old.so")));  // readable, and not what was asked for
  EXPECT_THAT(refusal(catalogue, MethodKind::refiner, "par"), HasSubstr("old.so`: it was built for another Seedbed"));
  EXPECT_THAT(refusal(catalogue, MethodKind::refiner, "cam"), HasSubstr("`cam` is a seed generator"));
  EXPECT_THAT(refusal(catalogue, MethodKind::training_strategy, "x"), HasSubstr("no training strategy was found"));
  EXPECT_FALSE(catalogue.find_if_present(MethodKind::refiner, "nothing"));
}

TEST(Catalogue, OfManifestsForTests) {
  const Catalogue catalogue = Catalogue::of({plugin_of("a"), plugin_of("b", "acme")});
  EXPECT_EQ(catalogue.find(MethodKind::refiner, "acme.b").file->path, "b.so");
}

// The design's aim is 200 files in about a millisecond of reading; parsing and a loaded machine are on top.
TEST(Catalogue, TwoHundredFilesAreQuick) {
  const testing::TempFolder folder;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "p" + std::to_string(i);
    folder.write(name + ".so", library_of(plugin_of(name)));
  }
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(scan(folder.path()).methods().size(), 200u);
  const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - start;
  RecordProperty("scan_ms", std::to_string(passed.count()));
  EXPECT_LT(passed.count(), 500.0);
}

}  // namespace
}  // namespace seedbed::manifest
