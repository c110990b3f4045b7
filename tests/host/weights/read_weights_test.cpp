#include "weights/read_weights.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/shared_folder.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::weights {
namespace {

using seedbed::testing::equals_tensor;
using seedbed::testing::TempFolder;
using ::testing::HasSubstr;

TEST(ReadWeights, TheContentTellsTheFormat) {
  const TempFolder folder;
  write_safetensors(folder / "model.pth", {{"w", at::full({2}, 0.5, at::kHalf)}});
  EXPECT_EQ(format_of(folder / "model.pth"), WeightsFormat::safetensors);
  const NamedTensors tensors = read_weights(folder / "model.pth");
  ASSERT_EQ(tensors.size(), 1U);
  EXPECT_THAT(tensors.at("w"), equals_tensor(at::full({2}, 0.5)));
  EXPECT_EQ(format_of(folder.write("a", std::string("\x80\x02}", 3))), WeightsFormat::pickle);
  EXPECT_EQ(format_of(folder.write("b", "")), WeightsFormat::unknown);
}

TEST(ReadWeights, SaysWhatItDoesNotRead) {
  const TempFolder folder;
  try {
    read_weights(folder.write("weights.txt", "hello, this is no weights file"));
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.where(), HasSubstr("weights.txt"));
    EXPECT_THAT(error.hint(), HasSubstr("safetensors"));
  }
  EXPECT_THROW(read_weights(folder / "none"), UserError);
}

TEST(ReadWeights, KnowsPyTorchArchives) {
  SEEDBED_SHARED_OR_SKIP(file, "data/shufflenetv2-fastestdet/shufflenetv2.pth");
  EXPECT_EQ(format_of(file), WeightsFormat::pytorch_zip);
}

TEST(ReadWeights, AnArrayIsNamedAfterItsFile) {
  SEEDBED_SHARED_OR_SKIP(file, "data/squeezenet-v1.0/golden");
  for (const auto& entry : std::filesystem::directory_iterator(file)) {
    if (entry.path().extension() == ".npy") {
      EXPECT_TRUE(read_weights(entry.path()).contains(entry.path().stem().string()));
    }
  }
}

}  // namespace
}  // namespace seedbed::weights
