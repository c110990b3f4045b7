#include "seedbed/plugin.hpp"
#include "component_filter.hpp"

namespace seedbed::component_filter {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(
      ComponentFilterParameters::kId,
      typed<ComponentFilterParameters>([](const ComponentFilterParameters& parameters, const ModelContext&) {
        return std::make_shared<ComponentFilter>(parameters);
      }));
}

}  // namespace
}  // namespace seedbed::component_filter

SEEDBED_PLUGIN(seedbed::component_filter::register_all)
