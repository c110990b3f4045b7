#include "merge_queue.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <queue>
#include <tuple>
#include <vector>

namespace seedbed::superpixel {
namespace {

// Distance, the two regions, and how often each had merged when the distance was taken.
using Entry = std::tuple<double, std::int32_t, std::int32_t, std::int64_t, std::int64_t>;

class Queue {
 public:
  explicit Queue(const RegionAdjacency& regions)
      : regions_(regions), merges_(static_cast<std::size_t>(regions.capacity())) {
    for (std::int32_t region = 0; region < regions.capacity(); ++region) {
      for (const auto& [other, border] : regions.borders(region)) {
        if (region < other) push(region, other);
      }
    }
  }

  bool empty() const { return heap_.empty(); }

  Entry pop() {
    const Entry entry = heap_.top();
    heap_.pop();
    return entry;
  }

  bool is_current(const Entry& entry) const {
    const auto& [distance, a, b, merges_of_a, merges_of_b] = entry;
    return regions_.is_left(a) && regions_.is_left(b) && merges(a) == merges_of_a && merges(b) == merges_of_b;
  }

  void renew(std::int32_t region) {
    ++merges_[static_cast<std::size_t>(region)];
    for (const auto& [other, border] : regions_.borders(region)) push(std::min(region, other), std::max(region, other));
  }

 private:
  std::int64_t merges(std::int32_t region) const { return merges_[static_cast<std::size_t>(region)]; }
  void push(std::int32_t a, std::int32_t b) { heap_.emplace(distance(regions_, a, b), a, b, merges(a), merges(b)); }

  const RegionAdjacency& regions_;
  std::vector<std::int64_t> merges_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
};

}  // namespace

double distance(const RegionAdjacency& regions, std::int32_t a, std::int32_t b) {
  const Border& border = regions.borders(a).at(b);
  const double share = std::min(1.0, border.length / std::min(regions.perimeter(a), regions.perimeter(b)));
  return (1 - share) * histogram_distance(regions.content(a), regions.content(b)) +
         share * border.gradient / border.length;
}

void merge_by_distance(RegionAdjacency& regions, const QueueOptions& options) {
  Queue queue(regions);
  while (!queue.empty() && regions.count() > options.min_regions) {
    const Entry entry = queue.pop();
    if (!queue.is_current(entry)) continue;
    if (std::get<0>(entry) > options.stop_above) return;
    queue.renew(regions.merge(std::get<1>(entry), std::get<2>(entry)));
  }
}

}  // namespace seedbed::superpixel
