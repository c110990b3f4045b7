#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/stage.hpp"
#include "stages/image_product.hpp"
#include "stages/stage_context.hpp"

namespace seedbed::stages {

/// Products of the stages that a member reads, by the names of its inputs.
using InputProducts = std::map<std::string, const ImageProduct*, std::less<>>;

/// A stage of a streamed group: sees one image after the other.
class Member {
 public:
  virtual ~Member() = default;

  /// Who is to blame where LibTorch throws: a method's id, or the operation.
  virtual std::string who() const = 0;

  /// What the stage makes of one image; empty for stages that only count.
  virtual ImageProduct process(const std::string& image_id, const InputProducts& inputs) = 0;

  /// After the last image: metrics, curves, artefacts, facts and ledger entries into `result`.
  virtual void finish(protocol::StageResult& result) = 0;
};

/// Makes the member for a map, choose or score stage; methods are built and loaded here.
/// Throws: ContractError for an operation that is not one of these types'.
std::unique_ptr<Member> make_member(const StageContext& context);

/// The product of input `name`. Throws: ContractError where it has none, or not the kind wanted.
const ImageProduct& maps_input(const InputProducts& inputs, std::string_view name);
const ImageProduct& labels_input(const InputProducts& inputs, std::string_view name);

// One maker an operation.
std::unique_ptr<Member> make_seeds(const StageContext& context);
std::unique_ptr<Member> make_refine(const StageContext& context);
std::unique_ptr<Member> make_agree(const StageContext& context);
std::unique_ptr<Member> make_label(const StageContext& context);
std::unique_ptr<Member> make_predict(const StageContext& context);
std::unique_ptr<Member> make_choose(const StageContext& context);
std::unique_ptr<Member> make_score_sweep(const StageContext& context);
std::unique_ptr<Member> make_score_labels(const StageContext& context);
std::unique_ptr<Member> make_score_maps(const StageContext& context);
std::unique_ptr<Member> make_score_causal(const StageContext& context);
std::unique_ptr<Member> make_score_classification(const StageContext& context);
std::unique_ptr<Member> make_score_instances(const StageContext& context);

}  // namespace seedbed::stages
