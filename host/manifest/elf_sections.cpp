#include "manifest/elf_sections.hpp"

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include <elf.h>

#include "digest/open_file.hpp"
#include "seedbed/error.hpp"

namespace seedbed::manifest {
namespace {

// Far above what real files hold; a file that claims more is damaged or means harm.
constexpr std::uint64_t kLargestNameTable_bytes = 1 << 20;
constexpr std::uint64_t kLargestText_bytes = 8 << 20;

constexpr Elf64_Half kThisMachine =
#if defined(__x86_64__)
    EM_X86_64;
#elif defined(__aarch64__)
    EM_AARCH64;
#else
#error "name this machine's ELF number"
#endif

class ElfFile {
 public:
  explicit ElfFile(const std::filesystem::path& path)
      : path_(path), file_(path), size_(static_cast<std::uint64_t>(file_.status().st_size)) {
    read_header();
    read_section_table();
  }

  /// The text of the one section with this name. Throws: UserError.
  std::string text(std::string_view section_name) const {
    const Elf64_Shdr* found = nullptr;
    for (const Elf64_Shdr& section : sections_) {
      if (name_of(section) != section_name) continue;
      if (found) reject("it holds two sections `" + std::string(section_name) + "`");
      found = &section;
    }
    if (!found) {
      reject("it is no Seedbed plugin: it has no section `" + std::string(section_name) + "`",
             "a plugin is built with seedbed_add_plugin()");
    }
    if (found->sh_type != SHT_PROGBITS || found->sh_size > kLargestText_bytes) reject_damaged(section_name);
    std::string text = bytes(found->sh_offset, found->sh_size, section_name);
    while (text.ends_with('\0')) text.pop_back();
    return text;
  }

 private:
  [[noreturn]] void reject(const std::string& reason, const std::string& hint = {}) const {
    throw UserError(path_.string(), reason, hint);
  }

  [[noreturn]] void reject_damaged(std::string_view what) const {
    reject("the file is cut short or damaged: its `" + std::string(what) + "` cannot be read");
  }

  std::string bytes(std::uint64_t offset, std::uint64_t count, std::string_view what) const {
    if (count > size_ || offset > size_ - count) reject_damaged(what);
    std::string result(count, '\0');
    if (!file_.read_at(offset, std::as_writable_bytes(std::span(result)))) reject_damaged(what);
    return result;
  }

  void read_header() {
    const std::string raw = size_ < sizeof header_ ? std::string() : bytes(0, sizeof header_, "ELF header");
    if (!raw.starts_with(ELFMAG)) reject("it is no shared library", "accepted: 64-bit ELF shared libraries");
    std::memcpy(&header_, raw.data(), sizeof header_);
    if (header_.e_ident[EI_CLASS] != ELFCLASS64 || header_.e_ident[EI_DATA] != ELFDATA2LSB ||
        header_.e_machine != kThisMachine) {
      reject("it was built for another machine");
    }
    if (header_.e_type != ET_DYN) reject("it is an ELF file, but no shared library");
  }

  void read_section_table() {
    if (header_.e_shoff == 0 || header_.e_shnum == 0) {
      reject("its section table is missing", "`strip` keeps it; other tools may not");
    }
    if (header_.e_shentsize != sizeof(Elf64_Shdr) || header_.e_shstrndx >= header_.e_shnum) {
      reject_damaged("section table");
    }
    const std::string raw = bytes(header_.e_shoff, header_.e_shnum * sizeof(Elf64_Shdr), "section table");
    sections_.resize(header_.e_shnum);
    std::memcpy(sections_.data(), raw.data(), raw.size());
    const Elf64_Shdr& names = sections_[header_.e_shstrndx];
    if (names.sh_type != SHT_STRTAB || names.sh_size > kLargestNameTable_bytes) reject_damaged("section names");
    names_ = bytes(names.sh_offset, names.sh_size, "section names");
  }

  std::string_view name_of(const Elf64_Shdr& section) const {
    if (section.sh_name >= names_.size()) return {};
    const std::string_view rest = std::string_view(names_).substr(section.sh_name);
    return rest.substr(0, rest.find('\0'));
  }

  std::filesystem::path path_;
  digest::OpenFile file_;
  std::uint64_t size_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Shdr> sections_;
  std::string names_;
};

}  // namespace

PluginSections read_plugin_sections(const std::filesystem::path& file) {
  const ElfFile elf(file);
  return {elf.text(kManifestSection), elf.text(kFingerprintSection)};
}

}  // namespace seedbed::manifest
