#pragma once

#include <memory>

#include "seedbed/plugin.hpp"

namespace seedbed::fixture {

/// Gives back what it got.
class Identity : public Refiner {
 public:
  RefineResult refine(const RefineRequest& request) override { return {request.maps, request.labels}; }
};

inline std::shared_ptr<Refiner> make_identity(const ParameterValues&, const ModelContext&) {
  return std::make_shared<Identity>();
}

}  // namespace seedbed::fixture
