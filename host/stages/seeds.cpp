#include "stages/member.hpp"
#include "stages/models.hpp"
#include "stages/seed_maker.hpp"

namespace seedbed::stages {
namespace {

/// Makes the seeds of each image.
class SeedsMember : public Member {
 public:
  explicit SeedsMember(const StageContext& context)
      : context_(context),
        model_(build_fitted_generator(context_)),
        maker_(context_, model_, context_.spec.settings, context_.spec.role, "infer", context_.operation()) {}

  std::string who() const override { return maker_.who(); }

  ImageProduct process(const std::string& image_id, const InputProducts&) override { return maker_.make(image_id); }

  void finish(protocol::StageResult& result) override {
    const char* labels[] = {"given", "predicted", "none"};
    result.facts["labels_at_inference"] = labels[static_cast<int>(maker_.labels())];
    result.facts["images_without_class"] = maker_.images_without_class();
    if (!model_.builder.unused_weights().empty()) result.facts["weights_unused"] = model_.builder.unused_weights();
    result.ledger = maker_.images().ledger();
    for (protocol::LedgerEntry& entry : weights_ledger(context_, "infer")) result.ledger.push_back(std::move(entry));
  }

 private:
  StageContext context_;
  GeneratorModel model_;
  SeedMaker maker_;
};

}  // namespace

std::unique_ptr<Member> make_seeds(const StageContext& context) { return std::make_unique<SeedsMember>(context); }

}  // namespace seedbed::stages
