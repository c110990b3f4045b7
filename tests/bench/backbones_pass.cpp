#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>
#include <sys/resource.h>

#include "plugin/registry.hpp"
#include "seedbed/backbone.hpp"
#include "seedbed/error.hpp"
#include "seedbed/model_context.hpp"
#include "weights/read_weights.hpp"
#include "worker/process_setup.hpp"

// One backbone in a process that is set up as a worker. Each line on standard input asks for one pass; the answer is a
// line of JSON: seconds by the clock and of the processors, growth of the peak memory since the model was there, and a
// checksum of what came out. backbones_beside_pytorch.py asks it and PyTorch in turn.
namespace seedbed {
namespace {

using Clock = std::chrono::steady_clock;

struct Task {
  std::filesystem::path library;
  std::string method;
  std::vector<std::pair<std::string, std::string>> parameters;  ///< names and their texts
  std::string tap;
  std::filesystem::path weights;
  std::int64_t size_px = 0;
  std::int64_t batch = 0;
  bool backward = false;
};

/// A host's context without files.
class BareRun : public RunContext {
 public:
  c10::Device device() const override { return c10::kCPU; }
  at::Generator generator() const override { return generator_; }
  void progress(std::int64_t, std::int64_t) override {}
  void log(LogLevel, std::string_view) override {}
  void check_cancelled() const override {}
  NamedTensors weights(std::string_view) override { return {}; }
  std::string file(std::string_view) override { return {}; }

 private:
  at::Generator generator_ = at::make_generator<at::CPUGeneratorImpl>();
};

double megabytes(const char* field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == field && status >> kilobytes) return kilobytes / 1024;
  }
  return 0;
}

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <typename T>
T number_from(const std::string& name, const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  throw UserError(name, "This is no number: `" + text + "`.", name + "=12");
}

ParameterValue value_from(const ParameterSpec& spec, const std::string& text) {
  switch (spec.type) {
    case ParameterType::boolean:
      return text == "true";
    case ParameterType::integer:
      return number_from<std::int64_t>(spec.name, text);
    case ParameterType::number:
      return number_from<double>(spec.name, text);
    case ParameterType::text:
    case ParameterType::file:
      return text;
    default:
      throw UserError(spec.name, "Lists cannot be set here.", "a preset");
  }
}

// The defaults, then `preset`, then single parameters, in the order of the words.
ParameterValues values_from(const Task& task, const MethodManifest& manifest) {
  ParameterValues values;
  for (const ParameterSpec& spec : manifest.parameters) values[spec.name] = spec.default_value;
  for (const auto& [name, text] : task.parameters) {
    if (name == "preset") {
      const auto preset = std::ranges::find(manifest.presets, text, &Preset::name);
      if (preset == manifest.presets.end())
        throw UserError(name, "No such preset: `" + text + "`.", "one of plugin.toml");
      for (const auto& [parameter, value] : preset->parameters) values[parameter] = value;
      continue;
    }
    const auto spec = std::ranges::find(manifest.parameters, name, &ParameterSpec::name);
    if (spec == manifest.parameters.end()) throw UserError(name, "No such parameter.", "one of plugin.toml");
    values[name] = value_from(*spec, text);
  }
  return values;
}

std::shared_ptr<Backbone> make_backbone(const Task& task, plugin::Registry& registry, RunContext& run) {
  registry.load(task.library);
  const plugin::RegisteredMethod& method = registry.find(MethodKind::backbone, task.method);
  ModelContext context;
  context.class_names = {"object"};
  context.run = &run;
  auto backbone = std::get<Factory<Backbone>>(method.make)(values_from(task, method.manifest), context);
  backbone->train(false);
  const StateReport report = backbone->load_weights(weights::read_weights(task.weights));
  if (!report.missing.empty() || !report.misshapen.empty()) {
    throw UserError(task.weights.string(), "The weights do not fit.", "those of the reference network");
  }
  return backbone;
}

void pass(const Task& task, Backbone& backbone, RunContext& run, double megabytes_before) {
  ForwardRequest request;
  request.images_nchw = at::arange(task.batch * 3 * task.size_px * task.size_px, at::kFloat)
                            .mul_(0.37)
                            .sin_()
                            .view({task.batch, 3, task.size_px, task.size_px});
  request.keep = {task.tap};
  request.run = &run;
  const c10::AutoGradMode gradients(task.backward);
  const double processor_start = processor_seconds();
  const Clock::time_point start = Clock::now();
  const at::Tensor output = backbone.forward(request).taps.at(task.tap);
  if (task.backward) output.mean().backward();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const double processor = processor_seconds() - processor_start;
  for (auto& [name, parameter] : backbone.named_parameters()) parameter.mutable_grad().reset();
  std::printf("{\"seconds\": %.6f, \"processor\": %.6f, \"growth_mb\": %.1f, \"checksum\": %.9g}\n", seconds, processor,
              megabytes("VmHWM:") - megabytes_before, output.abs().mean().item<double>());
  std::fflush(stdout);
}

void serve(const Task& task) {
  plugin::Registry registry;
  BareRun run;
  const auto backbone = make_backbone(task, registry, run);
  worker::return_freed_memory();
  worker::reset_peak_memory();
  const double before = megabytes("VmRSS:");
  for (std::string line; std::getline(std::cin, line);) pass(task, *backbone, run, before);
}

}  // namespace
}  // namespace seedbed

// LIBRARY METHOD TAP WEIGHTS SIZE BATCH forward|backward THREADS [preset=NAME] [PARAMETER=VALUE ...]
int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 8) return 2;
  seedbed::worker::keep_freed_memory();
  seedbed::worker::set_threads(std::stoll(words[7]));
  try {
    seedbed::Task task{.library = words[0],
                       .method = words[1],
                       .parameters = {},
                       .tap = words[2],
                       .weights = words[3],
                       .size_px = std::stoll(words[4]),
                       .batch = std::stoll(words[5]),
                       .backward = words[6] == "backward"};
    for (std::size_t i = 8; i < words.size(); ++i) {
      const std::size_t equals = words[i].find('=');
      if (equals == std::string::npos) throw seedbed::UserError(words[i], "This sets nothing.", "PARAMETER=VALUE");
      task.parameters.emplace_back(words[i].substr(0, equals), words[i].substr(equals + 1));
    }
    seedbed::serve(task);
  } catch (const seedbed::UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
  return 0;
}
