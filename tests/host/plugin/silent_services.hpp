#pragma once

#include <map>
#include <string>
#include <vector>

#include "plugin/method_run.hpp"

namespace seedbed::plugin {

/// Services of a stage that nobody watches.
class SilentServices : public StageServices {
 public:
  c10::Device device() const override { return c10::Device(c10::DeviceType::CPU); }
  void progress(std::int64_t, std::int64_t) override {}
  void losses(const std::map<std::string, double>&) override {}
  void log(LogLevel, std::string_view message) override { lines.emplace_back(message); }
  bool cancelled() const override { return cancel; }

  std::vector<std::string> lines;
  bool cancel = false;
};

}  // namespace seedbed::plugin
