#include <fstream>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "images/decode.hpp"
#include "images/encode.hpp"
#include "seedbed/error.hpp"
#include "support/shared_folder.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/safetensors.hpp"

// goldens/evaluation/image_io: files from other programs and what they hold.
namespace seedbed::images {
namespace {

using seedbed::testing::all_close;
using seedbed::testing::equals_tensor;

constexpr double kJpegTolerance = 8;

class ImageGoldens : public ::testing::Test {
 protected:
  void SetUp() override {
    SEEDBED_SHARED_OR_SKIP(folder, "goldens/evaluation/image_io");
    folder_ = folder;
    expected_ = weights::SafetensorsFile::open(folder / "expected.safetensors");
    std::ifstream text(folder / "image_io.json");
    entries_ = nlohmann::json::parse(text);
  }

  void expect_png(const std::string& name) const {
    if (name == "grey16.png" || !expected_->contains(name)) {
      EXPECT_THROW(decode_mask_values(folder_ / name, MaskCoding::voc_colours), UserError);
    } else {
      EXPECT_THAT(decode_mask_values(folder_ / name, MaskCoding::voc_colours), equals_tensor(expected_->tensor(name)));
    }
  }

  void expect_jpeg(const std::string& name) const {
    const at::Tensor stored = decode_image(folder_ / name);
    const at::Tensor turned = decode_image(folder_ / name, {.orientation = Orientation::applied});
    if (expected_->contains(name)) {
      EXPECT_THAT(stored, all_close(expected_->tensor(name), kJpegTolerance));
      return;
    }
    EXPECT_THAT(stored, all_close(expected_->tensor(name + ".ignored"), kJpegTolerance));
    EXPECT_THAT(turned, all_close(expected_->tensor(name + ".applied"), kJpegTolerance));
  }

  std::filesystem::path folder_;
  std::shared_ptr<const weights::SafetensorsFile> expected_;
  nlohmann::json entries_;
};

TEST_F(ImageGoldens, EveryEntry) {
  std::size_t files = 0;
  for (const auto& [name, entry] : entries_.items()) {
    SCOPED_TRACE(name);
    if (name.ends_with(".png")) expect_png(name);
    if (name.ends_with(".jpg")) expect_jpeg(name);
    files += name.find('.') != std::string::npos;
  }
  EXPECT_EQ(files, entries_.size() - 1);  // and "encode", below
}

TEST_F(ImageGoldens, WrittenLabelsReadBack) {
  const seedbed::testing::TempFolder written;
  const at::Tensor labels = expected_->tensor("encode.labels");
  write_label_png(written / "labels.png", labels);
  EXPECT_THAT(decode_mask_values(written / "labels.png"), equals_tensor(labels));
}

TEST_F(ImageGoldens, ColourMap) {
  std::ifstream lines(folder_ / "voc_colormap.csv");
  std::string line;
  std::getline(lines, line);
  for (unsigned index = 0; index < 256; ++index) {
    ASSERT_TRUE(std::getline(lines, line));
    unsigned found[4]{};
    ASSERT_EQ(std::sscanf(line.c_str(), "%u,%u,%u,%u", &found[0], &found[1], &found[2], &found[3]), 4);
    ASSERT_EQ(found[0], index);
    for (std::size_t channel = 0; channel < 3; ++channel)
      EXPECT_EQ(voc_colour_map()[index][channel], found[channel + 1]);
  }
}

TEST_F(ImageGoldens, ColouredMasksAreRefusedUnlessAskedFor) {
  EXPECT_THROW(decode_mask_values(folder_ / "rgb_coded.png"), UserError);
  EXPECT_THROW(decode_mask_values(folder_ / "rgba.png"), UserError);
}

}  // namespace
}  // namespace seedbed::images
