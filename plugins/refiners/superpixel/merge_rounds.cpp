#include "merge_rounds.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

namespace seedbed::superpixel {
namespace {

// Of the MATLAB derivative that method notes, section 11, describe; the article's own are not published.
constexpr double kFirstThreshold = 2.0;
constexpr double kFirstRate = 1.05;
constexpr double kLowestRate = 1.01;
constexpr double kOneSided = 0.9;
constexpr double kMinShare = 0.01;

struct Proposal {
  double readiness = 0;
  std::int32_t from = 0;
  std::int32_t to = -1;
};

Proposal best_of(const RegionAdjacency& regions, std::int32_t region, double colour_width) {
  Proposal best{.readiness = -1, .from = region, .to = -1};
  for (const auto& [other, border] : regions.borders(region)) {
    const double value = readiness(regions, region, other, colour_width);
    if (value > best.readiness) best = {value, region, other};
  }
  return best;
}

// The best first; of equal ones the one of the lower region.
std::vector<Proposal> proposals_of(const RegionAdjacency& regions, double colour_width) {
  std::vector<Proposal> best(static_cast<std::size_t>(regions.capacity()));
  for (std::int32_t region = 0; region < regions.capacity(); ++region) {
    if (regions.is_left(region)) best[static_cast<std::size_t>(region)] = best_of(regions, region, colour_width);
  }
  std::vector<Proposal> proposals;
  for (Proposal proposal : best) {
    if (proposal.to < 0) continue;
    const bool is_returned = best[static_cast<std::size_t>(proposal.to)].to == proposal.from;
    if (is_returned && proposal.to < proposal.from) continue;  // the other of the two stands for both
    if (!is_returned) proposal.readiness *= kOneSided;
    proposals.push_back(proposal);
  }
  std::ranges::sort(proposals, {}, [](const Proposal& p) { return std::tuple(-p.readiness, p.from); });
  return proposals;
}

// What would merge at the threshold, each region once.
std::vector<Proposal> agreed(const RegionAdjacency& regions, double threshold, double colour_width) {
  std::vector<bool> taken(static_cast<std::size_t>(regions.capacity()), false);
  std::vector<Proposal> merges;
  for (const Proposal& proposal : proposals_of(regions, colour_width)) {
    const auto from = static_cast<std::size_t>(proposal.from), to = static_cast<std::size_t>(proposal.to);
    if (proposal.readiness < threshold || taken[from] || taken[to]) continue;
    taken[from] = taken[to] = true;
    merges.push_back(proposal);
  }
  return merges;
}

}  // namespace

double readiness(const RegionAdjacency& regions, std::int32_t a, std::int32_t b, double colour_width) {
  const Border& border = regions.borders(a).at(b);
  const double of_a = regions.perimeter(a), of_b = regions.perimeter(b);
  const double weight = std::min(1.0, std::sqrt(border.length * (of_a + of_b) / (of_a * of_b)));
  return similarity(regions.content(a), regions.content(b), colour_width) + weight * border.similarity / border.length;
}

void merge_in_rounds(RegionAdjacency& regions, const RoundOptions& options) {
  double threshold = kFirstThreshold, rate = kFirstRate;
  while (threshold >= options.stop_below && regions.count() > 1) {
    const std::vector<Proposal> merges = agreed(regions, threshold, options.colour_width);
    const auto before = static_cast<double>(regions.count());
    const auto merged = static_cast<double>(merges.size());
    if (merges.empty() || merged < kMinShare * before) {
      threshold /= rate;
      continue;
    }
    for (const Proposal& merge : merges) regions.merge(merge.from, merge.to);
    rate = std::max(1.0 + merged / before, kLowestRate);
    threshold *= rate;
  }
}

}  // namespace seedbed::superpixel
