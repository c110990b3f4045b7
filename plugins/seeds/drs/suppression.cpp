#include "suppression.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "suppression_kernel.hpp"

namespace seedbed::drs {

Suppression::Suppression(const SuppressionOptions& options, std::int64_t channels, const at::Generator& generator)
    : options_(options) {
  if (!options_.learnable) return;
  weight_ = register_parameter("weight", at::randn({channels, channels}, generator) * options_.controller_deviation);
}

at::Tensor Suppression::forward(const at::Tensor& activated_ndhw) const {
  // The whole maximum passes everything on, and all of the gradient.
  if (!options_.learnable && options_.delta == 1.0) return activated_ndhw;
  const at::Tensor share_nd = options_.learnable ? at::linear(activated_ndhw.mean({2, 3}), weight_).sigmoid()
                                                 : at::full({activated_ndhw.size(0), activated_ndhw.size(1)},
                                                            options_.delta, activated_ndhw.options());
  return suppress(activated_ndhw, share_nd);
}

SuppressedSites::SuppressedSites(const SuppressionOptions& options, const std::vector<Site>& sites,
                                 const at::Generator& generator) {
  for (const Site& site : sites) {
    std::string name = site.name;
    std::ranges::replace(name, '.', '_');
    by_site_[site.name] = register_module(name, std::make_shared<Suppression>(options, site.channels, generator));
  }
}

at::Tensor SuppressedSites::rewrite(const Site& site, const at::Tensor& input,
                                    const std::function<at::Tensor(const at::Tensor&)>& original) {
  const auto suppression = by_site_.find(site.name);
  const at::Tensor activated = original(input);
  if (suppression == by_site_.end()) return activated;
  if (activated.dim() != 4) {
    throw UserError("sites", "regions are suppressed in maps, and this site gives none: `" + site.name + "`",
                    "a convolutional backbone");
  }
  return suppression->second->forward(activated);
}

}  // namespace seedbed::drs
