#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/export.hpp"
#include "seedbed/module.hpp"
#include "seedbed/run_context.hpp"
#include "seedbed/types.hpp"

namespace seedbed {

/// How 8-bit RGB becomes what the network wants: value / scale, channel order, minus mean, over deviation.
struct Normalisation {
  std::array<double, 3> mean{0.485, 0.456, 0.406};  ///< in the network's channel order, after the division
  std::array<double, 3> deviation{0.229, 0.224, 0.225};
  double scale = 255.0;
  bool bgr = false;
};

/// A feature map or token sequence that a backbone can hand out.
struct TapInfo {
  std::string name;  ///< canonical: "stage1".."stage5", "block.-3", "tokens" (normed, before it becomes a map), "final"
  std::vector<std::string> aliases;  ///< the reference implementation's own names
  std::int64_t channels = 0;
  double stride_px = 0;      ///< nominal; 0 for sequences. Never used to compute sizes.
  bool is_sequence = false;  ///< [N,L,D] instead of [N,D,h,w]
};

/// How the tokens of a sequence tap lie: class tokens, then others that see no cell (distillation, registers), then the
/// cells row by row.
struct TokenLayout {
  std::int64_t class_tokens = 0;
  std::int64_t other_tokens = 0;
  std::int64_t height = 0;  ///< cells
  std::int64_t width = 0;

  std::int64_t prefix() const { return class_tokens + other_tokens; }
};

/// The cells of `tokens_nld` as a map [N,D,h,w], its memory in channels-last order. Throws: ContractError where the
/// number of tokens is not the layout's.
SEEDBED_API at::Tensor cells_of(const at::Tensor& tokens_nld, const TokenLayout& layout);

/// A place whose operation may be rewritten, listed before any forward pass.
struct Site {
  std::string name;  ///< the reference implementation's name, e.g. "features.3.squeeze_activation"
  std::string kind;  ///< "activation" | "convolution" | "pooling" | "norm" | "attention" | "feed_forward" | "block"
  std::int64_t depth = 0;     ///< position in order of execution
  std::int64_t channels = 0;  ///< of its output
};

/// Replaces what happens at sites (DRS's suppression instead of a ReLU, attention rewriting).
class SEEDBED_API SiteRewriter {
 public:
  virtual ~SiteRewriter();

  /// The output to use at `site`. `original` computes what the backbone would have done with an input.
  /// Called at every site; return original(input) where nothing is to change.
  virtual at::Tensor rewrite(const Site& site, const at::Tensor& input,
                             const std::function<at::Tensor(const at::Tensor&)>& original) = 0;
};

/// Settings of one convolution, as ATen takes them.
struct ConvolutionShape {
  std::vector<std::int64_t> stride, padding, dilation;
  std::int64_t groups = 1;
};

/// Replaces how convolutions are computed, e.g. to give them another backward rule (PRM).
class SEEDBED_API ConvolutionRule {
 public:
  virtual ~ConvolutionRule();
  virtual at::Tensor convolve(const Site& site, const at::Tensor& input_nchw, const at::Tensor& weight,
                              const at::Tensor& bias, const ConvolutionShape& shape) = 0;
};

/// One term of an attention map: weight * softmax(temperature * left . right^T), per head.
struct AttentionTerm {
  char left = 'q';  ///< 'q', 'k' or 'v'; 'i' on both sides = the identity matrix (each token keeps its own value)
  char right = 'k';
  double weight = 1.0;
};

/// What to export from, and change in, some transformer blocks. Blocks count from 0; negative from the end.
struct SEEDBED_API AttentionBlockPlan {
  std::vector<std::int64_t> blocks;
  /// Of: q, k, v, raw (the block's own scaled q.k), unscaled (the same without the scale; where keys are spatially reduced,
  /// the query grid is averaged down to theirs, as AFA has it), soft (what is applied), output (of the attention, as it
  /// enters the residual sum but for a layer scale).
  std::vector<std::string> exports;
  std::string head_reduction = "none";  ///< of raw, unscaled and soft: "none" | "mean" | "max" | "sum"
  std::vector<AttentionTerm> terms;     ///< added; empty = the block's own q.k
  double temperature = 0;               ///< 0 = 1 / sqrt(D / heads)
  /// GEM: 1 / sqrt(D / heads) times the mean length of the tokens that enter the attention, one temperature an image.
  bool temperature_by_length = false;
  bool unit_vectors = false;     ///< q, k, v are L2-normalised inside the terms (GEM)
  std::int64_t smoothing = 0;    ///< how often z becomes softmax(temperature z.z) z first, for z of a term (GEM: 1)
  bool heads_share_map = false;  ///< one map, summed over the heads, serves all of them (ExCEL)
  at::Tensor external_ll;        ///< [L,L] or [N,L,L], added to the attention map; undefined = none
  bool residual = true;          ///< the attention is added to the block's input; else it replaces it
  bool feed_forward = true;

