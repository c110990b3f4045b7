#include "seedbed/segmenter_requests.hpp"

#include <string_view>

#include <ATen/ATen.h>

namespace seedbed {
namespace {

constexpr std::string_view kTapNeed = "tap:";

}  // namespace

std::vector<std::string> taps_of_losses(const std::vector<WeightedLoss>& losses) {
  std::vector<std::string> taps;
  for (const WeightedLoss& weighted : losses) {
    for (const std::string& need : weighted.loss->needs()) {
      if (need.starts_with(kTapNeed)) taps.push_back(need.substr(kTapNeed.size()));
    }
  }
  return taps;
}

HeadRequest head_request(const NamedTensors& taps, const std::vector<std::string>& names, const at::Tensor& images_nchw,
                         RunContext* run) {
  HeadRequest request{
      .taps = {}, .input_height_px = images_nchw.size(2), .input_width_px = images_nchw.size(3), .run = run};
  for (const std::string& name : names) request.taps[name] = taps.at(name);
  return request;
}

LossRequest loss_request(const StepRequest& request, std::int64_t ignore_index) {
  const ViewBatch& batch = request.main();
  LossRequest loss;
  loss.target_nhw = batch.target_nhw;
  loss.present_nc = batch.present_nc;
  loss.images_nchw = batch.images_nchw;
  loss.images_raw_nhwc = batch.images_raw_nhwc;
  loss.companions = batch.companions;
  loss.valid = batch.valid;
  loss.ignore_index = ignore_index;
  loss.step = request.step;
  loss.num_steps = request.num_steps;
  loss.run = request.run;
  return loss;
}

}  // namespace seedbed
