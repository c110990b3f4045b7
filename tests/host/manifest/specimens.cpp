#include "manifest/specimens.hpp"

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

#include <elf.h>

#include "manifest/elf_sections.hpp"
#include "manifest_tool/manifest_writer.hpp"

namespace seedbed::manifest {

PluginManifest plugin_of(const std::string& name, const std::string& vendor, MethodKind kind) {
  PluginManifest plugin;
  plugin.name = name;
  plugin.version = "1.0.0";
  plugin.vendor = vendor;
  MethodManifest method;
  method.id = vendor.empty() ? name : vendor + "." + name;
  method.kind = kind;
  method.summary = "A specimen.";
  method.licence = "Apache-2.0";
  plugin.methods = {method};
  return plugin;
}

std::string fingerprint_json(const Fingerprint& fingerprint) {
  std::string json = "{";
  for (const FingerprintField& field : fingerprint_fields()) {
    json += "\"" + std::string(field.name) + "\":\"" + fingerprint.*field.member + "\",";
  }
  json.back() = '}';
  return json;
}

std::string elf_of(const std::map<std::string, std::string>& sections) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_shentsize = sizeof(Elf64_Shdr);

  std::string body;
  std::string names("\0", 1);
  std::vector<Elf64_Shdr> table(1);
  const auto add = [&](const std::string& name, const std::string& content, Elf64_Word type) {
    Elf64_Shdr section{};
    section.sh_name = static_cast<Elf64_Word>(names.size());
    section.sh_type = type;
    section.sh_offset = sizeof header + body.size();
    names += name + '\0';
    if (type == SHT_STRTAB) body += names;
    body += content;
    section.sh_size = sizeof header + body.size() - section.sh_offset;
    table.push_back(section);
  };
  for (const auto& [name, content] : sections) add(name, content + '\0', SHT_PROGBITS);
  add(".shstrtab", "", SHT_STRTAB);

  header.e_shoff = sizeof header + body.size();
  header.e_shnum = static_cast<Elf64_Half>(table.size());
  header.e_shstrndx = static_cast<Elf64_Half>(table.size() - 1);
  std::string file(reinterpret_cast<const char*>(&header), sizeof header);
  file += body;
  return file.append(reinterpret_cast<const char*>(table.data()), table.size() * sizeof(Elf64_Shdr));
}

std::string library_of(const PluginManifest& manifest, const Fingerprint& fingerprint) {
  return elf_of({{kManifestSection, manifest_tool::manifest_json(manifest)},
                 {kFingerprintSection, fingerprint_json(fingerprint)}});
}

std::filesystem::path real_specimens() {
  const char* folder = std::getenv("SEEDBED_SPECIMENS");
  if (!folder) throw std::runtime_error("SEEDBED_SPECIMENS is not set: run this test with ctest");
  return folder;
}

}  // namespace seedbed::manifest
