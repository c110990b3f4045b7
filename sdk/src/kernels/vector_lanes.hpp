#pragma once

#include <cstdint>
#include <cstring>

// Sixteen floats at once, for kernels that write their inner loops out. Only sources of this folder include it.
namespace seedbed::kernels {

constexpr std::int64_t kLanes = 16;
using Lanes [[gnu::vector_size(kLanes * sizeof(float))]] = float;

// Compiled for several processors, chosen when the library is loaded.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__)
#define SEEDBED_FOR_EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SEEDBED_FOR_EACH_PROCESSOR
#endif

[[gnu::always_inline]] inline Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

[[gnu::always_inline]] inline void store(float* to, const Lanes& lanes) { std::memcpy(to, &lanes, sizeof lanes); }

}  // namespace seedbed::kernels
