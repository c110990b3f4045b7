#include "images/batch_loader.hpp"

#include <string>
#include <utility>

#include "images/loader_work.hpp"
#include "seedbed/error.hpp"

namespace seedbed::images {

OnBrokenImage on_broken_image_from(std::string_view name) {
  if (name == "fail") return OnBrokenImage::fail;
  if (name == "skip") return OnBrokenImage::skip;
  throw UserError("train.on_broken_image", "There is no such answer to broken images: `" + std::string(name) + "`.",
                  "It is `fail` or `skip`.");
}

ViewStart view_start_from(std::string_view name) {
  if (name == "image") return ViewStart::image;
  if (name == "base") return ViewStart::base;
  if (name == "main") return ViewStart::main;
  throw UserError("train.views", "A view cannot begin with `" + std::string(name) + "`.",
                  "It begins with `image`, `base` or `main`.");
}

BatchLoader::BatchLoader(std::shared_ptr<LabelledImages> images, LoaderOptions options)
    : work_(std::make_unique<LoaderWork>(std::move(images), std::move(options))) {}
BatchLoader::~BatchLoader() = default;

std::int64_t BatchLoader::batches_per_epoch() const { return work_->batches_per_epoch(); }
void BatchLoader::start_epoch(std::int64_t epoch, std::int64_t first) { work_->start_epoch(epoch, first); }
std::optional<StreamBatch> BatchLoader::next() { return work_->next(); }
std::vector<std::string> BatchLoader::broken_images() const { return work_->broken_images(); }

}  // namespace seedbed::images
