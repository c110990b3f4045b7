#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "stages/agreement.hpp"
#include "stages/member.hpp"

namespace seedbed::stages {
namespace {

/// Joins the labels of its two inputs image by image.
class AgreeMember : public Member {
 public:
  explicit AgreeMember(const StageContext& context)
      : background_wins_(context.spec.settings.value("background_wins", false)),
        doubtful_(context.spec.settings.value("doubtful", "ignore") == "undecided" ? kUndecidedLabel : kIgnoreLabel) {}

  std::string who() const override { return "agree"; }

  ImageProduct process(const std::string& image_id, const InputProducts& inputs) override {
    const ImageProduct& strong = labels_input(inputs, "strong");
    const at::Tensor sure = strong.labels->labels_nhw.to(at::kCPU);
    const at::Tensor loose = labels_input(inputs, "weak").labels->labels_nhw.to(at::kCPU);
    if (sure.sizes() != loose.sizes()) {
      throw ContractError("map stage", "labels of one image have one size", sure.toString(),
                          loose.toString() + " of `" + image_id + "`");
    }
    ImageProduct product;
    product.height_px = strong.height_px;
    product.width_px = strong.width_px;
    product.labels.emplace();
    product.labels->labels_nhw = agreed_labels(sure, loose, background_wins_, doubtful_);
    return product;
  }

  void finish(protocol::StageResult&) override {}

 private:
  bool background_wins_;
  std::int64_t doubtful_;
};

}  // namespace

at::Tensor agreed_labels(const at::Tensor& strong_nhw, const at::Tensor& weak_nhw, bool background_wins,
                         std::int64_t doubtful) {
  const at::Tensor is_class = strong_nhw.ne(kBackgroundLabel).logical_and(strong_nhw.lt(kUndecidedLabel));
  const at::Tensor is_background = weak_nhw.eq(kBackgroundLabel);
  const at::Tensor background = background_wins ? is_background : is_background.logical_and(is_class.logical_not());
  return at::full_like(strong_nhw, doubtful)
      .where(is_class.logical_not(), strong_nhw)
      .masked_fill(background, kBackgroundLabel);
}

std::unique_ptr<Member> make_agree(const StageContext& context) { return std::make_unique<AgreeMember>(context); }

}  // namespace seedbed::stages
