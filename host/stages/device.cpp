#include "stages/device.hpp"

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::stages {

c10::Device device_from(const std::string& name) {
  const bool has_cuda = at::globalContext().hasCUDA();
  if (name == "auto") return has_cuda ? c10::Device(at::kCUDA, 0) : c10::Device(at::kCPU);
  if (name == "cpu") return c10::Device(at::kCPU);
  if (!name.starts_with("cuda")) {
    throw UserError("execution.device", "There is no such device: `" + name + "`.", "`auto`, `cpu` or `cuda:0`");
  }
  if (!has_cuda) {
    throw UserError("execution.device", "This machine has no device `" + name + "`, or this LibTorch cannot use it.",
                    "`cpu`, or a build with the preset `cuda` on a machine with a GPU");
  }
  return c10::Device(name);
}

}  // namespace seedbed::stages
