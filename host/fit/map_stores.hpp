#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "seedbed/trainable.hpp"
#include "seedbed/types.hpp"

namespace seedbed::fit {

/// The named map stores of one fit, in memory. Tensors are never changed in place: a write replaces one.
class MapStores {
 public:
  MapStores();
  ~MapStores();

  MapStore& named(std::string_view name);

  /// All content as "NAME/IMAGE", and back.
  NamedTensors state() const;
  void load_state(const NamedTensors& state);

 private:
  class Store;
  std::map<std::string, std::unique_ptr<Store>, std::less<>> stores_;
};

}  // namespace seedbed::fit
