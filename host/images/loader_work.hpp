#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "images/batch_loader.hpp"
#include "images/collate.hpp"
#include "images/epoch_plan.hpp"

namespace seedbed::images {

/// What a BatchLoader's threads share. A batch depends on its epoch and number alone, so threads take the next number
/// and put the batch where the reader waits for it.
class LoaderWork {
 public:
  LoaderWork(std::shared_ptr<LabelledImages> images, LoaderOptions options);
  ~LoaderWork();
  LoaderWork(const LoaderWork&) = delete;
  LoaderWork& operator=(const LoaderWork&) = delete;

  std::int64_t batches_per_epoch() const;
  void start_epoch(std::int64_t epoch, std::int64_t first);
  std::optional<StreamBatch> next();
  std::vector<std::string> broken_images() const;

 private:
  // One batch with what must be told when it is handed out, and not before.
  struct Built {
    StreamBatch batch;
    std::vector<LabelledImages::Opening> openings;
    std::vector<std::string> broken;
    std::exception_ptr error;
  };
  struct Source {
    std::string image_id;
    Sample sample;
    at::Tensor present_c;
  };

  void check_access() const;
  EpochPlan plan_of(std::int64_t epoch) const;
  void run_thread();
  Built build(const EpochPlan& plan, std::int64_t batch) const;
  Source read(const std::string& image_id, Built& built) const;
  Source read_from(const EpochPlan& plan, std::size_t place, Built& built) const;
  std::map<std::string, BatchItem> see(const Source& source, const EpochPlan& plan) const;

  std::shared_ptr<LabelledImages> images_;
  LoaderOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const EpochPlan> plan_;  ///< of the epoch that runs
  std::int64_t next_to_build_ = 0;
  std::int64_t next_to_give_ = 0;
  std::map<std::int64_t, Built> built_;
  std::set<std::string> broken_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace seedbed::images
