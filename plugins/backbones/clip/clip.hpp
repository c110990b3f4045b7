#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>

#include "architecture.hpp"
#include "clip_manifest.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/step_chain.hpp"
#include "text_network.hpp"
#include "text_tower.hpp"
#include "visual_network.hpp"

namespace seedbed::clip {

/// Parameter names are OpenAI's: the image network's below `visual`, the text network's beside it.
///
/// Tokens lie as class token, then cells row by row.
class Clip final : public Backbone {
 public:
  /// `run` hands out the vocabulary and outlives the backbone and its clones. Throws: UserError for sizes that do not go
  /// together.
  Clip(const ClipParameters& parameters, RunContext& run, const at::Generator& generator);

  Normalisation normalisation() const override;
  std::vector<TapInfo> taps() const override { return chain_.taps(); }
  std::vector<Site> sites() const override { return chain_.sites(); }
  TokenLayout token_layout(std::int64_t height_px, std::int64_t width_px) const override;
  std::int64_t size_multiple_px() const override;
  std::int64_t minimum_size_px() const override;
  ForwardResult forward(const ForwardRequest& request) override;
  std::shared_ptr<Backbone> clone() const override;

  /// Reads files of OpenAI, open_clip and Hugging Face transformers. The text network may be absent; its tower then refuses to
  /// work. Where shapes differ the log says what the
  /// file holds.
  StateReport load_weights(const NamedTensors& tensors) override;

  TextTower* text_tower() override { return &tower_; }

 private:
  void add_final();
  void add_text_network();

  ClipParameters parameters_;
  Architecture architecture_;
  RunContext& run_;
  StepChain chain_;
  std::shared_ptr<TextNetwork> text_;
  ClipTextTower tower_;
};

}  // namespace seedbed::clip
