#include "identity.hpp"

static void register_all(seedbed::Registrar&) {}

SEEDBED_PLUGIN(register_all)
