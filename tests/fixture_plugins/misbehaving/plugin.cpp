#include <cfenv>
#include <clocale>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include "fixture_misbehaving_manifest.hpp"
#include "seedbed/plugin.hpp"

namespace seedbed::fixture {
namespace {

using Behaviour = std::function<RefineResult(const RefineRequest&)>;

class Misbehaving : public Refiner {
 public:
  explicit Misbehaving(Behaviour behaviour) : behaviour_(std::move(behaviour)) {}
  RefineResult refine(const RefineRequest& request) override { return behaviour_(request); }

 private:
  Behaviour behaviour_;
};

RefineResult with_scores(const RefineRequest& request, const at::Tensor& scores) {
  RefineResult result{request.maps, {}};
  result.maps.scores_nphw = scores;
  return result;
}

RefineResult loses_a_plane(const RefineRequest& request) {
  const at::Tensor& scores = request.maps.scores_nphw;
  return with_scores(request, at::zeros({1, scores.size(1) + 1, scores.size(2), scores.size(3)}));
}

RefineResult divides_zero(const RefineRequest& request) {
  return with_scores(request, request.maps.scores_nphw * std::numeric_limits<float>::quiet_NaN());
}

RefineResult scribbles(const RefineRequest& request) {
  at::Tensor image = request.images_nhwc;
  image.fill_(7);
  return with_scores(request, request.maps.scores_nphw);
}

RefineResult throws_torch(const RefineRequest& request) {
  return with_scores(request, request.maps.scores_nphw + at::zeros({5, 4, 3, 2, 7}));
}

RefineResult throws_int(const RefineRequest&) { throw 42; }

RefineResult leaves_state(const RefineRequest& request) {
  std::setlocale(LC_ALL, "C.UTF-8");
  std::fesetround(FE_UPWARD);
  at::set_num_threads(at::get_num_threads() + 1);
  return with_scores(request, request.maps.scores_nphw);
}

RefineResult gives_labels(const RefineRequest& request) {
  RefineResult result;
  result.labels.labels_nhw = at::zeros({1, request.images_nhwc.size(1), request.images_nhwc.size(2)}, at::kByte);
  return result;
}

RefineResult crashes(const RefineRequest&) { std::abort(); }

// As LibTorch's own operations without a deterministic form do before they compute.
RefineResult differs(const RefineRequest& request) {
  at::globalContext().alertNotDeterministic("differs_fixture");
  return with_scores(request, request.maps.scores_nphw);
}

RefineResult hungry(const RefineRequest& request) {
  constexpr std::int64_t kTebibyte = std::int64_t{1} << 40;
  return with_scores(request, at::zeros({64 * kTebibyte}));
}

RefineResult draws(const RefineRequest& request) {
  return with_scores(request, request.maps.scores_nphw + 0.1 * at::rand_like(request.maps.scores_nphw));
}

void register_all(Registrar& registrar) {
  const auto add = [&](const char* id, Behaviour behaviour) {
    registrar.add_refiner(id, [behaviour](const ParameterValues&, const ModelContext&) {
      return std::make_shared<Misbehaving>(behaviour);
    });
  };
  add("fixture.wrong_shape", loses_a_plane);
  add("fixture.nan", divides_zero);
  add("fixture.scribbles", scribbles);
  add("fixture.throws_torch", throws_torch);
  add("fixture.throws_int", throws_int);
  add("fixture.leaves_state", leaves_state);
  add("fixture.labels", gives_labels);
  add("fixture.crashes", crashes);
  add("fixture.differs", differs);
  add("fixture.hungry", hungry);
  add("fixture.draws", draws);
  registrar.add_refiner("fixture.crashes_at", [](const ParameterValues& values, const ModelContext&) {
    const std::string image = parameter<std::string>(values, "image", "fixture.crashes_at");
    return std::make_shared<Misbehaving>([image](const RefineRequest& request) {
      if (request.image_ids.at(0) == image) std::abort();
      return with_scores(request, request.maps.scores_nphw);
    });
  });
  registrar.add_refiner("fixture.throws_while", [](const ParameterValues& values, const ModelContext&) {
    const std::string file = parameter<std::string>(values, "file", "fixture.throws_while");
    return std::make_shared<Misbehaving>([file](const RefineRequest& request) {
      if (std::filesystem::exists(file)) throw std::runtime_error("the file is there");
      return with_scores(request, request.maps.scores_nphw);
    });
  });
  registrar.add_refiner(
      "fixture.null", [](const ParameterValues&, const ModelContext&) -> std::shared_ptr<Refiner> { return nullptr; });
}

}  // namespace
}  // namespace seedbed::fixture

SEEDBED_PLUGIN(seedbed::fixture::register_all)
