#include "images/encode.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "image_files.hpp"
#include "images/decode.hpp"
#include "seedbed/error.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::images {
namespace {

using seedbed::testing::equals_tensor;
using seedbed::testing::TempFolder;

using Rgb = std::array<std::uint8_t, 3>;

TEST(VocColourMap, HasTheKnownColours) {
  EXPECT_EQ(voc_colour_map()[0], (Rgb{0, 0, 0}));
  EXPECT_EQ(voc_colour_map()[1], (Rgb{128, 0, 0}));
  EXPECT_EQ(voc_colour_map()[2], (Rgb{0, 128, 0}));
  EXPECT_EQ(voc_colour_map()[15], (Rgb{192, 128, 128}));
  EXPECT_EQ(voc_colour_map()[255], (Rgb{224, 224, 192}));
}

TEST(WriteLabelPng, ReadsBackAsIndicesAndAsColours) {
  const TempFolder folder;
  const at::Tensor labels = at::arange(256).to(at::kByte).view({8, 32});
  write_label_png(folder / "labels.png", labels);
  EXPECT_THAT(decode_mask_values(folder / "labels.png"), equals_tensor(labels));
  const at::Tensor colours = decode_image(folder / "labels.png");
  EXPECT_EQ(colours[0][15][1].item<int>(), 128);
}

TEST(WriteImagePng, ReadsBackEqual) {
  const TempFolder folder;
  const at::Tensor image = at::arange(60).to(at::kByte).view({4, 5, 3});
  write_image_png(folder / "image.png", image);
  EXPECT_THAT(decode_image(folder / "image.png"), equals_tensor(image));
  write_image_png(folder / "strided.png", image.transpose(0, 1));
  EXPECT_THAT(decode_image(folder / "strided.png"), equals_tensor(image.transpose(0, 1).contiguous()));
}

TEST(WriteGrey16Png, KeepsSixteenBits) {
  const TempFolder folder;
  write_grey16_png(folder / "values.png", at::tensor({0.0F, 1.0F, 0.5F, 0.25F, -1.0F, 2.0F}).view({2, 3}));
  EXPECT_THAT(seedbed::testing::grey16_samples(folder / "values.png"),
              ::testing::ElementsAre(0, 65535, 32768, 16384, 0, 65535));
  EXPECT_THROW(write_grey16_png(folder / "none/values.png", at::zeros({2, 2})), UserError);
  EXPECT_THROW(write_grey16_png(folder / "values.png", at::zeros({2, 2, 2})), ContractError);
}

TEST(WriteImagePng, NamesAFileThatCannotBeWritten) {
  const TempFolder folder;
  EXPECT_THROW(write_image_png(folder / "none/image.png", at::zeros({2, 2, 3}, at::kByte)), UserError);
  EXPECT_THROW(write_image_png(folder / "image.png", at::zeros({2, 2, 3})), ContractError);
}

}  // namespace
}  // namespace seedbed::images
