#pragma once

#include "manifest/catalogue.hpp"
#include "study/resolve_dataset.hpp"
#include "study/resolve_method.hpp"

namespace seedbed::study {

/// Turns the composed tables of cells into resolved configurations (RESOLVED.md).
class CellResolver {
 public:
  CellResolver(const manifest::Catalogue& catalogue, Datasets& datasets, Findings& findings, bool allow_missing_files)
      : methods_(catalogue, findings, allow_missing_files), datasets_(datasets), findings_(findings) {}

  /// What is wrong is found, and left out of the result. `place`: of the study, for what is missing.
  Json resolve(const Table& cell, const Place& place) const;

 private:
  MethodReader methods_;
  Datasets& datasets_;
  Findings& findings_;
};

}  // namespace seedbed::study
