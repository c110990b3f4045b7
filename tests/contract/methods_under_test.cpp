#include "contract/methods_under_test.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include <ATen/ATen.h>

namespace seedbed::testing {
namespace {

namespace fs = std::filesystem;

void load(plugin::Registry& registry, const fs::path& place) {
  if (!fs::is_directory(place)) {
    registry.load(place);
    return;
  }
  std::vector<fs::path> libraries;
  for (const auto& entry : fs::directory_iterator(place)) {
    if (entry.path().extension() == ".so") libraries.push_back(entry.path());
  }
  std::ranges::sort(libraries);
  for (const fs::path& library : libraries) registry.load(library);
}

plugin::Registry* loaded_registry() {
  auto* const registry = new plugin::Registry;
  const char* places = std::getenv("SEEDBED_TEST_PLUGINS");
  std::string_view rest = places ? places : "";
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    if (end > 0) load(*registry, fs::path(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return registry;
}

const plugin::Registry& registry() {
  // Libraries are never unmapped, and neither is what came from them.
  static const auto* const all = loaded_registry();
  return *all;
}

std::string as_test_name(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return !std::isalnum(c); }, '_');
  return text;
}

std::vector<ParameterValue> other_values(const ParameterSpec& spec) {
  std::vector<ParameterValue> values;
  if (spec.type == ParameterType::boolean) values.emplace_back(!std::get<bool>(spec.default_value));
  for (const std::string& choice : spec.choices) {
    if (ParameterValue(choice) != spec.default_value) values.emplace_back(choice);
  }
  return values;
}

MethodVariant with_preset(const MethodVariant& base, const Preset& preset) {
  MethodVariant variant = base;
  variant.name = base.method->manifest.id + "_preset_" + preset.name;
  for (const auto& [name, value] : preset.parameters) variant.parameters[name] = value;
  return variant;
}

void add_variants(const plugin::RegisteredMethod& method, std::vector<MethodVariant>& variants) {
  const MethodManifest& manifest = method.manifest;
  MethodVariant defaults{manifest.id, &method, {}};
  for (const ParameterSpec& spec : manifest.parameters) defaults.parameters[spec.name] = spec.default_value;
  // Networks of a hundred million parameters are too slow for a suite of small promises.
  const auto small = std::ranges::find(manifest.presets, "small", &Preset::name);
  if (small != manifest.presets.end()) defaults = with_preset(defaults, *small);
  variants.push_back(defaults);
  for (const Preset& preset : manifest.presets) {
    if (preset.name != "small") variants.push_back(with_preset(defaults, preset));
  }
  for (const ParameterSpec& spec : manifest.parameters) {
    for (const ParameterValue& value : other_values(spec)) {
      MethodVariant variant = defaults;
      variant.name +=
          "_" + spec.name + "_" + (std::holds_alternative<bool>(value) ? to_toml(value) : std::get<std::string>(value));
      variant.parameters[spec.name] = value;
      variants.push_back(std::move(variant));
    }
  }
}

}  // namespace

void PrintTo(const MethodVariant& variant, std::ostream* stream) { *stream << variant.name; }

void load_methods_under_test() { registry(); }

const plugin::RegisteredMethod& method_under_test(MethodKind kind, std::string_view id) {
  return registry().find(kind, id);
}

std::vector<MethodVariant> variants_under_test(MethodKind kind) {
  std::vector<MethodVariant> variants;
  for (const plugin::RegisteredMethod* method : registry().methods()) {
    if (method->manifest.kind == kind) add_variants(*method, variants);
  }
  return variants;
}

std::string name_of_variant(const ::testing::TestParamInfo<MethodVariant>& info) {
  return as_test_name(info.param.name);
}

at::Tensor contract_images(std::int64_t n, std::int64_t height, std::int64_t width) {
  const at::Tensor y = at::arange(height, at::kFloat).view({1, 1, height, 1}) / 7.0;
  const at::Tensor x = at::arange(width, at::kFloat).view({1, 1, 1, width}) / 5.0;
  const at::Tensor phase = at::arange(n * 3, at::kFloat).view({n, 3, 1, 1});
  return (y + phase).sin() * (x + 0.7 * phase).cos();
}

at::Tensor contract_images_raw(std::int64_t n, std::int64_t height, std::int64_t width) {
  return ((contract_images(n, height, width) + 1) * 127.0).to(at::kByte).permute({0, 2, 3, 1}).contiguous();
}

ModelContext contract_context(FakeRun& run, std::int64_t num_classes, bool with_backbone) {
  ModelContext context;
  for (std::int64_t c = 1; c <= num_classes; ++c) context.class_names.push_back("class" + std::to_string(c));
  context.run = &run;
  if (with_backbone) {
    context.backbone = make<Backbone>(MethodKind::backbone, "small_cnn", context, {{"width", std::int64_t{8}}});
  }
  return context;
}

at::Tensor global_generator_state() { return at::globalContext().defaultGenerator(at::kCPU).get_state(); }

void expect_groups_partition(Trainable& trainable) {
  std::multiset<const void*> grouped;
  for (const ParameterGroup& group : trainable.parameter_groups()) {
    EXPECT_FALSE(group.name.empty());
    for (const at::Tensor& parameter : group.parameters) grouped.insert(parameter.unsafeGetTensorImpl());
  }
  for (const auto& [name, parameter] : trainable.trained_module().named_parameters()) {
    EXPECT_EQ(grouped.count(parameter.unsafeGetTensorImpl()), parameter.requires_grad() ? 1u : 0u) << name;
  }
}

void expect_finite_gradients(const Module& module) {
  for (const auto& [name, parameter] : module.named_parameters()) {
    const at::Tensor& gradient = parameter.grad();
    EXPECT_TRUE(parameter.requires_grad() || !gradient.defined()) << name;
    EXPECT_TRUE(!gradient.defined() || gradient.isfinite().all().item<bool>()) << name;
  }
}

}  // namespace seedbed::testing
