#include "manifest_tool/command_line.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "manifest_tool/generated_code.hpp"
#include "manifest_tool/headers_digest.hpp"
#include "manifest_tool/manifest_writer.hpp"
#include "manifest_tool/plugin_toml.hpp"
#include "seedbed/error.hpp"

namespace seedbed::manifest_tool {
namespace {

using Arguments = std::vector<std::string>;

std::string content_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  // A folder opens, and fails when it is read.
  if (!stream || std::filesystem::is_directory(file)) throw UserError(file, "the file cannot be read");
  return {std::istreambuf_iterator<char>(stream), {}};
}

void write(const std::string& file, const std::string& content) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << content;
  stream.close();
  if (!stream) throw UserError(file, "the file cannot be written");
}

void check(const Arguments& files, std::ostream& out) {
  if (files.empty()) throw UserError("check", "no plugin.toml is given", "usage: seedbed-manifest check FILE...");
  std::vector<UserError> errors;
  for (const std::string& file : files) {
    try {
      const PluginManifest manifest = plugin_manifest_from_toml(content_of(file), file);
      out << file << ": " << manifest.name << ' ' << manifest.version;
      for (const MethodManifest& method : manifest.methods)
        out << ", " << name_of(method.kind) << " `" << method.id << '`';
      out << '\n';
    } catch (const UserError& error) {
      errors.push_back(error);
    }
  }
  if (!errors.empty()) throw UserErrors(std::move(errors));
}

const std::vector<std::string> kEmbedOptions{"--input", "--source-revision", "--fingerprint", "--header", "--source"};

std::map<std::string, std::string> embed_options(const Arguments& arguments) {
  const std::string usage_hint =
      "usage: seedbed-manifest embed --input plugin.toml --source-revision REVISION "
      "--fingerprint FILE.json --header OUT.hpp --source OUT.cpp";
  std::map<std::string, std::string> options;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    if (std::ranges::find(kEmbedOptions, arguments[i]) == kEmbedOptions.end()) {
      throw UserError("embed", "unknown option `" + arguments[i] + "`", usage_hint);
    }
    if (i + 1 == arguments.size())
      throw UserError("embed", "an option needs a value: `" + arguments[i] + "`", usage_hint);
    options[arguments[i]] = arguments[i + 1];
  }
  for (const std::string& option : kEmbedOptions) {
    if (!options.contains(option)) throw UserError("embed", "an option is missing: `" + option + "`", usage_hint);
  }
  return options;
}

void embed(const Arguments& arguments) {
  const auto options = embed_options(arguments);
  const std::string& input = options.at("--input");
  const std::string& fingerprint = options.at("--fingerprint");
  PluginManifest manifest = plugin_manifest_from_toml(content_of(input), input);
  manifest.source_revision = options.at("--source-revision");
  write(options.at("--source"),
        section_source(manifest_json(manifest), compact_fingerprint(content_of(fingerprint), fingerprint)));
  write(options.at("--header"), parameter_header(manifest));
}

}  // namespace

std::string usage() {
  return "seedbed-manifest: reads the plugin.toml of a Seedbed plugin\n"
         "\n"
         "  check FILE...        says everything that is wrong\n"
         "  embed --input plugin.toml --source-revision REVISION --fingerprint FILE.json --header OUT.hpp\n"
         "        --source OUT.cpp\n"
         "                       writes the parameter structs, and the source that carries manifest and fingerprint\n"
         "  headers-digest DIR   digest of the headers below DIR, comments and white space left out\n";
}

void run(const Arguments& arguments, std::ostream& out) {
  const std::string command = arguments.empty() ? "--help" : arguments.front();
  const Arguments rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  if (command == "--help" || command == "help") {
    out << usage();
  } else if (command == "check") {
    check(rest, out);
  } else if (command == "embed") {
    embed(rest);
  } else if (command == "headers-digest") {
    if (rest.size() != 1) throw UserError(command, "it takes one folder", "usage: seedbed-manifest headers-digest DIR");
    out << headers_digest(rest.front()) << '\n';
  } else {
    throw UserError("seedbed-manifest", "unknown command `" + command + "`",
                    "accepted: `check`, `embed`, `headers-digest`, `--help`");
  }
}

}  // namespace seedbed::manifest_tool
