#include "evaluation/score_file.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/kernels/resize.hpp"
#include "seedbed/types.hpp"
#include "weights/read_weights.hpp"

namespace seedbed::evaluation {
namespace {

std::string shape_of(const at::Tensor& tensor) {
  std::string text;
  for (const std::int64_t side : tensor.sizes()) text += (text.empty() ? "" : ",") + std::to_string(side);
  return "[" + text + "]";
}

std::vector<std::int64_t> labels_from(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> labels(static_cast<std::size_t>(count));
  std::iota(labels.begin(), labels.end(), first);
  return labels;
}

// Every class, or every label.
std::vector<std::int64_t> planes_by_number(const at::Tensor& maps, std::int64_t num_labels, const std::string& where) {
  if (maps.dim() == 3 && maps.size(0) == num_labels - 1) return labels_from(1, num_labels - 1);
  if (maps.dim() == 3 && maps.size(0) == num_labels) return labels_from(0, num_labels);
  throw UserError(where,
                  "The shape of the score maps fits neither the classes nor the labels: `" + shape_of(maps) + "`.",
                  "[" + std::to_string(num_labels - 1) + ",H,W] without a background, [" + std::to_string(num_labels) +
                      ",H,W] with it in front; `--classes` names other classes");
}

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// IRN's {"keys", "cam", "high_res"}: keys count classes from 0.
Scores scores_with_keys(const NamedTensors& parts, const std::string& where) {
  const auto found = parts.contains("high_res") ? parts.find("high_res") : parts.find("cam");
  if (found == parts.end())
    throw UserError(where, "The dictionary has `keys`, but no maps.", "IRN saves them as `high_res` or `cam`.");
  const at::Tensor keys = parts.find("keys")->second.to(at::kLong).contiguous();
  Scores scores{found->second, {}};
  for (std::int64_t i = 0; i < keys.numel(); ++i) scores.planes.push_back(keys.const_data_ptr<std::int64_t>()[i] + 1);
  return scores;
}

// PSA's {class number from 0: [H,W]}.
Scores scores_by_class(const NamedTensors& parts, const std::string& where) {
  std::vector<std::pair<std::int64_t, at::Tensor>> maps;
  for (const auto& [name, map] : parts) {
    const auto number = whole_number(name);
    if (!number)
      throw UserError(where, "A dictionary of score maps has an entry that is none: `" + name + "`.",
                      "Either `keys` with `high_res` or `cam` (IRN), or a map for each class number (PSA).");
    maps.emplace_back(*number + 1, map);
  }
  std::ranges::sort(maps, {}, &std::pair<std::int64_t, at::Tensor>::first);
  Scores scores;
  std::vector<at::Tensor> planes;
  for (const auto& [label, map] : maps) {
    scores.planes.push_back(label);
    planes.push_back(map);
  }
  if (std::ranges::any_of(planes, [&](const at::Tensor& plane) { return plane.sizes() != planes.front().sizes(); }))
    throw UserError(where, "The maps of a dictionary have different sizes.", "");
  scores.maps_phw = at::stack(planes);
  return scores;
}

Scores scores_in_npy(const ResultPlace& place, std::int64_t num_labels) {
  const NamedTensors parts = weights::read_weights(place.file);
  if (parts.contains("keys")) return scores_with_keys(parts, place.where());
  if (parts.size() == 1 && parts.begin()->second.dim() == 3) {
    const at::Tensor& maps = parts.begin()->second;
    return {maps, planes_by_number(maps, num_labels, place.where())};
  }
  // An array alone is named after its file, which may be a number too.
  const bool is_array = parts.size() == 1 && parts.begin()->first == place.file.stem().string();
  if (parts.empty() || is_array || !whole_number(parts.begin()->first))
    throw UserError(place.where(), "The file holds no score maps.", "[C,H,W], [K,H,W], or a dictionary of IRN or PSA");
  return scores_by_class(parts, place.where());
}

Scores scores_in_safetensors(const ResultPlace& place, std::int64_t num_labels) {
  const at::Tensor maps = place.open->widened(place.tensor);
  if (place.planes.empty() && !(maps.dim() == 3 && maps.size(0) == 0))
    return {maps, planes_by_number(maps, num_labels, place.where())};
  return {maps, place.planes};
}

void require_legal(const Scores& scores, std::int64_t num_labels, const std::string& where) {
  if (scores.maps_phw.dim() != 3 || scores.maps_phw.size(0) != std::ssize(scores.planes))
    throw UserError(where,
                    "The maps are not one plane for each key: `" + shape_of(scores.maps_phw) + "` for `" +
                        std::to_string(scores.planes.size()) + "`.",
                    "");
  const bool known = std::ranges::all_of(scores.planes, [&](std::int64_t p) { return p >= 0 && p < num_labels; });
  const bool ascending = std::ranges::adjacent_find(scores.planes, std::greater_equal()) == scores.planes.end();
  if (!known || !ascending)
    throw UserError(
        where, "The keys of the maps are not ascending numbers of classes.",
        "There are " + std::to_string(num_labels) + " labels with the background; `--classes` names others.");
  if (scores.maps_phw.numel() > 0 && !scores.maps_phw.isfinite().all().item<bool>())
    throw UserError(where, "A score map holds a value that is not finite.", "");
}

}  // namespace

Scores read_scores(const ResultPlace& place, std::int64_t num_labels) {
  Scores scores = place.open ? scores_in_safetensors(place, num_labels) : scores_in_npy(place, num_labels);
  if (!scores.maps_phw.is_floating_point())
    throw UserError(place.where(), "Score maps are numbers with fractions, and these are whole ones.",
                    "float16, float32 or float64");
  scores.maps_phw = scores.maps_phw.to(at::kFloat).contiguous();
  require_legal(scores, num_labels, place.where());
  return scores;
}

Scores at_size(Scores scores, std::int64_t height_px, std::int64_t width_px, bool resize, const std::string& where) {
  const at::Tensor& maps = scores.maps_phw;
  if (maps.size(0) == 0) {
    scores.maps_phw = at::zeros({0, height_px, width_px});
    return scores;
  }
  if (maps.size(1) == height_px && maps.size(2) == width_px) return scores;
  if (!resize)
    throw UserError(where,
                    "Score maps have another size than the mask: `" + std::to_string(maps.size(1)) + " x " +
                        std::to_string(maps.size(2)) + "` for `" + std::to_string(height_px) + " x " +
                        std::to_string(width_px) + "`.",
                    "`--resize` resizes them (bilinear, half-pixel centres).");
  scores.maps_phw = kernels::resize_maps(maps, height_px, width_px, /*align_corners=*/false);
  return scores;
}

}  // namespace seedbed::evaluation
