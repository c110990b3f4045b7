#include "seedbed/plugin.hpp"
#include "superpixel.hpp"
#include "superpixel_manifest.hpp"

namespace seedbed::superpixel {
namespace {

// The three methods declare the same parameters of segmentation.
template <typename Parameters>
SegmentationOptions options_from(const Parameters& parameters) {
  SegmentationOptions options;
  options.segmenter = parameters.segmentation == "slic" ? Segmenter::slic : Segmenter::graph;
  options.slic = {parameters.num_segments, parameters.compactness, parameters.iterations};
  options.graph = {parameters.scale, parameters.sigma, parameters.min_size};
  options.merging = parameters.merging == "none"     ? Merging::none
                    : parameters.merging == "rounds" ? Merging::rounds
                                                     : Merging::queue;
  options.rounds = {parameters.merge_down_to, parameters.colour_width};
  options.queue = {parameters.merge_distance, static_cast<std::int32_t>(parameters.min_regions)};
  return options;
}

void register_all(Registrar& registrar) {
  registrar.add_refiner(SuperpixelParameters::kId,
                        typed<SuperpixelParameters>([](const SuperpixelParameters& parameters, const ModelContext&) {
                          return std::make_shared<Superpixel>(options_from(parameters));
                        }));
  registrar.add_refiner(
      SuperpixelVoteParameters::kId,
      typed<SuperpixelVoteParameters>([](const SuperpixelVoteParameters& parameters, const ModelContext&) {
        return std::make_shared<SuperpixelVote>(options_from(parameters), parameters.margin);
      }));
  registrar.add_refiner(
      SuperpixelMajorityParameters::kId,
      typed<SuperpixelMajorityParameters>([](const SuperpixelMajorityParameters& parameters, const ModelContext&) {
        return std::make_shared<SuperpixelMajority>(options_from(parameters));
      }));
}

}  // namespace
}  // namespace seedbed::superpixel

SEEDBED_PLUGIN(seedbed::superpixel::register_all)
