#include "identity.hpp"

static void register_all(seedbed::Registrar& registrar) {
  registrar.add_refiner("fixture.other_host", seedbed::fixture::make_identity);
}

SEEDBED_PLUGIN(register_all)
