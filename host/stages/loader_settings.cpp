#include "stages/loader_settings.hpp"

#include "dataset/augmentation_spec.hpp"

namespace seedbed::stages {
namespace {

dataset::Augmentation augmentation_of(const Json& table, const char* key = "augment") {
  return dataset::augmentation_from(table.value(key, std::vector<std::string>{}));
}

std::vector<images::ViewRecipe> views_of(const Json& train) {
  std::vector<images::ViewRecipe> views(1);
  views.front().input = dataset::input_size_from(train.value("input", "native"));
  views.front().augmentation = augmentation_of(train);
  const Json named = train.value("views", Json::object());
  for (const auto& [name, view] : named.items()) {
    views.push_back({name, images::view_start_from(view.value("from", "image")),
                     dataset::input_size_from(view.value("input", "native")), augmentation_of(view)});
  }
  return views;
}

}  // namespace

images::LoaderOptions loader_options_from(const StageContext& context) {
  const Json& train = context.spec.settings;
  images::LoaderOptions options;
  options.image_ids = context.spec.image_ids;
  options.views = views_of(train);
  options.base = augmentation_of(train, "base");
  options.batch_size = train.value("batch_size", std::int64_t{1});
  options.drop_last = train.value("drop_last", false);
  options.shuffle = true;
  options.on_broken_image = images::on_broken_image_from(train.value("on_broken_image", "fail"));
  options.random_seed = context.random_seed();
  options.node = context.operation();
  return options;
}

images::LoaderOptions stream_options_from(const StageContext& context, const std::string& name, const Json& stream) {
  const Json& train = context.spec.settings;
  images::LoaderOptions options;
  options.image_ids = context.spec.other_images.at("stream:" + name).image_ids;
  options.views = {images::ViewRecipe{.input = dataset::input_size_from(stream.value("input", "native")),
                                      .augmentation = augmentation_of(stream)}};
  options.batch_size = stream.value("batch_size", train.value("batch_size", std::int64_t{1}));
  options.shuffle = true;
  options.on_broken_image = images::on_broken_image_from(train.value("on_broken_image", "fail"));
  options.random_seed = context.random_seed();
  options.node = context.operation() + "/" + name;
  return options;
}

CropSize crop_size_from(const Json& train) {
  using Kind = dataset::AugmentationKind;
  CropSize crop;
  const auto square = [&](std::int64_t side) { crop = {side, side}; };
  const auto pixels = [](double value) { return static_cast<std::int64_t>(value); };
  const dataset::InputSize input = dataset::input_size_from(train.value("input", "native"));
  if (input.rule == dataset::InputRule::square) square(input.pixels);
  dataset::Augmentation steps = augmentation_of(train, "base");
  for (dataset::AugmentationStep& step : augmentation_of(train)) steps.push_back(std::move(step));
  for (const dataset::AugmentationStep& step : steps) {
    switch (step.kind) {
      case Kind::crop:
      case Kind::center_crop:
      case Kind::random_resized_crop:
        square(pixels(step.values.at(0)));
        break;
      case Kind::resize:
        crop = {pixels(step.values.at(0)), pixels(step.values.at(1))};
        break;
      case Kind::random_scale:
      case Kind::scale_of:
      case Kind::resize_short:
      case Kind::resize_long:
        crop = {};
        break;
      case Kind::flip:
      case Kind::color_jitter:
      case Kind::greyscale:
      case Kind::blur:
      case Kind::solarise:
        break;
    }
  }
  return crop;
}

}  // namespace seedbed::stages
