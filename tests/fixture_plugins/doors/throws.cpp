#include <stdexcept>

#include "identity.hpp"

static void register_all(seedbed::Registrar& registrar) {
  registrar.add_refiner("fixture.throws", seedbed::fixture::make_identity);
  throw std::runtime_error("the licence server does not answer");
}

SEEDBED_PLUGIN(register_all)
