#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "seedbed/export.hpp"
#include "seedbed/run_context.hpp"

namespace seedbed {

class Backbone;
class Loss;
class Refiner;
class SegmentationHead;
class SeedGenerator;
class TrainingStrategy;

/// A loss of a segmenter, with the name and the weight that the study gave it.
struct WeightedLoss {
  std::string name;
  double weight = 1.0;
  std::shared_ptr<Loss> loss;
};

/// What the host built for a method's `uses` slot; exactly one pointer is set.
struct UsedMethod {
  std::shared_ptr<Backbone> backbone;
  std::shared_ptr<SeedGenerator> seed_generator;
  std::shared_ptr<Refiner> refiner;
  std::shared_ptr<Loss> loss;
  std::shared_ptr<SegmentationHead> head;
};

/// What a factory may know when it makes a method. Lent for the life of what it makes.
struct ModelContext {
  std::vector<std::string> class_names;  ///< C foreground names; the background has none
  std::int64_t input_height_px = 0;      ///< of a training crop; 0 where inputs vary
  std::int64_t input_width_px = 0;
  std::int64_t output_channels = 0;                     ///< heads: K; 0 elsewhere
  std::shared_ptr<Backbone> backbone;                   ///< null for methods that take none; heads read its taps()
  std::map<std::string, UsedMethod, std::less<>> uses;  ///< filled slots by name
  std::shared_ptr<SegmentationHead> head;               ///< strategies only
  std::vector<WeightedLoss> losses;                     ///< strategies only
  std::int64_t ignore_index = 255;
  RunContext* run = nullptr;  ///< never null; initial weights are drawn from its generator

  std::int64_t num_classes() const { return static_cast<std::int64_t>(class_names.size()); }
  /// The slot's method. Throws: ContractError if the slot is not declared or empty.
  SEEDBED_API const UsedMethod& used(std::string_view slot) const;
};

}  // namespace seedbed
