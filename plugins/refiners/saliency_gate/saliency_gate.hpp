#pragma once

#include "saliency_gate_manifest.hpp"
#include "seedbed/refiner.hpp"

namespace seedbed::saliency_gate {

/// Class planes times saliency S, at the image's size; a background plane becomes the higher of itself and 1 - S (the
/// background of DRS, method notes 3.6).
///
/// Throws: ContractError where the request holds no `saliency`.
class SaliencyGate final : public Refiner {
 public:
  explicit SaliencyGate(const SaliencyGateParameters& parameters) : parameters_(parameters) {}

  RefineResult refine(const RefineRequest& request) override;

 private:
  SaliencyGateParameters parameters_;
};

/// Labels beside salient pixels. A confidence that comes with the labels is 0 where a label changed.
///
/// Throws: ContractError where the request holds no `saliency`.
class SaliencyGateLabels final : public Refiner {
 public:
  explicit SaliencyGateLabels(SaliencyGateLabelsParameters parameters) : parameters_(std::move(parameters)) {}

  RefineResult refine(const RefineRequest& request) override;

 private:
  SaliencyGateLabelsParameters parameters_;
};

}  // namespace seedbed::saliency_gate
