#include "object_proposals.hpp"

#include <string>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::prm {
namespace {

[[noreturn]] void refuse(std::string_view image_id, const std::string& what) {
  throw UserError("proposals", "the file does not hold this image's proposals: `" + std::string(image_id) + "` " + what,
                  "`IMAGE/superpixels` [H,W] and `IMAGE/members` [P,S], of every image");
}

}  // namespace

at::Tensor ObjectProposals::named(std::string_view image_id, const char* part, std::int64_t dimensions) const {
  const auto found = tensors_.find(std::string(image_id) + "/" + part);
  if (found == tensors_.end()) refuse(image_id, std::string("has no `") + part + "`");
  if (found->second.dim() != dimensions || found->second.is_floating_point()) {
    refuse(image_id, std::string("has `") + part + "` of another shape or type");
  }
  return found->second;
}

at::Tensor ObjectProposals::of(std::string_view image_id, std::int64_t height_px, std::int64_t width_px,
                               std::int64_t most) const {
  const at::Tensor superpixels = named(image_id, "superpixels", 2).to(at::kLong);
  const at::Tensor members = named(image_id, "members", 2).slice(0, 0, most).ne(0);
  if (superpixels.size(0) != height_px || superpixels.size(1) != width_px) {
    refuse(image_id, "has superpixels of another size than `" + std::to_string(height_px) + " x " +
                         std::to_string(width_px) + "`");
  }
  const auto [low, high] = at::aminmax(superpixels);
  if (low.item<std::int64_t>() < 0 || high.item<std::int64_t>() >= members.size(1)) {
    refuse(image_id, "has superpixels that `members` does not know");
  }
  return members.index_select(1, superpixels.flatten()).view({members.size(0), height_px, width_px});
}

}  // namespace seedbed::prm
