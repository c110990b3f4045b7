#include <numeric>

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

// Every class is as likely as the image is bright, pixel by pixel: a linear network whose curves are known.
class Brightness : public SeedGenerator {
 public:
  Brightness(bool gives_logits, std::int64_t num_classes) : gives_logits_(gives_logits), num_classes_(num_classes) {}

  SeedResult generate(const SeedRequest& request) override {
    const at::Tensor maps = request.images_nchw.mean(1, /*keepdim=*/true);
    SeedResult result;
    result.maps.scores_nphw = maps.expand({-1, num_classes_, -1, -1}).contiguous();
    result.maps.planes.resize(static_cast<std::size_t>(num_classes_));
    std::iota(result.maps.planes.begin(), result.maps.planes.end(), 1);
    for (const View& view : request.views) result.maps.covered.push_back(view.covered);
    if (request.logits_wanted && gives_logits_) result.logits_nc = result.maps.scores_nphw.mean({2, 3});
    return result;
  }

  Backbone* backbone() override { return nullptr; }

 private:
  bool gives_logits_;
  std::int64_t num_classes_;
};

void register_all(Registrar& registrar) {
  registrar.add_seed_generator("fixture.brightness", [](const ParameterValues& values, const ModelContext& context) {
    return std::make_shared<Brightness>(parameter<bool>(values, "logits", "fixture.brightness"), context.num_classes());
  });
  registrar.add_refiner("fixture.scale", [](const ParameterValues& values, const ModelContext& context) {
    const auto inner = context.uses.find("inner");
    return std::make_shared<Scale>(parameter<double>(values, "factor", "fixture.scale"),
                                   inner == context.uses.end() ? nullptr : inner->second.refiner);
  });
}

}  // namespace
}  // namespace seedbed::fixture

SEEDBED_PLUGIN(seedbed::fixture::register_all)
