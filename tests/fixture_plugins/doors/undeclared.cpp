#include "identity.hpp"

static void register_all(seedbed::Registrar& registrar) {
  registrar.add_refiner("fixture.undeclared", seedbed::fixture::make_identity);
  registrar.add_refiner("fixture.surprise", seedbed::fixture::make_identity);
}

SEEDBED_PLUGIN(register_all)
