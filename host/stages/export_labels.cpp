#include "stages/export_labels.hpp"

#include <system_error>

#include <ATen/ATen.h>

#include "images/encode.hpp"
#include "seedbed/error.hpp"
#include "stages/product_artefact.hpp"
#include "weights/npy.hpp"

namespace seedbed::stages {
namespace {

void write_confidence(const at::Tensor& confidence_hw, const std::filesystem::path& stem, ConfidenceFile form) {
  if (form == ConfidenceFile::png) return images::write_grey16_png(stem.string() + ".confidence.png", confidence_hw);
  weights::write_npy(stem.string() + ".confidence.npy", confidence_hw.to(at::kFloat));
}

}  // namespace

ConfidenceFile confidence_file_from(std::string_view name) {
  if (name == "none") return ConfidenceFile::none;
  if (name == "png") return ConfidenceFile::png;
  if (name == "npy") return ConfidenceFile::npy;
  throw UserError("confidence", "There is no such form of confidence files: `" + std::string(name) + "`.",
                  "It is `none`, `png` or `npy`.");
}

ExportedLabels export_labels(const std::filesystem::path& artefact_folder, std::string_view key,
                             const std::filesystem::path& folder, ConfidenceFile confidence) {
  const ProductReader reader(artefact_folder, key);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw UserError(folder.string(), "The folder cannot be made: `" + error.message() + "`.", "another folder");
  }
  ExportedLabels exported;
  for (const std::string& id : reader.image_ids()) {
    const ImageProduct product = reader.read(id);
    if (!product.labels)
      throw UserError(std::string(key), "The stage made maps, not labels.", "a stage that makes labels");
    images::write_label_png(folder / (id + ".png"), product.labels->labels_nhw[0]);
    ++exported.images;
    if (confidence == ConfidenceFile::none) continue;
    if (!product.labels->confidence_nhw.defined()) {
      throw UserError(std::string(key), "The labels come without a confidence.",
                      "`confidence = true` in the rule that makes them, and run the study again");
    }
    write_confidence(product.labels->confidence_nhw[0], folder / id, confidence);
    ++exported.confidences;
  }
  return exported;
}

}  // namespace seedbed::stages
