#include "seedbed/plugin.hpp"
#include "drs.hpp"
#include "map_refinement.hpp"

namespace seedbed::drs {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_seed_generator(DrsParameters::kId,
                               typed<DrsParameters>([](const DrsParameters& parameters, const ModelContext& context) {
                                 return std::make_shared<Drs>(parameters, context);
                               }));
  registrar.add_refiner(
      DrsMapRefinementParameters::kId,
      typed<DrsMapRefinementParameters>([](const DrsMapRefinementParameters& parameters, const ModelContext& context) {
        return std::make_shared<MapRefinement>(parameters, context);
      }));
}

}  // namespace
}  // namespace seedbed::drs

SEEDBED_PLUGIN(seedbed::drs::register_all)
