#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "seedbed/trainable.hpp"

namespace seedbed::fit {

/// The streams of one step, by stream and view.
using Streams = std::map<std::string, StreamBatch, std::less<>>;

/// Where a fit's batches come from.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// Of the stream "main", whose epochs are the fit's.
  virtual std::int64_t batches_per_epoch() const = 0;

  /// Makes the next call of next() give batch `index` of the whole fit, counted from 0 over all epochs.
  virtual void start_at(std::int64_t index) = 0;

  /// The next batch; it depends on the random seed and its index alone, not on loader threads or earlier calls.
  virtual Streams next() = 0;

  /// Visits every image of the role once, in order, unaugmented, at the size that `train.input` gives.
  virtual void for_each_image(const std::function<void(const ViewBatch&)>& visit) = 0;

  /// What was counted up to the last batch handed out (openings, broken images), so that a resumed fit reports the whole.
  virtual nlohmann::ordered_json state() const = 0;
  virtual void load_state(const nlohmann::ordered_json& state) = 0;
};

}  // namespace seedbed::fit
