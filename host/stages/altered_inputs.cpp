#include "stages/altered_inputs.hpp"

#include <ATen/ATen.h>

#include "fit/precision.hpp"
#include "fit/random_streams.hpp"
#include "seedbed/error.hpp"
#include "stages/generator_call.hpp"

namespace seedbed::stages {
namespace {

// So many keep a GPU busy, and take no more memory than a step of training.
constexpr std::int64_t kImagesAtOnce = 16;

}  // namespace

AlteredInputs::AlteredInputs(const StageContext& context, GeneratorModel& model, images::LabelledImages& images)
    : context_(context), model_(model), images_(images), settings_(pyramid_settings_from(context.spec.settings)) {
  fit::check_precision(settings_.precision, context.services.device(), "localise.precision");
  if (Backbone* backbone = model.generator->backbone()) {
    normalisation_ = backbone->normalisation();
    size_multiple_px_ = backbone->size_multiple_px();
  }
}

at::Tensor AlteredInputs::show(const std::string& image_id) {
  shown_ = network_input(images_.image(image_id), image_id, 1.0, settings_, normalisation_, 1);
  return shown_.images_nchw[0].to(context_.services.device());
}

std::int64_t AlteredInputs::images_at_once() const { return model_.generator.has("batch_coupled") ? 1 : kImagesAtOnce; }

at::Tensor AlteredInputs::scores(const at::Tensor& images_nchw) {
  model_.generator.run->check_cancelled();
  const std::int64_t n = images_nchw.size(0), num_classes = context_.classes().num_classes();
  NetworkInput input;
  input.images_nchw = images_nchw;
  input.images_raw_nhwc = shown_.images_raw_nhwc.expand({n, -1, -1, -1});
  input.views.assign(static_cast<std::size_t>(n), shown_.views.front());
  fill_up(input, size_multiple_px_);
  const std::string& image_id = shown_.views.front().image_id;
  SeedRequest request;
  request.images_nchw = input.images_nchw;
  request.images_raw_nhwc = input.images_raw_nhwc;
  request.present_nc = at::zeros({n, num_classes}, at::kBool);
  request.views = input.views;
  for (const std::string& name : model_.generator.manifest->supervision.side_inputs)
    request.side_inputs[name] = side_input(images_.dataset().side_kind(name), images_.side(name, image_id), input);
  request.logits_wanted = true;
  request.run = model_.generator.run;
  const fit::RandomScope random(request.run->generator(),
                                fit::derive_seed(context_.random_seed(), context_.operation() + "/" + image_id));
  const SeedResult result = ask_generator(model_, request, settings_.precision, num_classes, first_call_);
  first_call_ = false;
  if (result.logits_nc.defined()) return result.logits_nc;
  throw ContractError(context_.method("generator").id, "a generator that provides `logits` gives image-level scores",
                      "[N,C]", "none");
}

}  // namespace seedbed::stages
