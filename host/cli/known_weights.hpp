#pragma once

#include <string>
#include <string_view>

namespace seedbed::cli {

/// A weights file that its authors published.
struct KnownWeights {
  std::string_view name;    ///< as it is published
  std::string_view origin;  ///< who published it, and what it holds
  std::string_view sha256;  ///< all of it, or its first digits; "" where the name carries them or none was published
};

/// The file with this digest, else the one with this name; nullptr where neither is known.
const KnownWeights* find_known_weights(std::string_view file_name, std::string_view sha256);

/// The first digits that the published digest has: the table's, or those that PyTorch's habit puts at the end of a name
/// ("resnet50-0676ba61.pth"); "" where nothing is known.
std::string expected_digest(std::string_view file_name, const KnownWeights* known);

}  // namespace seedbed::cli
