#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace seedbed::manifest_tool {

/// Runs one command (see usage()). Throws: UserError.
void run(const std::vector<std::string>& arguments, std::ostream& out);

std::string usage();

}  // namespace seedbed::manifest_tool
