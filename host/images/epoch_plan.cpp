#include "images/epoch_plan.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "dataset/random_stream.hpp"

namespace seedbed::images {

EpochPlan::EpochPlan(std::size_t num_images, std::int64_t batch_size, bool drop_last, bool shuffle, std::string stream)
    : order_(num_images),
      batch_size_(static_cast<std::size_t>(batch_size)),
      drop_last_(drop_last),
      stream_(std::move(stream)) {
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  if (!shuffle) return;
  dataset::RandomStream random(stream_ + "/order");
  for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random.below(i)]);
}

std::int64_t EpochPlan::num_batches() const {
  return static_cast<std::int64_t>((order_.size() + (drop_last_ ? 0 : batch_size_ - 1)) / batch_size_);
}

std::size_t EpochPlan::begin(std::int64_t batch) const { return static_cast<std::size_t>(batch) * batch_size_; }

std::size_t EpochPlan::end(std::int64_t batch) const { return std::min(begin(batch) + batch_size_, order_.size()); }

}  // namespace seedbed::images
