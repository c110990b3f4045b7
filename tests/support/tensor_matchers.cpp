#include "support/tensor_matchers.hpp"

#include <limits>
#include <ostream>
#include <string>
#include <utility>

#include <ATen/ATen.h>

namespace seedbed::testing {
namespace {

std::string described(const at::Tensor& tensor) {
  if (!tensor.defined()) return "an undefined tensor";
  std::string text = std::string(c10::toString(tensor.scalar_type())) + " [";
  for (std::int64_t i = 0; i < tensor.dim(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(tensor.size(i));
  return text + "]" + (tensor.is_cpu() ? "" : " on " + tensor.device().str());
}

/// Row-major index of the flat position.
std::string index_of(std::int64_t flat, at::IntArrayRef sizes) {
  std::string text;
  for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) {
    text = std::to_string(flat % *size) + (text.empty() ? "" : ", ") + text;
    flat /= *size;
  }
  return "[" + text + "]";
}

class CloseMatcher : public ::testing::MatcherInterface<const at::Tensor&> {
 public:
  CloseMatcher(at::Tensor expected, double atol, double rtol)
      : expected_(std::move(expected)), atol_(atol), rtol_(rtol) {}

  bool MatchAndExplain(const at::Tensor& actual, ::testing::MatchResultListener* listener) const override {
    if (actual.defined() != expected_.defined()) return *listener << "which is " << described(actual), false;
    if (!actual.defined()) return true;
    if (actual.sizes() != expected_.sizes() || actual.scalar_type() != expected_.scalar_type()) {
      return *listener << "which is " << described(actual), false;
    }
    // Most comparisons end here, and what follows takes a dozen copies in double precision.
    if (actual.numel() == 0 || (actual.device() == expected_.device() && at::equal(actual, expected_))) return true;
    const at::Tensor found = actual.detach().to(at::kCPU).to(at::kDouble).contiguous();
    const at::Tensor wanted = expected_.detach().to(at::kCPU).to(at::kDouble).contiguous();
    const at::Tensor same = found.eq(wanted).logical_or_(found.isnan().logical_and_(wanted.isnan()));
    const at::Tensor excess = (found - wanted).abs().sub_(wanted.abs().mul_(rtol_)).sub_(atol_);
    // Where one is NaN or an infinity of another sign the excess is not a number: the worst there is.
    const at::Tensor ranked = excess.nan_to_num(std::numeric_limits<double>::infinity()).masked_fill(same, -1.0);
    const std::int64_t num_wrong = ranked.gt(0).sum().item<std::int64_t>();
    if (num_wrong == 0) return true;
    const std::int64_t worst = ranked.flatten().argmax().item<std::int64_t>();
    const std::streamsize digits = listener->stream() ? listener->stream()->precision(9) : 0;
    *listener << "which is " << described(actual) << "; " << num_wrong << " of " << actual.numel()
              << " elements differ, worst at " << index_of(worst, actual.sizes()) << ": "
              << found.flatten()[worst].item<double>() << " instead of " << wanted.flatten()[worst].item<double>();
    if (listener->stream()) listener->stream()->precision(digits);
    return false;
  }

  void DescribeTo(std::ostream* stream) const override {
    *stream << "is " << described(expected_);
    if (atol_ != 0 || rtol_ != 0) *stream << " within " << atol_ << " + " << rtol_ << " |expected|";
  }

 private:
  at::Tensor expected_;
  double atol_;
  double rtol_;
};

}  // namespace

::testing::Matcher<const at::Tensor&> all_close(at::Tensor expected, double atol, double rtol) {
  return ::testing::MakeMatcher(new CloseMatcher(std::move(expected), atol, rtol));
}

::testing::Matcher<const at::Tensor&> equals_tensor(at::Tensor expected) {
  return all_close(std::move(expected), 0, 0);
}

::testing::Matcher<const at::Tensor&> has_shape(std::vector<std::int64_t> shape) {
  return ::testing::ResultOf(
      "its shape", [](const at::Tensor& tensor) { return tensor.sizes().vec(); }, ::testing::Eq(std::move(shape)));
}

}  // namespace seedbed::testing

namespace at {

void PrintTo(const Tensor& tensor, std::ostream* stream) { *stream << seedbed::testing::described(tensor); }

}  // namespace at
