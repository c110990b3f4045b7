#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace seedbed::store::test {

/// A folder of its own that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(const std::string& name = "seedbed.db") const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// A study of two methods (CAM, which trains, and GRID, which draws no numbers) with and without a refiner, under three
/// random seeds: four grid points, twelve cells. Keys are readable: "fit-cam-0", "seeds-grid", "score-grid-refined".
struct SmallStudy {
  StudyRecord study;
  std::vector<StageRecord> stages;
};
SmallStudy small_study();

/// mIoU of CAM's seeds under a random seed (0, 1, 2), refined or not; of GRID's for any.
double cam_miou(std::int64_t random_seed, bool refined);
double grid_miou(bool refined);

/// What a worker would say of a stage of the small study; complete, with environment, ledger and artefacts.
protocol::StageResult done_result(const std::string& key, std::int64_t attempt);

/// Tries a stage and takes its result.
void finish(Store& store, const std::string& key);

/// Records the small study and finishes every stage.
void fill(Store& store);

}  // namespace seedbed::store::test
