#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace seedbed::images {

/// Which images each batch of one epoch takes.
class EpochPlan {
 public:
  /// The order is the list's, or, with `shuffle`, drawn from the random stream of this name.
  EpochPlan(std::size_t num_images, std::int64_t batch_size, bool drop_last, bool shuffle, std::string stream);

  std::int64_t num_batches() const;

  /// Where batch `batch` starts and ends in the order.
  std::size_t begin(std::int64_t batch) const;
  std::size_t end(std::int64_t batch) const;

  /// The image at a place of the order; places go round.
  std::size_t image_at(std::size_t place) const { return order_[place % order_.size()]; }

  const std::string& stream() const { return stream_; }

 private:
  std::vector<std::size_t> order_;
  std::size_t batch_size_;
  bool drop_last_;
  std::string stream_;
};

}  // namespace seedbed::images
