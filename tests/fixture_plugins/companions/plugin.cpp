#include <string>

#include <ATen/ATen.h>

#include "fixture_companions_manifest.hpp"
#include "seedbed/plugin.hpp"

namespace seedbed::fixture {
namespace {

// Its buffers are the last batch, so a checkpoint shows what a fit brought.
class Keeper : public Refiner, public Trainable {
 public:
  explicit Keeper(std::int64_t num_classes) {
    weight_ = register_parameter("weight", at::zeros({1}));
    constexpr std::int64_t n = 4, side = 32;
    maps_ = register_buffer("maps", at::zeros({n, num_classes, side, side}));
    low_ = register_buffer("low", at::zeros({n, num_classes + 1, side, side}));
    sure_ = register_buffer("sure", at::zeros({n, 1, side, side}, at::kLong));
    saliency_ = register_buffer("saliency", at::zeros({n, 1, side, side}));
    target_ = register_buffer("target", at::zeros({n, side, side}, at::kLong));
    places_ = register_buffer("places", at::zeros({n, 2, 3}, at::kDouble));
  }

  RefineResult refine(const RefineRequest& request) override { return {request.maps, {}}; }
  Trainable* trainable() override { return this; }

  Module& trained_module() override { return *this; }
  std::vector<ParameterGroup> parameter_groups() override { return {{"new", {weight_}}}; }

  LossTerms training_step(const StepRequest& request) override {
    const ViewBatch& batch = request.main();
    maps_.copy_(batch.companions.at("maps"));
    low_.copy_(batch.companions.at("low"));
    sure_.copy_(batch.companions.at("sure"));
    saliency_.copy_(batch.companions.at("saliency"));
    places_.copy_(batch.to_image_n23);
    if (batch.target_nhw.defined()) target_.copy_(batch.target_nhw);
    return {{"weight", weight_.square().sum()}};
  }

 private:
  at::Tensor weight_, maps_, low_, sure_, saliency_, target_, places_;
};

void register_all(Registrar& registrar) {
  registrar.add_refiner("fixture.companions", [](const ParameterValues&, const ModelContext& context) {
    return std::make_shared<Keeper>(static_cast<std::int64_t>(context.class_names.size()));
  });
}

}  // namespace
}  // namespace seedbed::fixture

SEEDBED_PLUGIN(seedbed::fixture::register_all)
