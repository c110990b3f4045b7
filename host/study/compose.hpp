#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "study/findings.hpp"
#include "study/node.hpp"

// How layers of settings lie over each other: an extended file, the study, the levels of a cell, `--set`.
namespace seedbed::study {

/// Lays `over` on `base`.
///
/// Tables merge key by key, everything else is replaced, with three rules. Naming another `method` (in `[dataset]`:
/// `kind`; in a rule: `rule`) first empties the table of what belonged to the old one. Of two keys that exclude each
/// other (`epochs` and `steps`, `value` and `choose`) the upper one stays. A table over an array of tables addresses
/// its members by name; `refiner` arrays merge by name.
void overlay(Table& base, const Table& over, Findings& findings);

/// The same for one host table of a method, e.g. `train`: layers of presets and of the study.
void overlay_table(Table& base, const Table& over, std::string_view table_name, Findings& findings);

/// The study file over everything it extends, nothing else applied.
/// Throws: UserError for a file that is missing, is no TOML, or extends itself.
Table load_composed(const std::filesystem::path& file);

/// The settings of all flags as one layer. Throws: UserError naming the flag.
Table combined_sets(const std::vector<std::string>& sets, Findings& findings);

/// What a node is called that has no `name`: its method's id, without the vendor.
std::string name_after(std::string_view method_id);

/// `${NAME}` replaced by the environment. Throws: UserError at `place` for a variable that is not set.
std::string expand_environment(const std::string& text, const Place& place);

/// A path as written at `place`: expanded, and absolute from the folder of the file it stands in.
std::filesystem::path absolute_path(const std::string& text, const Place& place);

}  // namespace seedbed::study
