#include <chrono>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "metrics/confusion.hpp"
#include "metrics/sweep.hpp"
#include "weights/safetensors.hpp"

// Counts the maps of a file once for each line on standard input and answers with a line of JSON.
// evaluation_beside_pytorch.py asks it and NumPy in turn:
//   evaluation_pass evaluate FILE LABELS PASSES    confusion matrices of `truth` and `prediction` [M,H,W] uint8
//   evaluation_pass sweep FILE LABELS THRESHOLDS   counts at k/THRESHOLDS of `scores.N` [P,H,W], `planes.N`, `truth.N`
namespace seedbed::metrics {
namespace {

using Clock = std::chrono::steady_clock;

double processor_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

template <typename Pass>
void answer_each_line(Pass pass) {
  for (std::string line; std::getline(std::cin, line);) {
    const double processor = processor_seconds();
    const Clock::time_point start = Clock::now();
    const std::int64_t checksum = pass();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::printf("{\"seconds\": %.6f, \"processor\": %.6f, \"checksum\": %lld}\n", seconds,
                processor_seconds() - processor, static_cast<long long>(checksum));
    std::fflush(stdout);
  }
}

// A number that differs where any count does (but for coincidence): each counts by its place.
std::int64_t checksum_of(const at::Tensor& counts) {
  const at::Tensor flat = counts.flatten();
  return (flat * at::arange(1, flat.numel() + 1, at::kLong)).sum().item<std::int64_t>();
}

void evaluate(const weights::SafetensorsFile& file, std::int64_t num_labels, std::int64_t passes) {
  const at::Tensor truth = file.tensor("truth").clone(), prediction = file.tensor("prediction").clone();
  answer_each_line([&] {
    at::Tensor sum = at::zeros({num_labels, num_labels + 1}, at::kLong);
    for (std::int64_t i = 0; i < passes; ++i) {
      const std::int64_t map = i % truth.size(0);
      sum += count_confusion(truth[map], prediction[map], num_labels, PredictedVoid::error);
    }
    return checksum_of(sum.narrow(1, 0, num_labels).contiguous());
  });
}

struct Image {
  at::Tensor scores;
  at::Tensor truth;
  std::vector<std::int64_t> planes;
};

void sweep(const weights::SafetensorsFile& file, std::int64_t num_labels, std::int64_t num_thresholds) {
  std::vector<Image> images;
  for (int i = 0; file.contains("scores." + std::to_string(i)); ++i) {
    const std::string number = std::to_string(i);
    const at::Tensor planes = file.tensor("planes." + number);
    const auto* plane = planes.const_data_ptr<std::int64_t>();
    images.push_back({file.tensor("scores." + number).clone(),
                      file.tensor("truth." + number).clone(),
                      {plane, plane + planes.numel()}});
  }
  std::vector<double> values;
  for (std::int64_t k = 0; k < num_thresholds; ++k)
    values.push_back(static_cast<double>(k) / static_cast<double>(num_thresholds));
  answer_each_line([&] {
    Sweep sweep(num_labels, SweptBackground::constant, values);
    for (const Image& image : images) sweep.add(sweep.count(image.scores, image.planes, image.truth));
    return checksum_of(at::stack({sweep.intersection_tk(), sweep.truth_tk(), sweep.predicted_tk()}, 2));
  });
}

}  // namespace
}  // namespace seedbed::metrics

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "evaluation_pass evaluate|sweep FILE LABELS COUNT\n";
    return 2;
  }
  at::set_num_threads(1);
  const std::string what = argv[1];
  const auto file = seedbed::weights::SafetensorsFile::open(argv[2]);
  (what == "sweep" ? seedbed::metrics::sweep : seedbed::metrics::evaluate)(*file, std::stoll(argv[3]),
                                                                           std::stoll(argv[4]));
  return 0;
}
