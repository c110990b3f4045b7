#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"

namespace seedbed::usage_inferred {

struct AdjustmentOptions {
  std::string kind = "channel_drop";  ///< channel_drop | token_drop | path_drop
  bool ranked = false;                ///< the strongest units fall, instead of random ones
  bool rescale = true;                ///< what stays grows by 1 / (1 - share)
  std::vector<double> shares;         ///< that fall in the first and in the last layer; linear in between
};

/// Drops a part of every layer of a backbone, more of it the deeper a layer lies: channels of activations, or
/// tokens and whole images in the branches of transformer blocks, whose residual then stands alone.
class Adjustment : public SiteRewriter {
 public:
  /// `generator` draws what falls, in order of execution. Throws: UserError for a backbone without the sites that `kind`
  /// needs, for other than two shares, and for ranked paths.
  Adjustment(const AdjustmentOptions& options, const Backbone& backbone, at::Generator generator);

  at::Tensor rewrite(const Site& site, const at::Tensor& input,
                     const std::function<at::Tensor(const at::Tensor&)>& original) override;

 private:
  at::Tensor kept(const at::Tensor& output, double share) const;

  AdjustmentOptions options_;
  std::map<std::string, double, std::less<>> share_of_site_;
  at::Generator generator_;
};

}  // namespace seedbed::usage_inferred
