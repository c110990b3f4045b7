#include <ATen/ATen.h>

#include "metrics/average_precision.hpp"
#include "seedbed/error.hpp"
#include "stages/artefact_file.hpp"
#include "stages/member.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::stages {
namespace {

/// Compares image-level scores with the role's image labels.
class ScoreClassificationMember : public Member {
 public:
  explicit ScoreClassificationMember(const StageContext& context)
      : context_(context), images_(open_images(context, who(), "score", {dataset::Content::image_labels})) {}

  std::string who() const override { return "score classification"; }

  ImageProduct process(const std::string& image_id, const InputProducts& inputs) override {
    const ImageProduct& maps = maps_input(inputs, "maps");
    if (!maps.logits_c.defined()) {
      throw UserError("score.targets", "The seed generator gives no image-level scores.",
                      "leave out the target `image_labels`");
    }
    scores_.push_back(maps.logits_c.to(at::kCPU));
    labels_.push_back(images_->present_c(image_id).to(at::kByte));
    image_ids_.push_back(image_id);
    return {};
  }

  void finish(protocol::StageResult& result) override {
    const at::Tensor scores_nc = at::stack(scores_);
    const at::Tensor labels_nc = at::stack(labels_);
    const std::string target = context_.spec.settings.at("target").get<std::string>();
    const auto add = [&](const char* name, const std::string& class_name, const std::optional<double>& value) {
      if (value) result.metrics.push_back({name, class_name, *value, "1", target, "", std::nullopt});
    };
    add("map_macro", "", metrics::map_macro(scores_nc, labels_nc));
    const auto values = metrics::average_precision(scores_nc, labels_nc);
    for (std::size_t c = 0; c < values.size(); ++c) add("ap", context_.classes().names.at(c), values[c]);
    write_file(scores_nc, labels_nc, result);
    result.ledger = images_->ledger();
  }

 private:
  void write_file(const at::Tensor& scores_nc, const at::Tensor& labels_nc, protocol::StageResult& result) const {
    const std::filesystem::path file = context_.folder() / "per_image.safetensors";
    std::filesystem::create_directories(file.parent_path());
    weights::write_safetensors(file, {{"scores", scores_nc}, {"labels", labels_nc}},
                               {{"images", nlohmann::ordered_json(image_ids_).dump()}});
    result.artefacts = {artefact_file("per_image", context_.artefact_folder, file)};
  }

  StageContext context_;
  std::shared_ptr<images::LabelledImages> images_;
  std::vector<at::Tensor> scores_;
  std::vector<at::Tensor> labels_;
  std::vector<std::string> image_ids_;
};

}  // namespace

std::unique_ptr<Member> make_score_classification(const StageContext& context) {
  return std::make_unique<ScoreClassificationMember>(context);
}

}  // namespace seedbed::stages
