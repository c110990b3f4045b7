#include "seedbed/backbone.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/step_chain.hpp"

namespace seedbed {
namespace {

constexpr std::string_view kBlockPrefix = "block.";
constexpr std::array<std::string_view, 7> kExports{"q", "k", "v", "raw", "unscaled", "soft", "output"};

std::int64_t count_blocks(const std::vector<TapInfo>& taps) {
  return std::ranges::count_if(taps, [](const TapInfo& tap) { return tap.name.starts_with(kBlockPrefix); });
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "`" : ", `") + name + "`";
  return text;
}

void require_plan(const AttentionPlan& plan, const Backbone& backbone) {
  if (plan.blocks.empty()) return;
  const std::int64_t num_blocks = count_blocks(backbone.taps());
  std::set<std::int64_t> seen;
  for (const AttentionBlockPlan& part : plan.blocks) {
    for (const std::int64_t block : part.blocks) {
      if (block < -num_blocks || block >= num_blocks) {
        throw UserError("", "this backbone has no such transformer block: `" + std::to_string(block) + "`",
                        num_blocks == 0 ? "a transformer" : "blocks of `" + std::to_string(num_blocks) + "`");
      }
      if (!seen.insert(block < 0 ? block + num_blocks : block).second) {
        throw ContractError("attention plan", "a block is named at most once", "one plan a block",
                            "block `" + std::to_string(block) + "` again");
      }
    }
    for (const std::string& name : part.exports) {
      if (std::ranges::find(kExports, name) != kExports.end()) continue;
      throw ContractError("attention plan", "exports are known", "q, k, v, raw, unscaled, soft or output",
                          "`" + name + "`");
    }
  }
}

}  // namespace

bool AttentionBlockPlan::wants(std::string_view name) const {
  return std::ranges::find(exports, name) != exports.end();
}

bool AttentionBlockPlan::changes() const { return changes_map() || !residual || !feed_forward; }

bool AttentionBlockPlan::changes_map() const {
  return !terms.empty() || temperature != 0 || temperature_by_length || unit_vectors || smoothing > 0 ||
         heads_share_map || external_ll.defined();
}

const AttentionBlockPlan* plan_of_block(const AttentionPlan& plan, std::int64_t block, std::int64_t num_blocks) {
  for (const AttentionBlockPlan& part : plan.blocks) {
    for (const std::int64_t named : part.blocks) {
      if ((named < 0 ? named + num_blocks : named) == block) return &part;
    }
  }
  return nullptr;
}

at::Tensor cells_of(const at::Tensor& tokens_nld, const TokenLayout& layout) {
  const std::int64_t wanted = layout.prefix() + layout.height * layout.width;
  if (tokens_nld.dim() != 3 || tokens_nld.size(1) != wanted) {
    throw ContractError("cells_of", "tokens lie as the layout says", "[N, " + std::to_string(wanted) + ", D]",
                        std::to_string(tokens_nld.dim()) + " dimensions with `" +
                            std::to_string(tokens_nld.dim() > 1 ? tokens_nld.size(1) : 0) + "` tokens");
  }
  const std::vector<std::int64_t> grid{layout.height, layout.width};
  return tokens_nld.slice(1, layout.prefix()).unflatten(1, grid).permute({0, 3, 1, 2});
}

SiteRewriter::~SiteRewriter() = default;
ConvolutionRule::~ConvolutionRule() = default;
TextTower::~TextTower() = default;
Backbone::~Backbone() = default;

StateReport Backbone::load_weights(const NamedTensors& tensors) { return load_state(tensors); }

at::Tensor Backbone::reference_logits(const at::Tensor& /*final_tap*/) {
  throw UserError("", "this backbone has no classifier of its own", "use a generator that brings one, such as `cam`");
}

TapInfo find_tap(const Backbone& backbone, std::string_view name) {
  const std::vector<TapInfo> taps = backbone.taps();
  const std::string wanted = resolve_block_name(name, count_blocks(taps));
  std::vector<std::string> names;
  for (const TapInfo& tap : taps) {
    if (tap.name == wanted || std::ranges::find(tap.aliases, wanted) != tap.aliases.end()) return tap;
    names.push_back(tap.name);
  }
  for (const TapInfo& tap : taps) names.insert(names.end(), tap.aliases.begin(), tap.aliases.end());
  const std::string nearest = nearest_name(name, names);
  throw UserError("", "this backbone has no such tap: `" + std::string(name) + "`",
                  (nearest.empty() ? "" : "nearest: `" + nearest + "`; ") + "accepted: " + joined(names));
}

TokenLayout Backbone::token_layout(std::int64_t /*height_px*/, std::int64_t /*width_px*/) const {
  throw UserError("", "this backbone has no tokens", "a transformer, such as `vit`");
}

void require_servable(const ForwardRequest& request, const Backbone& backbone) {
  for (const std::string& name : request.keep) find_tap(backbone, name);
  require_plan(request.attention, backbone);
  if (request.from) {
    find_tap(backbone, request.from->tap);
    if (request.from->value.defined()) return;
  }
  if (request.from || !request.images_nchw.defined()) {
    throw ContractError("host", "a forward request holds images or the value of a tap", "one of the two", "neither");
  }
  const at::Tensor& images = request.images_nchw;
  if (images.dim() != 4 || images.scalar_type() != at::kFloat) {
    throw ContractError("host", "images are [N,3,H,W] float32", "4 dimensions of float32",
                        std::to_string(images.dim()) + " dimensions of " + c10::toString(images.scalar_type()));
  }
  const std::int64_t minimum = backbone.minimum_size_px();
  if (std::min(images.size(2), images.size(3)) < minimum) {
    throw UserError("",
                    "this image is too small for the backbone: `" + std::to_string(images.size(2)) + " x " +
                        std::to_string(images.size(3)) + "`",
                    "at least `" + std::to_string(minimum) + "` pixels on each side");
  }
}

at::Tensor run_site(const ForwardRequest& request, const Site& site, const at::Tensor& input,
                    const std::function<at::Tensor(const at::Tensor&)>& original) {
  return request.rewriter ? request.rewriter->rewrite(site, input, original) : original(input);
}

at::Tensor normalise_images(const at::Tensor& images_nhwc, const Normalisation& normalisation) {
  const auto per_channel = [&](const std::array<double, 3>& values) {
    return at::tensor(at::ArrayRef<double>(values.data(), values.size()), images_nhwc.options().dtype(at::kFloat))
        .view({1, 3, 1, 1});
  };
  at::Tensor images = images_nhwc.permute({0, 3, 1, 2});
  if (normalisation.bgr) images = images.flip(1);
  // Three separate steps, as torchvision does them: folding them into one changes the last bit.
  return images.to(at::kFloat)
      .contiguous()
      .div_(normalisation.scale)
      .sub_(per_channel(normalisation.mean))
      .div_(per_channel(normalisation.deviation));
}

}  // namespace seedbed
