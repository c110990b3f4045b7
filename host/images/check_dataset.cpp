#include "images/check_dataset.hpp"

#include <set>
#include <system_error>
#include <utility>

#include <ATen/ATen.h>

#include "images/decode.hpp"
#include "seedbed/error.hpp"

namespace seedbed::images {
namespace {

class DatasetCheck {
 public:
  explicit DatasetCheck(const dataset::Dataset& dataset) : dataset_(dataset) {}

  void check_image(const std::string& image_id, bool mask_required) {
    const dataset::ImageEntry& entry = dataset_.entry(image_id);
    const at::Tensor image = tried([&] { return decode_image(entry.image); });
    if (check_drawn(entry, image)) return check_side(entry, image);
    std::error_code error;
    const bool has_mask = !entry.mask.empty() && std::filesystem::exists(entry.mask, error);
    if (has_mask || mask_required)
      compare(tried([&] { return decode_mask(entry.mask, dataset_.classes()); }), image, entry.mask);
    if (!entry.instances.empty() && std::filesystem::exists(entry.instances, error))
      compare(tried([&] { return decode_mask_values(entry.instances); }), image, entry.instances);
    check_side(entry, image);
  }

  std::vector<Finding> take() { return std::move(findings_); }

 private:
  // Masks and objects that are drawn from annotations; false where the data set keeps them in files.
  bool check_drawn(const dataset::ImageEntry& entry, const at::Tensor& image_hwc) {
    bool is_drawn = true;
    tried([&] {
      const auto mask = dataset_.draw_mask(entry.id);
      is_drawn = mask.has_value();
      if (!is_drawn) return at::Tensor();
      dataset_.draw_instances(entry.id);
      compare(at::empty({mask->height_px, mask->width_px}, at::kByte), image_hwc, entry.image);
      return at::Tensor();
    });
    return is_drawn;
  }

  void check_side(const dataset::ImageEntry& entry, const at::Tensor& image_hwc) {
    for (const auto& [name, file] : entry.side)
      compare(tried([&] { return decode_side(name, file); }), image_hwc, file);
  }

  at::Tensor decode_side(const std::string& name, const std::filesystem::path& file) const {
    if (dataset_.side_kind(name) == dataset::SideKind::labels) return decode_mask(file, dataset_.classes());
    return decode_grey(file);
  }

  template <typename Decode>
  at::Tensor tried(const Decode& decode) {
    try {
      return decode();
    } catch (const UserError& error) {
      findings_.push_back({error.where(), error.message()});
      return {};
    }
  }

  void compare(const at::Tensor& plane_hw, const at::Tensor& image_hwc, const std::filesystem::path& file) {
    if (!plane_hw.defined() || !image_hwc.defined() || plane_hw.sizes() == image_hwc.sizes().slice(0, 2)) return;
    const auto size_of = [](const at::Tensor& tensor) {
      return "`" + std::to_string(tensor.size(1)) + " x " + std::to_string(tensor.size(0)) + "`";
    };
    findings_.push_back({file.string(), "The file has another size than its image: " + size_of(plane_hw) +
                                            ", the image " + size_of(image_hwc) + "."});
  }

  const dataset::Dataset& dataset_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check_dataset(const dataset::Dataset& dataset,
                                   const std::function<void(std::int64_t, std::int64_t)>& progress) {
  if (dataset.kind() == "scenes") return {};  // drawn, not read
  std::set<std::string> need_mask, all;
  for (const dataset::Role& role : dataset.roles())
    for (const std::string& id : role.image_ids) {
      all.insert(id);
      if (role.name != "train" || !dataset.image_labels(id)) need_mask.insert(id);
    }
  DatasetCheck check(dataset);
  std::set<std::string> done;
  for (const dataset::Role& role : dataset.roles())
    for (const std::string& id : role.image_ids) {
      if (!done.insert(id).second) continue;
      check.check_image(id, need_mask.contains(id));
      if (progress) progress(std::ssize(done), std::ssize(all));
    }
  return check.take();
}

std::vector<Finding> check_dataset_table(const dataset::Json& table,
                                         const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const auto finding = [](const UserError& error) { return Finding{error.where(), error.message()}; };
  try {
    return check_dataset(*dataset::Dataset::open(table), progress);
  } catch (const UserErrors& errors) {
    std::vector<Finding> findings;
    for (const UserError& error : errors.errors()) findings.push_back(finding(error));
    return findings;
  } catch (const UserError& error) {
    return {finding(error)};
  }
}

}  // namespace seedbed::images
