#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "boundary_paths.hpp"
#include "random_walk_irn.hpp"
#include "seedbed/kernels/pixel_adaptive.hpp"
#include "worker/process_setup.hpp"

// One propagation in a process that is set up as a worker. Each line on standard input asks for one; the answer is a line of
// JSON: seconds by the clock, growth of the peak memory since the inputs were there, and a checksum of what came out.
// propagation_beside_pytorch.py asks it and its peers in turn.
namespace seedbed {
namespace {

using Clock = std::chrono::steady_clock;

/// The same numbers as the peers': sin(0.37 i) scaled to 0..1.
at::Tensor waves(at::IntArrayRef shape) {
  return at::arange(c10::multiply_integers(shape), at::kFloat).mul_(0.37).sin_().add_(1).mul_(0.5).view(shape);
}

struct Task {
  std::string what;  // walk | par
  std::int64_t height = 0, width = 0, maps = 0;
};

at::Tensor propagated(const Task& task, const at::Tensor& image, const at::Tensor& maps) {
  if (task.what == "walk") {
    return random_walk_irn::spread_between_boundaries(maps, image, /*radius=*/5, /*beta=*/10, /*log_steps=*/8);
  }
  return kernels::pixel_adaptive_refine(image, maps, kernels::par_options());
}

double megabytes(const char* field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == field && status >> kilobytes) return kilobytes / 1024;
  }
  return 0;
}

void serve(const Task& task) {
  const bool walks = task.what == "walk";
  const at::Tensor image = walks ? waves({task.height, task.width}) : waves({1, 3, task.height, task.width});
  const at::Tensor maps =
      walks ? waves({task.maps, task.height, task.width}) : waves({1, task.maps, task.height, task.width});
  worker::return_freed_memory();
  worker::reset_peak_memory();
  const double before = megabytes("VmRSS:");
  for (std::string line; std::getline(std::cin, line);) {
    const Clock::time_point start = Clock::now();
    const at::Tensor output = propagated(task, image, maps);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::printf("{\"seconds\": %.6f, \"growth_mb\": %.1f, \"checksum\": %.9g}\n", seconds, megabytes("VmHWM:") - before,
                output.to(at::kDouble).square().mean().item<double>());
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace seedbed

// walk|par HEIGHT WIDTH MAPS THREADS
int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() != 5) return 2;
  seedbed::worker::keep_freed_memory();
  seedbed::worker::set_threads(std::stoll(words[4]));
  seedbed::serve({words[0], std::stoll(words[1]), std::stoll(words[2]), std::stoll(words[3])});
  return 0;
}
