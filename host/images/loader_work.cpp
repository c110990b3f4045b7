#include "images/loader_work.hpp"

#include <omp.h>

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "dataset/random_stream.hpp"
#include "seedbed/error.hpp"

namespace seedbed::images {
namespace {

const std::string kMain = "main";

// Maps as the batch lays them out: a plane of each class, a background plane before them where there is one.
Companion scores_companion(const ScoreMaps& maps, const at::Tensor& image_hwc, std::int64_t num_classes) {
  const Area& area = maps.covered.at(0);
  if (area.top != 0 || area.left != 0 || area.bottom != static_cast<double>(image_hwc.size(0)) ||
      area.right != static_cast<double>(image_hwc.size(1)))
    throw ContractError("BatchLoader", "maps beside an image cover all of it", image_hwc.toString(),
                        "rows to " + std::to_string(area.bottom) + ", columns to " + std::to_string(area.right));
  Companion companion{CompanionKind::scores, maps.scores_nphw[0].to(at::kFloat), {}, num_classes};
  const bool names_no_classes = maps.planes.empty() && maps.scores_nphw.size(1) == 1;
  if (names_no_classes) {
    companion.places = {0};
    companion.num_planes = 1;
    return companion;
  }
  const std::int64_t first = maps.has_background() ? 0 : 1;
  companion.num_planes += 1 - first;
  for (const std::int64_t plane : maps.planes) companion.places.push_back(plane - first);
  return companion;
}

// Resized as `input` says; companions get the image's size also where that stays.
Sample at_input(const Sample& sample, const dataset::InputSize& input) {
  const dataset::Extent from{sample.image_hwc.size(0), sample.image_hwc.size(1)};
  return resize_sample(sample, dataset::input_extent(input, from));
}

}  // namespace

using dataset::Content;

LoaderWork::LoaderWork(std::shared_ptr<LabelledImages> images, LoaderOptions options)
    : images_(std::move(images)), options_(std::move(options)) {
  if (options_.image_ids.empty()) throw UserError("", "There are no images to load.", "Check the role's list.");
  if (options_.drop_last && std::ssize(options_.image_ids) < options_.batch_size)
    throw UserError("train.batch_size",
                    "A batch is larger than the list of images: `" + std::to_string(options_.batch_size) + "`.",
                    "The role has " + std::to_string(options_.image_ids.size()) +
                        " images; lower `batch_size` or drop `drop_last`.");
  if (options_.views.empty() || options_.views.front().name != kMain)
    throw ContractError("BatchLoader", "the first view is main", "`main`",
                        options_.views.empty() ? "none" : "`" + options_.views.front().name + "`");
  check_access();
  for (std::int64_t i = 0; i < std::max<std::int64_t>(1, options_.threads); ++i)
    threads_.emplace_back([this] { run_thread(); });
}

LoaderWork::~LoaderWork() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void LoaderWork::check_access() const {
  images_->check(Content::image, {});
  if (options_.image_labels) images_->check(Content::image_labels, {});
  if (options_.masks) images_->check(Content::mask, {});
  for (const std::string& name : options_.side) images_->check(Content::side, name);
}

EpochPlan LoaderWork::plan_of(std::int64_t epoch) const {
  return EpochPlan(options_.image_ids.size(), options_.batch_size, options_.drop_last, options_.shuffle,
                   std::to_string(options_.random_seed) + "/" + options_.node + "/" + std::to_string(epoch));
}

std::int64_t LoaderWork::batches_per_epoch() const { return plan_of(0).num_batches(); }

void LoaderWork::start_epoch(std::int64_t epoch, std::int64_t first) {
  auto plan = std::make_shared<const EpochPlan>(plan_of(epoch));
  {
    const std::lock_guard lock(mutex_);
    plan_ = std::move(plan);
    next_to_build_ = next_to_give_ = first;
    built_.clear();
  }
  changed_.notify_all();
}

std::optional<StreamBatch> LoaderWork::next() {
  std::unique_lock lock(mutex_);
  if (!plan_ || next_to_give_ >= plan_->num_batches()) return std::nullopt;
  changed_.wait(lock, [&] { return built_.contains(next_to_give_); });
  Built built = std::move(built_.extract(next_to_give_).mapped());
  ++next_to_give_;
  broken_.insert(built.broken.begin(), built.broken.end());
  if (built.error) plan_ = nullptr;
  lock.unlock();
  changed_.notify_all();
  for (const LabelledImages::Opening& opening : built.openings) images_->count(opening);
  if (built.error) std::rethrow_exception(built.error);
  return std::move(built.batch);
}

std::vector<std::string> LoaderWork::broken_images() const {
  const std::lock_guard lock(mutex_);
  return {broken_.begin(), broken_.end()};
}

void LoaderWork::run_thread() {
  // LibTorch sets its thread count up when a thread first asks; after that this thread's own setting holds.
  at::get_num_threads();
  ::omp_set_num_threads(1);
  const at::NoGradGuard no_gradient;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] {
      return stopping_ || (plan_ && next_to_build_ < plan_->num_batches() &&
                           next_to_build_ < next_to_give_ + options_.batches_ahead);
    });
    if (stopping_) return;
    const std::shared_ptr<const EpochPlan> plan = plan_;
    const std::int64_t batch = next_to_build_++;
    lock.unlock();
    Built built = build(*plan, batch);
    lock.lock();
    if (plan != plan_) continue;  // another epoch was started meanwhile
    built_.emplace(batch, std::move(built));
    changed_.notify_all();
  }
}

