#include "fit/random_streams.hpp"

#include <mutex>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <opencv2/core.hpp>

namespace seedbed::fit {
namespace {

// SplitMix64's output function: every bit of the input reaches every bit of the result.
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15u;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

std::uint64_t hash_of(const StreamPart& part) {
  if (const auto* number = std::get_if<std::int64_t>(&part)) return mixed(static_cast<std::uint64_t>(*number));
  std::uint64_t hash = 0xCBF29CE484222325u;  // FNV-1a
  for (const char character : std::get<std::string_view>(part)) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001B3u;
  }
  return mixed(hash ^ 0x7465787400000000u);  // a text is another part than a number of the same hash
}

void seed_generator(at::Generator& generator, std::uint64_t seed) {
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_current_seed(seed);
}

}  // namespace

std::uint64_t derive_seed(std::int64_t random_seed, std::initializer_list<StreamPart> parts) {
  std::uint64_t seed = mixed(static_cast<std::uint64_t>(random_seed));
  for (const StreamPart& part : parts) seed = mixed(seed ^ hash_of(part));
  return seed;
}

RandomScope::RandomScope(at::Generator generator, std::uint64_t seed)
    : default_state_(at::detail::getDefaultCPUGenerator().get_state()), opencv_state_(cv::theRNG().state) {
  if (generator.defined()) seed_generator(generator, seed);
  at::Generator process_wide = at::detail::getDefaultCPUGenerator();
  // Another stream than the method's own: a method that draws from both must not see the same numbers twice.
  seed_generator(process_wide, mixed(seed));
  cv::theRNG().state = mixed(seed + 1);
}

RandomScope::~RandomScope() {
  at::Generator process_wide = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(process_wide.mutex());
  process_wide.set_state(default_state_);
  cv::theRNG().state = opencv_state_;
}

}  // namespace seedbed::fit
