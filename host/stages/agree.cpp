#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "stages/member.hpp"

namespace seedbed::stages {
namespace {

/// Joins labels made with a strong and with a weak background: classes that the strong one leaves, background that even
/// the weak one gives, and pixels in doubt.
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
    const at::Tensor is_class = sure.ne(kBackgroundLabel).logical_and(sure.lt(kUndecidedLabel));
    const at::Tensor is_background = loose.eq(kBackgroundLabel);
    // Where the two contradict each other IRN takes the class and PSA the background.
    const at::Tensor background = background_wins_ ? is_background : is_background.logical_and(is_class.logical_not());
    ImageProduct product;
    product.height_px = strong.height_px;
    product.width_px = strong.width_px;
    product.labels.emplace();
    product.labels->labels_nhw =
        at::full_like(sure, doubtful_).where(is_class.logical_not(), sure).masked_fill(background, kBackgroundLabel);
    return product;
  }

  void finish(protocol::StageResult&) override {}

 private:
  bool background_wins_;
  std::int64_t doubtful_;
};

}  // namespace

std::unique_ptr<Member> make_agree(const StageContext& context) { return std::make_unique<AgreeMember>(context); }

}  // namespace seedbed::stages
