#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "seedbed/export.hpp"
#include "seedbed/types.hpp"

namespace seedbed {

enum class LogLevel { debug, info, warning };

/// Everything ambient that a method may reach for. A method reads nothing else that is global and leaves global
/// state (default generators, gradient mode, thread counts, precision flags) as it found it.
///
/// Lifetime: lent for the call or, where a ModelContext carries it, for the life of the model.
/// Threads:  [one-at-a-time]; `check_cancelled` and `log` are [any-thread].
class SEEDBED_API RunContext {
 public:
  virtual ~RunContext();

  virtual c10::Device device() const = 0;

  /// The only source of randomness. Seeded from (random seed, node, epoch, image id, view), so neither batch order
  /// nor loader threads matter. Draw tensors contiguous, then lay them out.
  virtual at::Generator generator() const = 0;

  /// Whether backbones keep for a backward pass only what lies at the borders of their parts, and compute the rest again
  /// (the study's `train.checkpoint_activations`; activation_checkpointing.hpp). Default: false.
  virtual bool checkpoints_activations() const;

  /// Reports work inside a stage: `done` of `total` units. Cheap; call it as often as you like.
  virtual void progress(std::int64_t done, std::int64_t total) = 0;

  virtual void log(LogLevel level, std::string_view message) = 0;

  /// Throws: Cancelled once the stage was asked to stop. Call it at least once a second in long loops.
  virtual void check_cancelled() const = 0;

  /// The tensors of a weights file that the study named for this method under `parameter`; names as in the file.
  /// Throws: UserError where the study named none or the file cannot be read.
  virtual NamedTensors weights(std::string_view parameter) = 0;

  /// Path of a file parameter, checked to exist. Its content is in the stage key.
  virtual std::string file(std::string_view parameter) = 0;

  /// Tensors of another node's artefact that the study wired to this method ("@node"), by the name of the need.
  /// Default: throws UserError (nothing is wired).
  virtual NamedTensors artefact(std::string_view name);

 protected:
  RunContext() = default;
  RunContext(const RunContext&) = default;
  RunContext& operator=(const RunContext&) = default;
};

}  // namespace seedbed
