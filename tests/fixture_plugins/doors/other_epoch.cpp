#include "identity.hpp"

static void register_all(seedbed::Registrar*) {}

extern "C" SEEDBED_API const SeedbedPluginDescriptor seedbed_plugin;
extern "C" const SeedbedPluginDescriptor seedbed_plugin = {sizeof(SeedbedPluginDescriptor), kSeedbedPluginEpoch + 1,
                                                           register_all};