LoaderWork::Built LoaderWork::build(const EpochPlan& plan, std::int64_t batch) const {
  Built built;
  try {
    std::map<std::string, std::vector<BatchItem>> items;
    for (std::size_t place = plan.begin(batch); place < plan.end(batch); ++place) {
      const Source source = read_from(plan, place, built);
      for (auto& [view, item] : see(source, plan)) items[view].push_back(std::move(item));
    }
    for (const auto& [view, parts] : items)
      built.batch.emplace(view, collate(parts, options_.normalisation, options_.raw_images));
  } catch (...) {
    built.error = std::current_exception();  // next() throws it where the reader can answer
  }
  return built;
}

// The image at `place`, or the next one in order that can be read.
LoaderWork::Source LoaderWork::read_from(const EpochPlan& plan, std::size_t place, Built& built) const {
  for (std::size_t i = 0; i < options_.image_ids.size(); ++i) {
    const std::string& image_id = options_.image_ids[plan.image_at(place + i)];
    try {
      return read(image_id, built);
    } catch (const UserError&) {
      if (options_.on_broken_image == OnBrokenImage::fail) throw;
      built.broken.push_back(image_id);
    }
  }
  throw UserError("", "None of the images can be read.", "`datasets check` names what is wrong with each.");
}

LoaderWork::Source LoaderWork::read(const std::string& image_id, Built& built) const {
  DecodedContent& content = *images_->content_;
  const auto open = [&](Content kind, const std::string& side) { built.openings.push_back({kind, side, image_id}); };
  open(Content::image, {});
  const at::Tensor image = content.image(image_id);
  at::Tensor target, present;
  if (options_.masks) {
    open(Content::mask, {});
    target = content.mask(image_id);
  } else if (options_.target) {
    target = options_.target(image_id);
  }
  const SideReader side = [&](const std::string& name) {
    images_->check(Content::side, name);
    open(Content::side, name);
    return content.side(name, image_id);
  };
  std::map<std::string, Companion> companions;
  for (const std::string& name : options_.side) {
    const bool labels = content.dataset().side_kind(name) == dataset::SideKind::labels;
    companions[name] = {labels ? CompanionKind::labels : CompanionKind::grey, side(name), {}, 1};
  }
  for (const auto& [name, maps] : options_.maps)
    companions[name] = scores_companion(maps(image_id, side), image, content.dataset().classes().num_classes());
  for (const auto& [name, labels] : options_.labels)
    companions[name] = {CompanionKind::labels, labels(image_id), {}, 1};
  if (options_.image_labels) {
    open(Content::image_labels, {});
    present = at::zeros({content.dataset().classes().num_classes()}, at::kBool);
    for (std::int64_t label : content.image_labels(image_id)) present.mutable_data_ptr<bool>()[label - 1] = true;
  }
  if (target.defined() && target.sizes() != image.sizes().slice(0, 2))
    throw ContractError("BatchLoader", "targets have their image's size", image.toString(), target.toString());
  return {image_id, make_sample(image, target, std::move(companions)), present};
}

std::map<std::string, BatchItem> LoaderWork::see(const Source& source, const EpochPlan& plan) const {
  const auto stream = [&](const std::string& name) {
    return dataset::RandomStream(plan.stream() + "/" + source.image_id + "/" + name);
  };
  const auto seen = [&](const Sample& start, const ViewRecipe& view) {
    dataset::RandomStream random = stream(view.name);
    return augment_sample(start, view.augmentation, random);
  };
  dataset::RandomStream random = stream("base");
  const Sample base = augment_sample(at_input(source.sample, options_.views.front().input), options_.base, random);
  std::map<std::string, BatchItem> items;
  Sample main;
  for (const ViewRecipe& view : options_.views) {
    Sample sample;
    if (view.name == kMain) {
      sample = main = seen(base, view);
    } else {
      const Sample& start = view.from == ViewStart::image ? source.sample : view.from == ViewStart::base ? base : main;
      sample = seen(at_input(start, view.input), view);
    }
    items[view.name] = {source.image_id, std::move(sample), source.present_c};
  }
  return items;
}

}  // namespace seedbed::images