  bool wants(std::string_view name) const;
  bool changes_map() const;  ///< whether the map is something else than softmax(q.k)
  bool changes() const;      ///< whether the block computes something else than it would without the plan
};

struct AttentionPlan {
  std::vector<AttentionBlockPlan> blocks;  ///< a block is named at most once
  /// The blocks named here run as a second path beside the untouched network: it starts from the input of the first of
  /// them, each adds its attention of the *untouched* tokens (CLIP Surgery, GEM, ExCEL), and then its feed-forward part of
  /// its own. Taps behind the blocks ("tokens", "final") and the exports are the second path's, taps "block.N" the
  /// untouched network's. No site is visited in the second path.
  bool beside_original = false;
};

/// The plan of `block` (from 0) of `num_blocks`, or null.
SEEDBED_API const AttentionBlockPlan* plan_of_block(const AttentionPlan& plan, std::int64_t block,
                                                    std::int64_t num_blocks);

enum class ParameterMode { live, detached };
enum class BatchNormMode { running, batch, batch_without_update };

/// A pass that starts behind a tap instead of at the image (BAS).
struct FromTap {
  std::string tap;
  at::Tensor value;
  std::int64_t height_px = 0;  ///< of the images the value came from; needed where a sequence is to become a map again
  std::int64_t width_px = 0;
};

struct ForwardRequest {
  at::Tensor images_nchw;  ///< [N,3,H,W] float32, normalised; undefined where `from` is set
  std::optional<FromTap> from;
  std::vector<std::string> keep;     ///< taps to return; empty = {"final"}
  SiteRewriter* rewriter = nullptr;  ///< borrowed for the call
  ConvolutionRule* convolution = nullptr;
  AttentionPlan attention;
  ParameterMode parameters = ParameterMode::live;
  BatchNormMode batch_norm = BatchNormMode::running;
  RunContext* run = nullptr;  ///< never null when the host calls; dropout draws from its generator
};

struct ForwardResult {
  NamedTensors taps;  ///< by the names asked for
  /// "block.7.soft" [N,heads,L,L] or reduced [N,L,L] (fewer columns where keys are spatially reduced); "block.7.q"
  /// [N,heads,L,D/heads]
  NamedTensors attention;
};

/// What a text network makes of token ids.
struct TextFeatures {
  at::Tensor tokens_pld;     ///< [P,L,width] behind the last block, before the final norm
  at::Tensor embeddings_pd;  ///< [P,D] in the space of the images' embeddings, not normalised
};

/// The text side of an image-text backbone.
///
/// Threads: [one-at-a-time] together with its backbone.
/// Gradient: follows the caller's mode; parameters of text towers take none.
class SEEDBED_API TextTower {
 public:
  virtual ~TextTower();

  /// Requires: at least one prompt, UTF-8. Ensures: [P,D] float32, L2-normalised, on the backbone's device.
  /// Throws: UserError as token_ids() does, and where the loaded weights hold no text network.
  virtual at::Tensor encode(const std::vector<std::string>& prompts, RunContext& run) = 0;

