#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "seedbed/parameters.hpp"

// Every key of a study that belongs to the host, described once: the check, the defaults, the help and the reference in
// experiments/README.md all read these lists.
namespace seedbed::study {

/// A key that holds a table, a list of tables, or one of several forms.
struct NestedKey {
  std::string name;
  std::string form;  ///< "a METHOD", "a RULE" ...
  std::string summary;
};

struct HostTable {
  std::string name;     ///< "train"
  std::string heading;  ///< where it stands in a study
  std::string summary;
  std::vector<ParameterSpec> keys;
  std::vector<NestedKey> nested = {};
};

const std::vector<HostTable>& host_tables();

/// Requires: a name of host_tables().
const HostTable& host_table(std::string_view name);

/// Keys known to the grammar that this version does not act on, with what they are for.
const std::vector<NestedKey>& later_keys();

}  // namespace seedbed::study
