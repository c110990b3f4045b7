#include "weights/safetensors.hpp"

#include <fstream>
#include <iterator>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/shared_folder.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::weights {
namespace {

using seedbed::testing::equals_tensor;
using seedbed::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<std::string> names_of(const SafetensorsFile& file) {
  std::vector<std::string> names;
  for (const TensorEntry& entry : file.entries()) names.push_back(entry.name);
  return names;
}

TEST(Safetensors, EveryTypeReadsBackEqual) {
  const TempFolder folder;
  for (at::ScalarType type : {at::kBool, at::kByte, at::kChar, at::kShort, at::kInt, at::kLong, at::kHalf,
                              at::kBFloat16, at::kFloat, at::kDouble, at::kUInt16}) {
    SCOPED_TRACE(at::toString(type));
    const at::Tensor values = at::tensor({0, 1, 2, 3, 4, 5}, at::kInt).view({2, 3}).to(type);
    write_safetensors(folder / "t.safetensors", {{"values", values}});
    EXPECT_THAT(SafetensorsFile::open(folder / "t.safetensors")->tensor("values"), equals_tensor(values));
  }
}

TEST(Safetensors, OddTensorsReadBackEqual) {
  const TempFolder folder;
  const at::Tensor grid = at::arange(12, at::kFloat).view({3, 4});
  write_safetensors(folder / "t.safetensors", {{"scalar", at::scalar_tensor(2.5)},
                                               {"empty", at::zeros({0, 3})},
                                               {"turned", grid.t()},
                                               {"graph", at::ones({2}).set_requires_grad(true)}});
  const auto file = SafetensorsFile::open(folder / "t.safetensors");
  EXPECT_THAT(file->tensor("scalar"), equals_tensor(at::scalar_tensor(2.5)));
  EXPECT_THAT(file->tensor("empty"), equals_tensor(at::zeros({0, 3})));
  EXPECT_THAT(file->tensor("turned"), equals_tensor(grid.t().contiguous()));
  EXPECT_THAT(file->tensor("graph"), equals_tensor(at::ones({2})));
}

TEST(Safetensors, TheHeaderKeepsTheOrderAndEveryTensorIsAligned) {
  const TempFolder folder;
  write_safetensors(folder / "t.safetensors", {{"b", at::ones({3}, at::kByte)},
                                               {"a", at::ones({3})},
                                               {"c", at::ones({1}, at::kByte)},
                                               {"d", at::ones({2}, at::kDouble)}});
  const auto file = SafetensorsFile::open(folder / "t.safetensors");
  EXPECT_THAT(names_of(*file), ElementsAre("b", "a", "c", "d"));
  EXPECT_EQ(file->entries()[3].begin, 0U);
  EXPECT_EQ(file->entries()[1].begin, 16U);
}

TEST(Safetensors, EqualInputGivesEqualBytes) {
  const TempFolder folder;
  const OrderedTensors tensors{{"b", at::arange(5)}, {"a", at::arange(3)}};
  write_safetensors(folder / "1.safetensors", tensors, {{"k", "v"}});
  write_safetensors(folder / "2.safetensors", tensors, {{"k", "v"}});
  EXPECT_EQ(bytes_of(folder / "1.safetensors"), bytes_of(folder / "2.safetensors"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2);
}

TEST(Safetensors, NamesAndMetadataMayHoldAnything) {
  const TempFolder folder;
  write_safetensors(folder / "t.safetensors", {{"a \"b\"\n/ä", at::ones({1})}}, {{"seedbed", "{\"x\": \"\\\\\"}"}});
  const auto file = SafetensorsFile::open(folder / "t.safetensors");
  EXPECT_TRUE(file->contains("a \"b\"\n/ä"));
  EXPECT_EQ(file->metadata().at("seedbed"), "{\"x\": \"\\\\\"}");
}

TEST(Safetensors, TensorsLieOnThePrivateMapping) {
  const TempFolder folder;
  write_safetensors(folder / "t.safetensors", {{"a", at::zeros({4})}});
  auto file = SafetensorsFile::open(folder / "t.safetensors");
  at::Tensor first = file->tensor("a");
  EXPECT_EQ(first.data_ptr(), file->tensor("a").data_ptr());
  file.reset();
  first.fill_(7);  // the tensor keeps the mapping alive, and the file stays as it was
  EXPECT_EQ(first.sum().item<float>(), 28.0F);
  EXPECT_EQ(SafetensorsFile::open(folder / "t.safetensors")->tensor("a").sum().item<float>(), 0.0F);
}

TEST(Safetensors, MisalignedTensorsAreCopied) {
  const TempFolder folder;
  std::string header =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  bytes += header + std::string("\x09\x00\x00\x80\x3f", 5);
  const auto file = SafetensorsFile::open(folder.write("t.safetensors", bytes));
  EXPECT_EQ(file->tensor("a").item<int>(), 9);
  EXPECT_EQ(file->tensor("b").item<float>(), 1.0F);
}

TEST(Safetensors, HalfPrecisionIsWidenedOnRequest) {
  const TempFolder folder;
  write_safetensors(folder / "t.safetensors", {{"h", at::full({2}, 1.5, at::kHalf)},
                                               {"b", at::full({2}, 1.5, at::kBFloat16)},
                                               {"d", at::ones({1}, at::kDouble)}});
  const auto file = SafetensorsFile::open(folder / "t.safetensors");
  EXPECT_THAT(file->widened("h"), equals_tensor(at::full({2}, 1.5)));
  EXPECT_THAT(file->widened("b"), equals_tensor(at::full({2}, 1.5)));
  EXPECT_EQ(file->widened("d").scalar_type(), at::kDouble);
  EXPECT_EQ(file->tensor("h").scalar_type(), at::kHalf);
}

TEST(Safetensors, OffersTheNearestName) {
  const TempFolder folder;
  write_safetensors(folder / "t.safetensors", {{"classifier.weight", at::ones({1})}});
  try {
    SafetensorsFile::open(folder / "t.safetensors")->tensor("classifer.weight");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.hint(), HasSubstr("`classifier.weight`"));
  }
}

TEST(Safetensors, TheWriterRefusesWhatTheFormatLacks) {
  const TempFolder folder;
  EXPECT_THROW(write_safetensors(folder / "t", {{"a", at::ones({1})}, {"a", at::ones({1})}}), ContractError);
  EXPECT_THROW(write_safetensors(folder / "t", {{"a", at::ones({1}, at::kComplexFloat)}}), ContractError);
  EXPECT_THROW(write_safetensors(folder / "t", {{"a", at::Tensor()}}), ContractError);
  folder.write("file", "");
  EXPECT_THROW(write_safetensors(folder / "file/t", {{"a", at::ones({1})}}), UserError);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Safetensors, ReadsFilesOfOthers) {
  SEEDBED_SHARED_OR_SKIP(path, "data/squeezenet-v1.0/squeezenet_v1.0_decoded.safetensors");
  const auto file = SafetensorsFile::open(path);
  EXPECT_EQ(file->entries().size(), 52U);
  EXPECT_EQ(file->tensor("features.0.weight").sizes(), (std::vector<std::int64_t>{96, 3, 7, 7}));
}

}  // namespace
}  // namespace seedbed::weights
