#pragma once

#include <string>

#include <c10/core/Device.h>

namespace seedbed::stages {

/// "cpu", "cuda:0", or "auto" (the first accelerator, else the processor).
/// Throws: UserError for a device that this machine or this LibTorch does not have.
c10::Device device_from(const std::string& name);

}  // namespace seedbed::stages
