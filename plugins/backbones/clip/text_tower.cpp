#include "text_tower.hpp"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::clip {
namespace {

// Bounds the memory of one pass: a prompt of 77 tokens takes 2 MB in a block of ViT-B's text network.
constexpr std::size_t kPromptsAtOnce = 64;

}  // namespace

ClipTextTower::ClipTextTower(std::shared_ptr<TextNetwork> network, Options options, RunContext& run)
    : network_(std::move(network)), options_(options), run_(run) {}

const Tokenizer& ClipTextTower::tokenizer() {
  if (!tokenizer_) {
    tokenizer_ = std::make_unique<const Tokenizer>(Vocabulary(run_.file("vocabulary"), options_.vocab_size));
  }
  return *tokenizer_;
}

void ClipTextTower::require_network() const {
  if (has_network_) return;
  throw UserError("weights", "these weights hold no text network", "a file of the whole CLIP network");
}

at::Tensor ClipTextTower::token_ids(const std::vector<std::string>& prompts) {
  std::vector<std::int64_t> ids;
  for (const std::string& prompt : prompts) {
    const auto own = tokenizer().encode(prompt, options_.context_length, options_.truncate);
    ids.insert(ids.end(), own.begin(), own.end());
  }
  const auto rows = static_cast<std::int64_t>(prompts.size());
  return at::tensor(ids, at::kLong).view({rows, options_.context_length}).to(network_->projection.device());
}

TextFeatures ClipTextTower::forward(const at::Tensor& ids_pl) {
  require_network();
  return network_->forward(ids_pl);
}

double ClipTextTower::logit_scale() const {
  require_network();
  return network_->scale();
}

at::Tensor ClipTextTower::encode(const std::vector<std::string>& prompts, RunContext& run) {
  require_network();
  if (prompts.empty()) throw ContractError("clip", "there is a prompt to encode", "at least one", "none");
  std::vector<at::Tensor> embeddings;
  for (std::size_t first = 0; first < prompts.size(); first += kPromptsAtOnce) {
    run.check_cancelled();
    const auto begin = prompts.begin() + static_cast<std::ptrdiff_t>(first);
    const auto count = static_cast<std::ptrdiff_t>(std::min(kPromptsAtOnce, prompts.size() - first));
    embeddings.push_back(network_->forward(token_ids({begin, begin + count})).embeddings_pd);
  }
  const at::Tensor all = at::cat(embeddings);
  return all / all.norm(2, -1, /*keepdim=*/true);
}

}  // namespace seedbed::clip
