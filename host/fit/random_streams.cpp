#include "fit/random_streams.hpp"

#include <mutex>
#include <string>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <opencv2/core.hpp>

#include "dataset/random_stream.hpp"

namespace seedbed::fit {
namespace {

void seed_generator(at::Generator& generator, std::uint64_t seed) {
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_current_seed(seed);
}

}  // namespace

std::uint64_t derive_seed(std::int64_t random_seed, std::string_view stream) {
  return dataset::RandomStream(std::to_string(random_seed) + "/" + std::string(stream)).at(0);
}

RandomScope::RandomScope(at::Generator generator, std::uint64_t seed)
    : default_state_(at::detail::getDefaultCPUGenerator().get_state()), opencv_state_(cv::theRNG().state) {
  if (generator.defined()) seed_generator(generator, seed);
  at::Generator process_wide = at::detail::getDefaultCPUGenerator();
  // Other streams than the method's own: a method that draws from both must not see the same numbers twice.
  const dataset::RandomStream others(std::to_string(seed));
  seed_generator(process_wide, others.at(0));
  cv::theRNG().state = others.at(1);
}

RandomScope::~RandomScope() {
  at::Generator process_wide = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(process_wide.mutex());
  process_wide.set_state(default_state_);
  cv::theRNG().state = opencv_state_;
}

}  // namespace seedbed::fit
