#include "seedbed/plugin.hpp"
#include "bilateral_solver.hpp"

namespace seedbed::bilateral_solver {
namespace {

void register_all(Registrar& registrar) {
  registrar.add_refiner(
      BilateralSolverParameters::kId,
      typed<BilateralSolverParameters>([](const BilateralSolverParameters& parameters, const ModelContext&) {
        return std::make_shared<BilateralSolver>(parameters);
      }));
}

}  // namespace
}  // namespace seedbed::bilateral_solver

SEEDBED_PLUGIN(seedbed::bilateral_solver::register_all)
