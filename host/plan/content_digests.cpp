#include "plan/content_digests.hpp"

#include <optional>

#include "digest/sha256.hpp"
#include "seedbed/error.hpp"

namespace seedbed::plan {
namespace {

constexpr std::string_view kSidePrefix = "side:";

std::string digest_of_ids(const std::vector<std::string>& image_ids) {
  digest::Sha256 hash;
  for (const std::string& id : image_ids) hash.update(id).update("\n");
  return hash.hex();
}

std::string content_digest(const dataset::Dataset& dataset, const std::vector<std::string>& image_ids,
                           std::string_view content) {
  using dataset::Content;
  if (content == "image") return dataset.digest(image_ids, Content::image);
  if (content == "image_labels") return dataset.digest(image_ids, Content::image_labels);
  if (content == "mask") return dataset.digest(image_ids, Content::mask);
  if (content == "instances") return dataset.digest(image_ids, Content::instances);
  if (content == "boxes") return dataset.digest(image_ids, Content::boxes);
  if (content.starts_with(kSidePrefix)) {
    return dataset.digest(image_ids, Content::side, content.substr(kSidePrefix.size()));
  }
  throw ContractError("plan", "stages read known kinds of content",
                      "image, image_labels, mask, instances, boxes or side:NAME", "`" + std::string(content) + "`");
}

}  // namespace

std::string ContentDigests::file(const std::string& path) { return files_.of(path); }

Json ContentDigests::images(const dataset::Dataset& dataset, const std::vector<std::string>& image_ids,
                            const std::vector<std::string>& contents) {
  const std::string ids = digest_of_ids(image_ids);
  Json parts{{"ids", ids}};
  for (const std::string& content : contents) {
    std::string& known = known_[{&dataset, ids + content}];
    if (known.empty()) known = content_digest(dataset, image_ids, content);
    parts[content] = known;
  }
  return parts;
}

std::string ContentDigests::classes(const dataset::Dataset& dataset) {
  std::string& known = known_[{&dataset, "classes"}];
  if (known.empty()) {
    digest::Sha256 hash;
    for (const std::string& name : dataset.classes().names) hash.update(name).update("\n");
    for (const std::uint8_t label : dataset.classes().label_of_value) hash.update(std::to_string(label)).update(" ");
    known = hash.hex();
  }
  return known;
}

}  // namespace seedbed::plan
