#pragma once

#include <cstdint>
#include <string_view>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace seedbed::fit {

/// Seed of a named stream under a study's random seed. The name says the operation and the place in it: an epoch and
/// a step, an image id, a view. Neither keys nor worker counts enter, so cells that are compared share initialisation
/// and order.
std::uint64_t derive_seed(std::int64_t random_seed, std::string_view stream);

/// Seeds `generator` (a method's own) and the process-wide generators of LibTorch and OpenCV, from which `torch::nn`
/// constructors, dropout and `cv::grabCut` draw; puts the process-wide ones back at the end of the scope.
class RandomScope {
 public:
  RandomScope(at::Generator generator, std::uint64_t seed);
  ~RandomScope();
  RandomScope(const RandomScope&) = delete;
  RandomScope& operator=(const RandomScope&) = delete;

 private:
  at::Tensor default_state_;
  std::uint64_t opencv_state_;
};

}  // namespace seedbed::fit
