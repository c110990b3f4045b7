#include "atrous_pyramid.hpp"

#include <string>

#include <ATen/ATen.h>

namespace seedbed::deeplab {
namespace {

Conv2dOptions pointwise(std::int64_t in_channels, std::int64_t width) {
  return {.in_channels = in_channels, .out_channels = width};
}

}  // namespace

AtrousPyramid::AtrousPyramid(std::int64_t in_channels, std::int64_t width,
                             const std::vector<std::int64_t>& atrous_rates, double dropout,
                             const at::Generator& generator)
    : image_branch_(pointwise(in_channels, width), generator),
      project_(pointwise(width * (static_cast<std::int64_t>(atrous_rates.size()) + 2), width), generator),
      dropout_(std::make_shared<Dropout>(dropout, /*whole_channels=*/false)) {
  branches_.emplace_back(pointwise(in_channels, width), generator);
  for (const std::int64_t rate : atrous_rates) {
    branches_.emplace_back(
        Conv2dOptions{
            .in_channels = in_channels, .out_channels = width, .kernel = 3, .padding = rate, .dilation = rate},
        generator);
  }
  const auto convs = register_module("convs", std::make_shared<NamedModules>());
  const auto slot = [](NamedModules& owner, std::size_t number) {
    return owner.register_module(std::to_string(number), std::make_shared<NamedModules>());
  };
  for (std::size_t i = 0; i < branches_.size(); ++i) branches_[i].register_in(*slot(*convs, i), "0", "1");
  image_branch_.register_in(*slot(*convs, branches_.size()), "1", "2");  // "0" is torchvision's pooling
  project_.register_in(*register_module("project", std::make_shared<NamedModules>()), "0", "1");
  register_module("dropout", dropout_);
}

at::Tensor AtrousPyramid::forward(const at::Tensor& map_nchw, const at::Generator& generator) const {
  std::vector<at::Tensor> maps;
  for (const NormedConvolution& branch : branches_) maps.push_back(branch.forward(map_nchw));
  // The average is one cell; resized to the map it is the same everywhere.
  maps.push_back(image_branch_.forward(map_nchw.mean({2, 3}, /*keepdim=*/true)).expand_as(maps.front()));
  return dropout_->forward(project_.forward(at::cat(maps, 1)), generator);
}

}  // namespace seedbed::deeplab
