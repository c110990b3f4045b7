#pragma once

#include "component_filter_manifest.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::component_filter {

/// Takes the label from small connected regions. A confidence that comes with the labels stays where they stay, and is 0
/// where a region went.
class ComponentFilter final : public Refiner {
 public:
  explicit ComponentFilter(ComponentFilterParameters parameters) : parameters_(std::move(parameters)) {}

  RefineResult refine(const RefineRequest& request) override;

 private:
  ComponentFilterParameters parameters_;
};

}  // namespace seedbed::component_filter
