#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "seedbed/backbone.hpp"
#include "seedbed/export.hpp"

namespace seedbed {

/// A network without branches at the top level, written as steps in order of execution with taps between them. Serves
/// what every such backbone must: keeping taps, starting behind one, listing sites, and running no step in vain.
///
/// A step must not change its input in place: that may be a tap's value.
class SEEDBED_API StepChain {
 public:
  using Step = std::function<at::Tensor(const at::Tensor& input, const ForwardRequest& request)>;

  /// Lists a site; its depth is the order of the calls. The reference stays valid as long as the chain.
  const Site& add_site(std::string name, std::string kind, std::int64_t channels);

  void add_step(Step step);

  /// Makes a tap of what the step added last puts out. Throws: ContractError for a name or alias that is taken.
  void add_tap(TapInfo tap);

  std::vector<TapInfo> taps() const;
  std::vector<Site> sites() const { return {sites_.begin(), sites_.end()}; }

  /// Requires: require_servable(request). Throws: UserError for a tap to keep that lies before the one to start from.
  ForwardResult run(const ForwardRequest& request) const;

 private:
  struct Tap {
    TapInfo info;
    std::size_t num_steps;  // run before its value is there
  };
  const Tap& find(std::string_view name) const;

  std::deque<Site> sites_;
  std::vector<Step> steps_;
  std::vector<Tap> taps_;
};

}  // namespace seedbed
