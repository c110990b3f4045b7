#include <map>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "host/weights/fixture_values.hpp"
#include "host/weights/user_error.hpp"
#include "support/shared_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/read_weights.hpp"
#include "weights/weights_file.hpp"

namespace seedbed::weights::testing {
namespace {

using ::seedbed::testing::equals_tensor;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::map<std::string, at::Tensor> as_map(const WeightsFile& file) { return {file.tensors.begin(), file.tensors.end()}; }

std::vector<std::string> names_of(const WeightsFile& file) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : file.tensors) names.push_back(name);
  return names;
}

// What state(offset) in make_fixtures.py makes.
void expect_state(const WeightsFile& file, double offset = 0) {
  EXPECT_THAT(names_of(file), ElementsAre("conv.weight", "conv.bias", "fc.weight"));
  const auto tensors = as_map(file);
  EXPECT_THAT(tensors.at("conv.weight"), equals_tensor(ramp(offset, {2, 1, 3, 3})));
  EXPECT_THAT(tensors.at("conv.bias"), equals_tensor(ramp(offset + 1, {2})));
  EXPECT_THAT(tensors.at("fc.weight"), equals_tensor(ramp(offset + 2, {4, 2})));
}

struct NamedType {
  const char* name;
  at::ScalarType type;
};

constexpr NamedType kTypes[] = {{"float64", at::kDouble},
                                {"float32", at::kFloat},
                                {"float16", at::kHalf},
                                {"bfloat16", at::kBFloat16},
                                {"int64", at::kLong},
                                {"int32", at::kInt},
                                {"int16", at::kShort},
                                {"int8", at::kChar},
                                {"uint8", at::kByte},
                                {"bool", at::kBool},
                                {"complex64", at::kComplexFloat},
                                {"complex128", at::kComplexDouble},
                                {"uint16", at::kUInt16},
                                {"uint32", at::kUInt32},
                                {"uint64", at::kUInt64},
                                {"float8_e4m3fn", at::kFloat8_e4m3fn},
                                {"float8_e5m2", at::kFloat8_e5m2}};

// Not every type can be compared; all can be cast.
at::Tensor as_doubles(const at::Tensor& tensor) {
  return tensor.is_complex() ? at::view_as_real(tensor.to(at::kComplexDouble)) : tensor.to(at::kDouble);
}

void expect_types(const WeightsFile& file, std::size_t count) {
  ASSERT_EQ(file.tensors.size(), count);
  for (std::size_t n = 0; n < count; ++n) {
    SCOPED_TRACE(kTypes[n].name);
    const auto& [name, tensor] = file.tensors[n];
    EXPECT_EQ(name, kTypes[n].name);
    const at::Tensor expected = ramp(static_cast<double>(n), {2, 3}, kTypes[n].type);
    ASSERT_EQ(tensor.scalar_type(), expected.scalar_type());
    EXPECT_THAT(as_doubles(tensor), equals_tensor(as_doubles(expected)));
  }
}

TEST(PyTorchFiles, EveryTypeOfAnArchive) {
  const WeightsFile file = read_weights_file(fixture("types.pth"));
  EXPECT_EQ(file.format, WeightsFormat::pytorch_zip);
  expect_types(file, std::size(kTypes));
}

TEST(PyTorchFiles, EveryTypeOfTheLegacyFormat) {
  const WeightsFile file = read_weights_file(fixture("legacy_types.pth"));
  EXPECT_EQ(file.format, WeightsFormat::pytorch_legacy);
  expect_types(file, 10);
}

TEST(PyTorchFiles, HalfIsWidenedOnRequest) {
  for (const char* name : {"types.pth", "legacy_types.pth"}) {
    const NamedTensors tensors = read_weights(fixture(name));
    EXPECT_THAT(tensors.at("float16"), equals_tensor(ramp(2, {2, 3})));
    EXPECT_THAT(tensors.at("bfloat16"), equals_tensor(ramp(3, {2, 3})));
    EXPECT_EQ(tensors.at("float64").scalar_type(), at::kDouble);
    EXPECT_EQ(tensors.at("int8").scalar_type(), at::kChar);
  }
}

