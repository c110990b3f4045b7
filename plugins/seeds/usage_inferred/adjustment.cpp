#include "adjustment.hpp"

#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "seedbed/error.hpp"

namespace seedbed::usage_inferred {
namespace {

std::set<std::string> site_kinds(const std::string& adjustment) {
  if (adjustment == "channel_drop") return {"activation"};
  return {"attention", "feed_forward"};
}

// The size of the mask: 1 along what falls together.
std::vector<std::int64_t> mask_shape(const std::string& adjustment, const at::Tensor& output) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(output.dim()), 1);
  shape[0] = output.size(0);
  if (adjustment == "path_drop") return shape;
  // Maps are [N,D,h,w], tokens [N,L,D].
  const bool is_last = adjustment == "channel_drop" && output.dim() == 3;
  const std::size_t units = is_last ? 2 : 1;
  shape[units] = output.size(static_cast<std::int64_t>(units));
  return shape;
}

}  // namespace

Adjustment::Adjustment(const AdjustmentOptions& options, const Backbone& backbone, at::Generator generator)
    : options_(options), generator_(std::move(generator)) {
  if (options_.shares.size() != 2) {
    throw UserError("adjustment", "a ramp has two ends, not `" + std::to_string(options_.shares.size()) + "`",
                    "the share that falls in the first layer, and in the last");
  }
  if (options_.ranked && options_.kind == "path_drop") {
    throw UserError("adjustment_policy", "a layer has one path, so there is nothing to rank",
                    "adjustment_policy = \"random\", or another adjustment");
  }
  const std::set<std::string> kinds = site_kinds(options_.kind);
  std::vector<std::string> names;
  for (const Site& site : backbone.sites()) {
    if (kinds.contains(site.kind)) names.push_back(site.name);
  }
  if (names.empty()) {
    throw UserError("adjustment", "this backbone has no place for `" + options_.kind + "`",
                    "`channel_drop`, or for a transformer `token_drop` or `path_drop`");
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const double depth = names.size() == 1 ? 1.0 : static_cast<double>(i) / static_cast<double>(names.size() - 1);
    share_of_site_[names[i]] = options_.shares[0] + (options_.shares[1] - options_.shares[0]) * depth;
  }
}

// 0 where a unit falls, 1 (or 1 / (1 - share)) where it stays.
at::Tensor Adjustment::kept(const at::Tensor& output, double share) const {
  const c10::NoGradGuard no_grad;
  const std::vector<std::int64_t> shape = mask_shape(options_.kind, output);
  at::Tensor mask;
  if (options_.ranked) {
    std::vector<std::int64_t> others;
    for (std::size_t i = 1; i < shape.size(); ++i) {
      if (shape[i] == 1) others.push_back(static_cast<std::int64_t>(i));
    }
    const at::Tensor strength = output.detach().abs().mean(others).view({shape[0], -1});
    const auto fallen = static_cast<std::int64_t>(std::lround(share * static_cast<double>(strength.size(1))));
    mask = at::ones_like(strength).scatter_(1, std::get<1>(strength.topk(fallen, 1)), 0.0).view(shape);
  } else {
    mask = at::empty(shape, output.options().memory_format(at::MemoryFormat::Contiguous))
               .bernoulli_(1.0 - share, generator_);
  }
  return options_.rescale && share < 1.0 ? mask / (1.0 - share) : mask;
}

at::Tensor Adjustment::rewrite(const Site& site, const at::Tensor& input,
                               const std::function<at::Tensor(const at::Tensor&)>& original) {
  const at::Tensor output = original(input);
  const auto share = share_of_site_.find(site.name);
  if (share == share_of_site_.end() || share->second <= 0.0) return output;
  return output * kept(output, share->second);
}

}  // namespace seedbed::usage_inferred
