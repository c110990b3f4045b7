#include "stages/loader_settings.hpp"

#include "dataset/augmentation_spec.hpp"

namespace seedbed::stages {
namespace {

dataset::Augmentation augmentation_of(const Json& train) {
  return dataset::augmentation_from(train.value("augment", std::vector<std::string>{}));
}

}  // namespace

images::LoaderOptions loader_options_from(const StageContext& context) {
  const Json& train = context.spec.settings;
  images::LoaderOptions options;
  options.image_ids = context.spec.image_ids;
  options.views = {{"main", dataset::input_size_from(train.value("input", "native")), augmentation_of(train)}};
  options.batch_size = train.value("batch_size", std::int64_t{1});
  options.drop_last = train.value("drop_last", false);
  options.shuffle = true;
  options.on_broken_image = images::on_broken_image_from(train.value("on_broken_image", "fail"));
  options.random_seed = context.random_seed();
  options.node = context.operation();
  return options;
}

CropSize crop_size_from(const Json& train) {
  CropSize crop;
  const auto square = [&](std::int64_t side) { crop = {side, side}; };
  const dataset::InputSize input = dataset::input_size_from(train.value("input", "native"));
  if (input.rule == dataset::InputRule::square) square(input.pixels);
  for (const dataset::AugmentationStep& step : augmentation_of(train)) {
    switch (step.kind) {
      case dataset::AugmentationKind::crop:
      case dataset::AugmentationKind::random_resized_crop: square(static_cast<std::int64_t>(step.values.at(0))); break;
      case dataset::AugmentationKind::random_scale:
      case dataset::AugmentationKind::resize_long: crop = {}; break;
      case dataset::AugmentationKind::flip:
      case dataset::AugmentationKind::color_jitter: break;
    }
  }
  return crop;
}

}  // namespace seedbed::stages
