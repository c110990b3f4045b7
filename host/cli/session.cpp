#include "cli/session.hpp"

#include <iostream>

namespace seedbed::cli {

manifest::Catalogue Session::catalogue() const {
  return manifest::Catalogue::scan(manifest::search_places(plugin_path, manifest::this_executable()),
                                   {.builtin_only = builtin_only, .host = std::nullopt});
}

study::Study read_study(const Session& session, const StudyFlags& flags, const manifest::Catalogue& catalogue) {
  study::ReadOptions options{
      .sets = flags.sets, .images_limit = flags.images, .allow_missing_files = flags.allow_missing_files};
  if (session.threads > 0) options.sets.push_back("execution.threads=" + std::to_string(session.threads));
  return study::read_study(flags.file, catalogue, options);
}

void print_json(const nlohmann::ordered_json& json) { std::cout << json.dump(2) << '\n'; }

}  // namespace seedbed::cli
