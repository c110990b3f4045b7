#include "manifest/elf_sections.hpp"

#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manifest/host_fingerprint.hpp"
#include "manifest/manifest_json.hpp"
#include "manifest/specimens.hpp"
#include "seedbed/error.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::manifest {
namespace {

using ::testing::HasSubstr;

std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string fine_elf() { return elf_of({{kManifestSection, "{}"}, {kFingerprintSection, "[]"}}); }

// Why these bytes are refused, or "accepted".
std::string refusal(const std::string& bytes) {
  const testing::TempFolder folder;
  try {
    read_plugin_sections(folder.write("x.so", bytes));
  } catch (const UserError& error) {
    return error.message();
  }
  return "accepted";
}

std::string with_header(const std::function<void(Elf64_Ehdr&)>& change) {
  std::string bytes = fine_elf();
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  change(header);
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

// Section 1 is the fingerprint, 2 the manifest, 3 the names.
std::string with_section(int index, const std::function<void(Elf64_Shdr&)>& change) {
  std::string bytes = fine_elf();
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  Elf64_Shdr section;
  char* at = bytes.data() + header.e_shoff + static_cast<std::size_t>(index) * sizeof section;
  std::memcpy(&section, at, sizeof section);
  change(section);
  std::memcpy(at, &section, sizeof section);
  return bytes;
}

TEST(ReadPluginSections, ReadsBothTextsWithoutTheirEnd) {
  const testing::TempFolder folder;
  const PluginSections sections = read_plugin_sections(folder.write("x.so", fine_elf()));
  EXPECT_EQ(sections.manifest, "{}");
  EXPECT_EQ(sections.fingerprint, "[]");
}

TEST(ReadPluginSections, ReadsWhatTheLinkerMade) {
  for (const char* name : {"specimen.so", "stripped.so"}) {
    const PluginSections sections = read_plugin_sections(real_specimens() / name);
    const PluginManifest manifest = plugin_manifest_from_json(sections.manifest, name);
    EXPECT_EQ(manifest.methods.at(0).id, "acme.all_types");
    EXPECT_EQ(manifest.source_revision, "0123abc");
    EXPECT_TRUE(fingerprint_differences(fingerprint_from_json(sections.fingerprint, name), host_fingerprint()).empty());
  }
}

TEST(ReadPluginSections, RefusesWhatIsNoPlugin) {
  EXPECT_THROW(read_plugin_sections("no/such.so"), UserError);
  EXPECT_THROW(read_plugin_sections("/"), UserError);
  EXPECT_THAT(refusal(""), HasSubstr("no shared library"));
  EXPECT_THAT(refusal("\177ELF"), HasSubstr("no shared library"));
  EXPECT_THAT(refusal(std::string(4096, 'x')), HasSubstr("no shared library"));
  EXPECT_THAT(refusal(elf_of({})), HasSubstr("it has no section `.seedbed_manifest`"));
  EXPECT_THAT(refusal(elf_of({{kManifestSection, "{}"}})), HasSubstr("it has no section `.seedbed_fingerprint`"));
}

TEST(ReadPluginSections, RefusesAnotherMachinesFiles) {
  EXPECT_THAT(refusal(with_header([](auto& h) { h.e_ident[EI_CLASS] = ELFCLASS32; })), HasSubstr("another machine"));
  EXPECT_THAT(refusal(with_header([](auto& h) { h.e_ident[EI_DATA] = ELFDATA2MSB; })), HasSubstr("another machine"));
  EXPECT_THAT(refusal(with_header([](auto& h) { h.e_machine = EM_S390; })), HasSubstr("another machine"));
  EXPECT_THAT(refusal(with_header([](auto& h) { h.e_type = ET_REL; })), HasSubstr("no shared library"));
}

TEST(ReadPluginSections, BelievesNoOffset) {
  EXPECT_THAT(refusal(with_header([](auto& h) { h.e_shoff = 0; })), HasSubstr("section table is missing"));
  EXPECT_THAT(refusal(with_header([](auto& h) { h.e_shnum = 0; })), HasSubstr("section table is missing"));
  for (const std::uint64_t absurd : {std::uint64_t{1} << 40, ~std::uint64_t{0}, ~std::uint64_t{0} - 63}) {
    EXPECT_THAT(refusal(with_header([&](auto& h) { h.e_shoff = absurd; })), HasSubstr("`section table`"));
    EXPECT_THAT(refusal(with_section(3, [&](auto& s) { s.sh_offset = absurd; })), HasSubstr("`section names`"));
    EXPECT_THAT(refusal(with_section(3, [&](auto& s) { s.sh_size = absurd; })), HasSubstr("`section names`"));
    EXPECT_THAT(refusal(with_section(2, [&](auto& s) { s.sh_offset = absurd; })), HasSubstr("`.seedbed_manifest`"));
    EXPECT_THAT(refusal(with_section(2, [&](auto& s) { s.sh_size = absurd; })), HasSubstr("`.seedbed_manifest`"));
  }
  EXPECT_THAT(refusal(with_header([](auto& h) { h.e_shnum = 0xfff0; })), HasSubstr("`section table`"));
  EXPECT_THAT(refusal(with_header([](auto& h) { h.e_shentsize = 1; })), HasSubstr("`section table`"));
  EXPECT_THAT(refusal(with_header([](auto& h) { h.e_shstrndx = 200; })), HasSubstr("`section table`"));
  EXPECT_THAT(refusal(with_section(3, [](auto& s) { s.sh_type = SHT_NOBITS; })), HasSubstr("`section names`"));
  EXPECT_THAT(refusal(with_section(2, [](auto& s) { s.sh_type = SHT_NOBITS; })), HasSubstr("`.seedbed_manifest`"));
  EXPECT_THAT(refusal(with_section(2, [](auto& s) { s.sh_name = 0xffffffff; })), HasSubstr("it has no section"));
}

TEST(ReadPluginSections, RefusesTwoOfAKind) {
  const std::string bytes =
      elf_of({{kManifestSection, "{}"}, {kFingerprintSection, "[]"}, {".seedbed_manifesu", "{}"}});
  std::string twice = bytes;
  twice.replace(twice.find(".seedbed_manifesu"), std::strlen(kManifestSection), kManifestSection);
  EXPECT_THAT(refusal(twice), HasSubstr("two sections"));
}

// Whatever a damaged copy holds: sections or a UserError, and nothing else.
class DamagedLibrary : public ::testing::Test {
 protected:
  void expect_harmless() {
    try {
      const PluginSections sections = read_plugin_sections(file_);
      plugin_manifest_from_json(sections.manifest, "damaged");
      fingerprint_from_json(sections.fingerprint, "damaged");
    } catch (const UserError&) {
    }
  }

  const std::string real_ = content_of(real_specimens() / "stripped.so");
  const testing::TempFolder folder_;
  const std::filesystem::path file_ = folder_.write("damaged.so", real_);
};

TEST_F(DamagedLibrary, CutShortAnywhere) {
  for (std::size_t size = real_.size(); size > 0; size -= size < 256 ? 1 : 97) {
    std::filesystem::resize_file(file_, size - 1);
    expect_harmless();
  }
}

TEST_F(DamagedLibrary, FlippedBits) {
  std::mt19937_64 random(20240611);
  Elf64_Ehdr header;
  std::memcpy(&header, real_.data(), sizeof header);
  std::fstream stream(file_, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](std::size_t at, char byte) {
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte).flush();
  };
  for (int round = 0; round < 5000; ++round) {
    // Half of the damage goes where the reader looks first.
    const std::size_t begin = round % 4 == 1 ? header.e_shoff : 0;
    const std::size_t end = round % 4 == 0 ? sizeof header : real_.size();
    std::vector<std::size_t> places;
    for (int flips = 1 + round % 3; flips > 0; --flips) places.push_back(begin + random() % (end - begin));
    for (const std::size_t at : places) put(at, static_cast<char>(real_[at] ^ (1 << random() % 8)));
    expect_harmless();
    for (const std::size_t at : places) put(at, real_[at]);
  }
  EXPECT_EQ(content_of(file_), real_);
}

}  // namespace
}  // namespace seedbed::manifest
