#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <string>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "seedbed/error.hpp"
#include "weights/weights_file.hpp"

// Loads the files named on standard input, one a line, and answers each with a line of JSON: seconds until the tensors
// are there, seconds until their values lie in parameters. weights_beside_pytorch.py asks it and PyTorch in turn.
namespace seedbed::weights {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes / 1024;
  }
  return 0;
}

void load(const std::string& file, std::map<std::string, at::Tensor>& parameters) {
  const Clock::time_point start = Clock::now();
  const WeightsFile opened = read_weights_file(file);
  const double read = seconds_since(start);
  for (const auto& [name, tensor] : opened.tensors) {
    at::Tensor& parameter = parameters[file + "/" + name];
    const at::ScalarType type = tensor.is_floating_point() ? at::kFloat : tensor.scalar_type();
    if (!parameter.defined()) parameter = at::zeros(tensor.sizes(), type);
    parameter.copy_(tensor);
  }
  std::printf("{\"read\": %.6f, \"filled\": %.6f, \"peak_mb\": %.1f}\n", read, seconds_since(start), peak_megabytes());
  std::fflush(stdout);
}

}  // namespace
}  // namespace seedbed::weights

int main() {
  at::set_num_threads(1);
  std::map<std::string, at::Tensor> parameters;
  for (std::string file; std::getline(std::cin, file);) {
    try {
      seedbed::weights::load(file, parameters);
    } catch (const seedbed::UserError& error) {
      std::cerr << error.what() << '\n';
      return 2;
    }
  }
  return 0;
}
