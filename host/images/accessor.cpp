#include "images/accessor.hpp"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"

namespace seedbed::images {
namespace {

using dataset::Content;

std::string kind_of(Content content, std::string_view side) {
  switch (content) {
    case Content::image:
      return "images";
    case Content::image_labels:
      return "image_labels";
    case Content::mask:
      return "masks";
    case Content::instances:
      return "instances";
    case Content::boxes:
      return "boxes";
    case Content::side:
      break;
  }
  return "side:" + std::string(side);
}

}  // namespace

LabelledImages::LabelledImages(std::shared_ptr<DecodedContent> content, Access access)
    : content_(std::move(content)), access_(std::move(access)) {}

at::Tensor LabelledImages::image(std::string_view image_id) {
  check(Content::image, {});
  count({Content::image, {}, std::string(image_id)});
  return content_->image(image_id);
}

at::Tensor LabelledImages::mask(std::string_view image_id) {
  check(Content::mask, {});
  count({Content::mask, {}, std::string(image_id)});
  return content_->mask(image_id);
}

at::Tensor LabelledImages::instances(std::string_view image_id) {
  check(Content::instances, {});
  count({Content::instances, {}, std::string(image_id)});
  return content_->instances(image_id);
}

std::vector<dataset::Box> LabelledImages::boxes(std::string_view image_id) {
  check(Content::boxes, {});
  count({Content::boxes, {}, std::string(image_id)});
  return dataset().boxes(image_id);
}

std::vector<std::int64_t> LabelledImages::image_labels(std::string_view image_id) {
  check(Content::image_labels, {});
  count({Content::image_labels, {}, std::string(image_id)});
  return content_->image_labels(image_id);
}

at::Tensor LabelledImages::side(std::string_view name, std::string_view image_id) {
  check(Content::side, name);
  count({Content::side, std::string(name), std::string(image_id)});
  return content_->side(name, image_id);
}

at::Tensor LabelledImages::present_c(std::string_view image_id) {
  at::Tensor present = at::zeros({dataset().classes().num_classes()}, at::kBool);
  for (std::int64_t label : image_labels(image_id)) present.mutable_data_ptr<bool>()[label - 1] = true;
  return present;
}

void LabelledImages::check(Content content, std::string_view side) const {
  const bool declared =
      content == Content::side ? access_.side.contains(std::string(side)) : access_.contents.contains(content);
  if (declared) return;
  std::string expected;
  for (Content legal : access_.contents)
    if (legal != Content::side) expected += (expected.empty() ? "" : ", ") + kind_of(legal, {});
  for (const std::string& name : access_.side)
    expected += (expected.empty() ? "" : ", ") + kind_of(Content::side, name);
  throw ContractError(access_.who, "only declared contents are opened", expected.empty() ? "none" : expected,
                      kind_of(content, side));
}

void LabelledImages::count(const Opening& opening) {
  const std::lock_guard lock(mutex_);
  Count& count = counts_[kind_of(opening.content, opening.side)];
  count.image_ids.insert(opening.image_id);
  ++count.opens;
}

std::vector<protocol::LedgerEntry> LabelledImages::ledger() const {
  const std::lock_guard lock(mutex_);
  std::vector<protocol::LedgerEntry> entries;
  for (const auto& [kind, count] : counts_)
    entries.push_back({kind, access_.role, access_.purpose, std::ssize(count.image_ids), count.opens});
  return entries;
}

nlohmann::ordered_json LabelledImages::counts() const {
  const std::lock_guard lock(mutex_);
  nlohmann::ordered_json counts = nlohmann::ordered_json::object();
  for (const auto& [kind, count] : counts_) counts[kind] = {{"images", count.image_ids}, {"opens", count.opens}};
  return counts;
}

void LabelledImages::load_counts(const nlohmann::ordered_json& counts) {
  const std::lock_guard lock(mutex_);
  counts_.clear();
  for (const auto& [kind, count] : counts.items()) {
    Count& loaded = counts_[kind];
    for (const auto& id : count.at("images")) loaded.image_ids.insert(id.get<std::string>());
    loaded.opens = count.at("opens");
  }
}

std::vector<std::string> images_with_class(LabelledImages& images, const std::vector<std::string>& image_ids) {
  std::vector<std::string> with_class;
  std::ranges::copy_if(image_ids, std::back_inserter(with_class),
                       [&](const std::string& id) { return !images.image_labels(id).empty(); });
  return with_class;
}

}  // namespace seedbed::images