void expect_views(const WeightsFile& file) {
  const auto tensors = as_map(file);
  const at::Tensor base = ramp(0, {4, 6});
  EXPECT_THAT(tensors.at("base"), equals_tensor(base));
  EXPECT_THAT(tensors.at("transposed"), equals_tensor(base.t()));
  EXPECT_THAT(tensors.at("columns"), equals_tensor(base.slice(1, 1, 6, 2)));
  EXPECT_THAT(tensors.at("last_row"), equals_tensor(base[3]));
  EXPECT_THAT(tensors.at("expanded"), equals_tensor(ramp(5, {1, 3}).expand({4, 3})));
  EXPECT_THAT(tensors.at("scalar"), equals_tensor(ramp(6, {})));
  EXPECT_THAT(tensors.at("empty"), equals_tensor(ramp(7, {0, 3})));
  EXPECT_THAT(tensors.at("channels_last"), equals_tensor(ramp(8, {1, 2, 2, 3})));
  EXPECT_TRUE(tensors.at("channels_last").is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_THAT(tensors.at("parameter"), equals_tensor(ramp(9, {3})));
  EXPECT_FALSE(tensors.at("parameter").requires_grad());
  EXPECT_TRUE(tensors.at("base").is_alias_of(tensors.at("transposed")));
  EXPECT_TRUE(tensors.at("base").is_alias_of(tensors.at("last_row")));
}

TEST(PyTorchFiles, ViewsShareTheirStorage) {
  expect_views(read_weights_file(fixture("views.pth")));
  expect_views(read_weights_file(fixture("legacy_views.pth")));
}

TEST(PyTorchFiles, ACheckpointGivesTheModelsWeightsAndSaysWhatElseItHolds) {
  for (const char* name : {"checkpoint.pth", "legacy.pth"}) {
    SCOPED_TRACE(name);
    const WeightsFile file = read_weights_file(fixture(name));
    expect_state(file);
    EXPECT_EQ(file.set, "state_dict");
    EXPECT_EQ(file.wrapper, "module.");
    ASSERT_EQ(file.other_sets.size(), 3U);
    EXPECT_EQ(file.other_sets[0].name, "model_ema");
    EXPECT_EQ(file.other_sets[0].num_tensors, 3U);
    EXPECT_EQ(file.other_sets[1].name, "optimizer.state.0");
    EXPECT_THAT(file.other_entries,
                ElementsAre("epoch", "arch", "best", "args", "size", "type", "device", "seen", "counts", "history"));
  }
}

TEST(PyTorchFiles, AnotherSetIsReadByItsName) {
  const WeightsFile file = read_weights_file(fixture("checkpoint.pth"), {.set = "model_ema"});
  expect_state(file, 100);
  EXPECT_EQ(file.set, "model_ema");
  const auto error = user_error_of([] { read_weights_file(fixture("checkpoint.pth"), {.set = "ema"}); });
  EXPECT_THAT(error, AllOf(HasSubstr("checkpoint.pth"), HasSubstr("`ema`"), HasSubstr("`model_ema`")));
}

TEST(PyTorchFiles, OtherWaysOfWritingTheSameFile) {
  for (const char* name : {"plain.pth", "deflated.pth", "big_endian.pth", "no_checksums.pth", "legacy_protocol4.pth"}) {
    SCOPED_TRACE(name);
    const WeightsFile file = read_weights_file(fixture(name));
    EXPECT_EQ(file.set, "");
    EXPECT_EQ(file.wrapper, "");
    expect_state(file);
  }
}

TEST(PyTorchFiles, ATorchScriptArchiveGivesItsTensorsByTheirModules) {
  const WeightsFile file = read_weights_file(fixture("scripted.pt"));
  EXPECT_EQ(file.format, WeightsFormat::torchscript);
  EXPECT_THAT(names_of(file), UnorderedElementsAre("conv.weight", "conv.seen", "fc.weight", "fc.seen", "again.weight",
                                                   "again.seen", "input_resolution"));
  const auto tensors = as_map(file);
  EXPECT_THAT(tensors.at("conv.weight"), equals_tensor(ramp(0, {2, 1, 3, 3}, at::kHalf)));
  EXPECT_THAT(tensors.at("again.weight"), equals_tensor(ramp(1, {4, 2})));
  EXPECT_EQ(tensors.at("input_resolution").item<std::int64_t>(), 224);
  EXPECT_EQ(read_weights(fixture("scripted.pt")).at("conv.weight").scalar_type(), at::kFloat);
}

TEST(PyTorchFiles, WhatIsNotReadIsSaidInWords) {
  const std::map<std::string, std::vector<std::string>> expected{
      {"sparse.pth", {"sparse tensor"}},
      {"quantised.pth", {"quantised tensor"}},
      {"conjugated.pth", {"conjugated"}},
      {"whole_module.pth", {"never run", "`__main__.Block`", "state_dict"}},
      {"legacy_module.pth", {"never run", "`__main__.Block`", "state_dict"}},
      {"tensors.pickle", {"torch.save"}}};
  for (const auto& [name, parts] : expected) {
    SCOPED_TRACE(name);
    const std::string error = user_error_of([&name = name] { read_weights_file(fixture(name)); });
    EXPECT_THAT(error, HasSubstr(name));
    for (const std::string& part : parts) EXPECT_THAT(error, HasSubstr(part));
  }
}

TEST(PyTorchFiles, TensorsMayBeWrittenToAndTheFileStays) {
  auto tensors = as_map(read_weights_file(fixture("plain.pth")));
  tensors.at("conv.bias").zero_();
  expect_state(read_weights_file(fixture("plain.pth")));
}

TEST(PyTorchFiles, ARealPublishedFile) {
  SEEDBED_SHARED_OR_SKIP(file, "data/shufflenetv2-fastestdet/shufflenetv2.pth");
  std::map<at::ScalarType, std::pair<int, std::int64_t>> counts;  // tensors and values of each type
  const WeightsFile weights = read_weights_file(file);
  for (const auto& [name, tensor] : weights.tensors) {
    ++counts[tensor.scalar_type()].first;
    counts[tensor.scalar_type()].second += tensor.numel();
    EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << name;
  }
  EXPECT_EQ(weights.tensors.size(), 330U);
  EXPECT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts[at::kFloat], (std::pair<int, std::int64_t>{275, 149040}));
  EXPECT_EQ(counts[at::kLong].first, 55);
  EXPECT_EQ(weights.tensors.front().first, "first_conv.0.weight");
  EXPECT_EQ(as_map(weights).at("stage2.0.branch_main.1.num_batches_tracked").item<std::int64_t>(), 1562413);
  EXPECT_GT(check_checksums(file), 330U);
}

}  // namespace
}  // namespace seedbed::weights::testing
