#include "worker/environment.hpp"

#include <string>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/headeronly/version.h>

#include "seedbed/version.hpp"

namespace seedbed::worker {
namespace {

std::string seedbed_version() {
  return std::to_string(SEEDBED_VERSION_MAJOR) + "." + std::to_string(SEEDBED_VERSION_MINOR) + "." +
         std::to_string(SEEDBED_VERSION_PATCH);
}

}  // namespace

protocol::Json environment() {
  return {{"seedbed", seedbed_version()},
          {"torch", TORCH_VERSION},
          {"compiler", std::string("g++ ") + __VERSION__},
          {"cpu_capability", at::get_cpu_capability()},
          {"cuda", at::globalContext().hasCUDA()},
          {"threads", at::get_num_threads()},
          {"deterministic", at::globalContext().deterministicAlgorithms()}};
}

}  // namespace seedbed::worker
