// Key functions of the small interfaces: the SDK's library owns their vtables and type information, so a cast or a
// catch works across the plugin door.
#include "seedbed/error.hpp"
#include "seedbed/loss.hpp"
#include "seedbed/model_context.hpp"
#include "seedbed/plugin.hpp"
#include "seedbed/refiner.hpp"
#include "seedbed/run_context.hpp"
#include "seedbed/seed_generator.hpp"
#include "seedbed/segmentation_head.hpp"
#include "seedbed/training_strategy.hpp"

namespace seedbed {

Loss::~Loss() = default;
Refiner::~Refiner() = default;
Registrar::~Registrar() = default;
RunContext::~RunContext() = default;
SeedGenerator::~SeedGenerator() = default;
SegmentationHead::~SegmentationHead() = default;
TrainingStrategy::~TrainingStrategy() = default;

bool RunContext::checkpoints_activations() const { return false; }

NamedTensors RunContext::artefact(std::string_view name) {
  throw UserError("", "no artefact is wired to this need: `" + std::string(name) + "`",
                  "name the node that makes it, as in `" + std::string(name) + " = \"@node\"`");
}

const UsedMethod& ModelContext::used(std::string_view slot) const {
  const auto found = uses.find(slot);
  if (found == uses.end()) {
    throw ContractError("factory", "a factory reads only slots that its manifest declares and the host filled",
                        "a filled slot", "`" + std::string(slot) + "`");
  }
  return found->second;
}

}  // namespace seedbed
