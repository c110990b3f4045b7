#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include "dataset/dataset.hpp"
#include "images/decoded_content.hpp"
#include "protocol/stage.hpp"

namespace seedbed::images {

/// What one stage may open, and in whose name.
struct Access {
  std::string who;  ///< method or operation, for the error
  std::string role;
  std::string purpose;                  ///< "train" | "infer" | "choose" | "score"
  std::set<dataset::Content> contents;  ///< Content::side stands for the names in `side`
  std::set<std::string> side;
};

/// The only way to an image, its labels, its mask or a side input: hands out what was declared, and counts it.
///
/// Threads: [any-thread]. Tensors may be shared with a cache: do not write to them.
class LabelledImages {
 public:
  /// `content` may be shared by the accessors of stages that run together, so that each file is decoded once.
  LabelledImages(std::shared_ptr<DecodedContent> content, Access access);

  const dataset::Dataset& dataset() const { return content_->dataset(); }
  const Access& access() const { return access_; }

  /// All throw ContractError for what was not declared, UserError for what cannot be read.
  at::Tensor image(std::string_view image_id);                        ///< [H,W,3] uint8 RGB
  at::Tensor mask(std::string_view image_id);                         ///< [H,W] uint8: 0..C, 255
  std::vector<std::int64_t> image_labels(std::string_view image_id);  ///< sorted, 1..C
  at::Tensor instances(std::string_view image_id);                    ///< [H,W] uint8: 0, one number an object, 255
  std::vector<dataset::Box> boxes(std::string_view image_id);         ///< of the stored image, in the data set's order
  at::Tensor side(std::string_view name, std::string_view image_id);  ///< [H,W] uint8

  /// [C] bool of image_labels.
  at::Tensor present_c(std::string_view image_id);

  /// Everything opened so far, in alphabetical order of its kind.
  std::vector<protocol::LedgerEntry> ledger() const;

  /// What the ledger is made of, and back: a stage that goes on after an interruption counts what was opened before.
  nlohmann::ordered_json counts() const;
  void load_counts(const nlohmann::ordered_json& counts);

 private:
  // Decodes ahead, and counts what it hands out only: a ledger must not depend on how far ahead that was.
  friend class LoaderWork;

  struct Opening {
    dataset::Content content;
    std::string side;
    std::string image_id;
  };
  struct Count {
    std::set<std::string, std::less<>> image_ids;
    std::int64_t opens = 0;
  };

  void check(dataset::Content content, std::string_view side) const;
  void count(const Opening& opening);

  std::shared_ptr<DecodedContent> content_;
  Access access_;
  mutable std::mutex mutex_;
  std::map<std::string, Count> counts_;  ///< by the ledger's kind
};

/// The images that have at least one class, in order: what training by image-level labels uses.
std::vector<std::string> images_with_class(LabelledImages& images, const std::vector<std::string>& image_ids);

}  // namespace seedbed::images