  /// The prompts as the network takes them: [P,L] int64, padded, on the backbone's device. Throws: UserError for a missing or
  /// damaged vocabulary and for a prompt that is too long or no UTF-8.
  virtual at::Tensor token_ids(const std::vector<std::string>& prompts) = 0;

  /// Requires: `ids_pl` [P,L] int64 as token_ids() gives them. Throws: ContractError otherwise.
  virtual TextFeatures forward(const at::Tensor& ids_pl) = 0;

  /// What the network was trained to multiply cosines of image and text by (100 in OpenAI's files).
  virtual double logit_scale() const = 0;
};

/// An image network that hands out named taps.
///
/// Lifetime: made by a registered factory; models share it by shared_ptr.
/// Threads:  [one-at-a-time] per instance; instances may run in parallel.
/// Gradient: follows the caller's mode; a tap carries a graph exactly where the caller wants gradients.
class SEEDBED_API Backbone : public Module {
 public:
  ~Backbone() override;

  virtual Normalisation normalisation() const = 0;

  /// Every tap, in order of execution; the last one is "final".
  virtual std::vector<TapInfo> taps() const = 0;

  /// Every rewritable place, in order of execution, known before any forward pass.
  virtual std::vector<Site> sites() const = 0;

  /// How the tokens of its sequences lie for an input of this size. Default: throws UserError (it has no sequences).
  virtual TokenLayout token_layout(std::int64_t height_px, std::int64_t width_px) const;

  /// Inputs are padded by the host to a multiple of this (a patch size); 1 = any size works.
  virtual std::int64_t size_multiple_px() const { return 1; }

  /// Smallest input side that gives a non-empty final tap.
  virtual std::int64_t minimum_size_px() const { return 32; }

  /// Requires: request.images_nchw or request.from; known tap names.
  /// Ensures:  exactly the taps asked for, float32, on the input's device, request's tensors unchanged; the identity
  ///           rewriter changes nothing; a pass from a tap equals the whole pass.
  /// Throws:   UserError for an unknown tap (with the nearest name) or an input that is too small.
  virtual ForwardResult forward(const ForwardRequest& request) = 0;

  /// A copy with its own parameters (EMA teachers); same values, same mode.
  virtual std::shared_ptr<Backbone> clone() const = 0;

  /// Maps reference names (torchvision, timm, OpenAI, the authors) to this module and loads them.
  /// Default: load_state with the names as they are.
  virtual StateReport load_weights(const NamedTensors& tensors);

  /// The reference implementation's classifier on top of "final", where the weights hold one: [N,classes] logits.
  /// Default: throws UserError (this backbone has no classifier of its own).
  virtual at::Tensor reference_logits(const at::Tensor& final_tap);

  virtual TextTower* text_tower() { return nullptr; }

 protected:
  Backbone() = default;
};

/// The tap `name` (canonical, alias, or negative block) of `backbone`. Throws: UserError with the nearest name.
SEEDBED_API TapInfo find_tap(const Backbone& backbone, std::string_view name);

/// What every forward() verifies first. Throws: UserError for an unknown tap, an input that is too small or a block of the
/// attention plan that is not there; ContractError for a request without input or a plan that names an unknown export or
/// one block twice.
SEEDBED_API void require_servable(const ForwardRequest& request, const Backbone& backbone);

/// The output at `site`: the rewriter's answer where the request holds one, else `original(input)`. A backbone calls
/// it once for each of its sites() in a pass.
SEEDBED_API at::Tensor run_site(const ForwardRequest& request, const Site& site, const at::Tensor& input,
                                const std::function<at::Tensor(const at::Tensor&)>& original);

/// `images_nhwc` [N,H,W,3] uint8 RGB -> [N,3,H,W] float32 as `normalisation` says.
SEEDBED_API at::Tensor normalise_images(const at::Tensor& images_nhwc, const Normalisation& normalisation);

}  // namespace seedbed
