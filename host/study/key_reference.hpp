#pragma once

#include <string>

namespace seedbed::study {

/// Every key of a study as Markdown: type, unit, default, one sentence. experiments/README.md holds it.
std::string key_reference();

}  // namespace seedbed::study
