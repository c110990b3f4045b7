#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <ATen/core/Tensor.h>

#include "seedbed/types.hpp"

namespace seedbed::prm {

/// Object proposals of many images, as hierarchies of superpixels store them (MCG, COB): of each image `IMAGE/superpixels`
/// [H,W] integers from 0 and `IMAGE/members` [P,S] bool or uint8, which superpixels make up each proposal, best first.
///
/// Threads: [any-thread].
class ObjectProposals {
 public:
  explicit ObjectProposals(NamedTensors tensors) : tensors_(std::move(tensors)) {}

  /// The first `most` proposals of an image as masks, [P,H,W] bool.
  /// Throws: UserError for an image that has none in the file, or tensors that do not fit each other or the image.
  at::Tensor of(std::string_view image_id, std::int64_t height_px, std::int64_t width_px, std::int64_t most) const;

 private:
  at::Tensor named(std::string_view image_id, const char* part, std::int64_t dimensions) const;

  NamedTensors tensors_;
};

}  // namespace seedbed::prm
