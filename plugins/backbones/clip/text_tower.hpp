#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/run_context.hpp"
#include "text_network.hpp"
#include "tokenizer.hpp"

namespace seedbed::clip {

/// Prompts to embeddings. The vocabulary is read when the first prompt comes.
class ClipTextTower final : public TextTower {
 public:
  struct Options {
    std::int64_t context_length = 0;
    std::int64_t vocab_size = 0;
    bool truncate = false;
  };

  /// `run` hands out the file parameter `vocabulary`.
  ClipTextTower(std::shared_ptr<TextNetwork> network, Options options, RunContext& run);

  at::Tensor encode(const std::vector<std::string>& prompts, RunContext& run) override;
  at::Tensor token_ids(const std::vector<std::string>& prompts) override;
  TextFeatures forward(const at::Tensor& ids_pl) override;
  double logit_scale() const override;

  /// A tower without a network throws UserError where it would need it.
  void set_has_network(bool has) { has_network_ = has; }
  bool has_network() const { return has_network_; }

 private:
  const Tokenizer& tokenizer();
  void require_network() const;

  std::shared_ptr<TextNetwork> network_;
  Options options_;
  RunContext& run_;
  std::unique_ptr<const Tokenizer> tokenizer_;  // null before the first prompt
  bool has_network_ = true;
};

}  // namespace seedbed::clip
