#include "identity.hpp"

int seedbed_fixture_dependency();  // of a library that is not found at run time

static void register_all(seedbed::Registrar& registrar) {
  if (seedbed_fixture_dependency() == 1) {
    registrar.add_refiner("fixture.missing_dependency", seedbed::fixture::make_identity);
  }
}

SEEDBED_PLUGIN(register_all)
