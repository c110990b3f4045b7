#include <ATen/ATen.h>

#include "fixture_good_manifest.hpp"
#include "seedbed/plugin.hpp"

namespace seedbed::fixture {
namespace {

class Scale : public Refiner {
 public:
  Scale(double factor, std::shared_ptr<Refiner> inner) : factor_(factor), inner_(std::move(inner)) {}

  RefineResult refine(const RefineRequest& request) override {
    RefineRequest inner_request = request;
    if (inner_) inner_request.maps = inner_->refine(request).maps;
    RefineResult result{inner_request.maps, {}};
    result.maps.scores_nphw = result.maps.scores_nphw * factor_;
    return result;
  }

 private:
  double factor_;
  std::shared_ptr<Refiner> inner_;
};

void register_all(Registrar& registrar) {
  registrar.add_refiner("fixture.scale", [](const ParameterValues& values, const ModelContext& context) {
    const auto inner = context.uses.find("inner");
    return std::make_shared<Scale>(parameter<double>(values, "factor", "fixture.scale"),
                                   inner == context.uses.end() ? nullptr : inner->second.refiner);
  });
}

}  // namespace
}  // namespace seedbed::fixture

SEEDBED_PLUGIN(seedbed::fixture::register_all)
