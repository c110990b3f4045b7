#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/module.hpp"

namespace seedbed::drs {

struct SuppressionOptions {
  bool learnable = false;
  double delta = 0.55;                 ///< fixed: share of a channel's maximum that is let through
  double controller_deviation = 0.01;  ///< learnable: deviation of the first weights
};

/// Discriminative region suppression (Kim, Han and Kim, AAAI 2021, section 3): no cell of a channel exceeds the share
/// g of that channel's maximum. g is delta, or a sigmoid of the channels' averages, learnt without bias.
///
/// State names: weight [D,D] where learnable.
class Suppression : public Module {
 public:
  Suppression(const SuppressionOptions& options, std::int64_t channels, const at::Generator& generator);

  /// min(R, g max R) of what a ReLU gave, [N,D,h,w]. The maximum is not cut from the graph: what is suppressed sends its
  /// gradient there. Gradient: kept.
  at::Tensor forward(const at::Tensor& activated_ndhw) const;

 private:
  SuppressionOptions options_;
  at::Tensor weight_;  // [D,D]; undefined where delta is fixed
};

/// The activations of a backbone with a suppression behind each chosen one. State names: the site's, "_" for ".", and
/// `weight`.
class SuppressedSites : public Module, public SiteRewriter {
 public:
  SuppressedSites(const SuppressionOptions& options, const std::vector<Site>& sites, const at::Generator& generator);

  at::Tensor rewrite(const Site& site, const at::Tensor& input,
                     const std::function<at::Tensor(const at::Tensor&)>& original) override;

 private:
  std::map<std::string, std::shared_ptr<Suppression>, std::less<>> by_site_;
};

}  // namespace seedbed::drs
