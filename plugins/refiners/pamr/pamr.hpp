#pragma once

#include "pamr_manifest.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::pamr {

class Pamr final : public Refiner {
 public:
  explicit Pamr(PamrParameters parameters) : parameters_(std::move(parameters)) {}

  RefineResult refine(const RefineRequest& request) override;

 private:
  PamrParameters parameters_;
};

}  // namespace seedbed::pamr
