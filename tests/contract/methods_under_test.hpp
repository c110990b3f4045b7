#pragma once

#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "plugin/registry.hpp"
#include "sdk/tensor/doubles.hpp"
#include "seedbed/error.hpp"
#include "seedbed/model_context.hpp"

/// What the contract suites run over: every method of every library in SEEDBED_TEST_PLUGINS (a colon-separated list of
/// libraries and folders), under its defaults, each of its presets, and each other value of a switch or a choice. A preset
/// `small` stands in for the defaults, and the other presets and values are set on top of it.
namespace seedbed::testing {

struct MethodVariant {
  std::string name;  ///< "squeezenet_variant_caffe_1_0"
  const plugin::RegisteredMethod* method = nullptr;
  ParameterValues parameters;

  bool has(const std::string& trait) const { return method->manifest.has_trait(trait, parameters); }
};

void PrintTo(const MethodVariant& variant, std::ostream* stream);

/// Loads the libraries, which otherwise happens at the first use. Throws what is wrong with one of them.
void load_methods_under_test();

/// Throws: UserError for a method that no library has.
const plugin::RegisteredMethod& method_under_test(MethodKind kind, std::string_view id);

std::vector<MethodVariant> variants_under_test(MethodKind kind);

std::string name_of_variant(const ::testing::TestParamInfo<MethodVariant>& info);

template <typename T>
std::shared_ptr<T> make(const MethodVariant& variant, const ModelContext& context) {
  return std::get<Factory<T>>(variant.method->make)(variant.parameters, context);
}

/// A method with its defaults, but for `changes`.
template <typename T>
std::shared_ptr<T> make(MethodKind kind, std::string_view id, const ModelContext& context,
                        const ParameterValues& changes = {}) {
  const plugin::RegisteredMethod& method = method_under_test(kind, id);
  MethodVariant variant{std::string(id), &method, changes};
  for (const ParameterSpec& spec : method.manifest.parameters)
    variant.parameters.try_emplace(spec.name, spec.default_value);
  return make<T>(variant, context);
}

/// Images of smooth colour patches, which no two cells of a map see alike: [N,3,H,W] in about -1..1.
at::Tensor contract_images(std::int64_t n, std::int64_t height, std::int64_t width);

/// The same as [N,H,W,3] uint8.
at::Tensor contract_images_raw(std::int64_t n, std::int64_t height, std::int64_t width);

/// A context with what every method of a suite is given: `num_classes` classes, and a small backbone where asked for.
ModelContext contract_context(FakeRun& run, std::int64_t num_classes = 3, bool with_backbone = true);

/// The state of the process-wide generator, which no method may draw from.
at::Tensor global_generator_state();

/// Every parameter that requires gradients is in exactly one group, and none that does not.
void expect_groups_partition(Trainable& trainable);

/// Gradients are finite where there are any, and absent where none are required.
void expect_finite_gradients(const Module& module);

/// Turns a refusal of the parameters (UserError) into a skipped test: single switches may need others beside them.
#define SEEDBED_MAKE_OR_SKIP(variable, expression)                                                  \
  decltype(expression) variable;                                                                    \
  try {                                                                                             \
    variable = (expression);                                                                        \
  } catch (const ::seedbed::UserError& error) {                                                     \
    GTEST_SKIP() << "refuses these parameters: " << error.message() << " (" << error.hint() << ")"; \
  }                                                                                                 \
  static_assert(true)

}  // namespace seedbed::testing
