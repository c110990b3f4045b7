#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

#include <ATen/core/Tensor.h>

namespace seedbed::images {

/// VOC's colour map: red, green, blue of the 256 labels.
const std::array<std::array<std::uint8_t, 3>, 256>& voc_colour_map();

/// Writes labels [H,W] uint8 as an 8-bit palette PNG with VOC's colours. Equal labels give equal bytes.
/// Throws: UserError naming the file where it cannot be written.
void write_label_png(const std::filesystem::path& file, const at::Tensor& labels_hw);

/// Writes RGB [H,W,3] or grey [H,W], uint8.
void write_image_png(const std::filesystem::path& file, const at::Tensor& image_hwc);

/// Writes values [H,W] float32 of 0..1 as grey of 16 bits, 65535 = 1, rounded to the nearest.
void write_grey16_png(const std::filesystem::path& file, const at::Tensor& values_hw);

}  // namespace seedbed::images
