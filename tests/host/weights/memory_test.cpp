#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "host/weights/pickle_bytes.hpp"
#include "host/weights/zip_text.hpp"
#include "support/temp_folder.hpp"
#include "weights/safetensors.hpp"
#include "weights/weights_file.hpp"

// What reading costs in memory, as the kernel counts it: a file may take its own size and little more.
namespace seedbed::weights::testing {
namespace {

constexpr std::int64_t kTensors = 12;
constexpr std::int64_t kTensorBytes = 4 << 20;
constexpr double kFileBytes = kTensors * kTensorBytes;

double status_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kilobytes = 0;
    if (word == field && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

// How far the resident memory rises above what it was, at most, while `file` is read and every value touched; in sizes
// of the file.
double peak_growth(const std::filesystem::path& file, bool widen) {
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const double before = status_bytes("VmRSS:");
  double sum = 0;
  {
    const WeightsFile opened = read_weights_file(file, {.set = {}, .widen = widen});
    for (const auto& [name, tensor] : opened.tensors) sum += tensor.sum().item<double>();
  }
  EXPECT_EQ(sum, 0);
  return (status_bytes("VmHWM:") - before) / kFileBytes;
}

// A dictionary of `kTensors` tensors, each on its own storage.
std::string pickle_of_tensors(const std::string& storage_class, std::int64_t elements) {
  std::string pickle = "\x80\x02}";
  for (std::int64_t i = 0; i < kTensors; ++i) {
    const std::string name = std::to_string(i);
    const std::string storage = storage_op(storage_class, name, elements);
    pickle += text_op(name) + tensor_op(storage, 0, tuple_op({elements}), tuple_op({1})) + "s";
  }
  return pickle + ".";
}

class WeightsMemory : public ::testing::Test {
 protected:
  std::filesystem::path zip_file(const std::string& storage_class, std::int64_t element_bytes) {
    std::vector<ZipText> members{{"a/data.pkl", pickle_of_tensors(storage_class, kTensorBytes / element_bytes)}};
    for (std::int64_t i = 0; i < kTensors; ++i) {
      members.push_back(
          {.name = "a/data/" + std::to_string(i), .content = std::string(kTensorBytes, '\0'), .aligned = true});
    }
    return folder_.write("weights.pth", zip_of(members));
  }

  seedbed::testing::TempFolder folder_;
};

std::string legacy_of(const std::string& storage_class, std::int64_t element_bytes) {
  const std::int64_t elements = kTensorBytes / element_bytes;
  std::string file = legacy_start() + pickle_of_tensors(storage_class, elements) + "\x80\x02](";
  for (std::int64_t i = 0; i < kTensors; ++i) file += text_op(std::to_string(i));
  file += "e.";
  for (std::int64_t i = 0; i < kTensors; ++i) {
    file += little_endian(static_cast<std::uint64_t>(elements), 8) + std::string(kTensorBytes, '\0');
  }
  return file;
}

constexpr double kRest = 0.25;  // of the file: one storage, tables, noise

TEST_F(WeightsMemory, AnArchiveTakesItsSize) { EXPECT_LT(peak_growth(zip_file("FloatStorage", 4), false), 1 + kRest); }

TEST_F(WeightsMemory, ALegacyFileTakesItsSize) {
  EXPECT_LT(peak_growth(folder_.write("legacy.pth", legacy_of("FloatStorage", 4)), false), 1 + kRest);
}

TEST_F(WeightsMemory, WidenedHalfTakesTwiceTheFile) {
  EXPECT_LT(peak_growth(zip_file("HalfStorage", 2), true), 2 + kRest);
  EXPECT_LT(peak_growth(folder_.write("legacy.pth", legacy_of("HalfStorage", 2)), true), 2 + kRest);
  OrderedTensors tensors;
  for (std::int64_t i = 0; i < kTensors; ++i) {
    tensors.emplace_back(std::to_string(i), at::zeros({kTensorBytes / 2}, at::kHalf));
  }
  write_safetensors(folder_ / "half.safetensors", tensors);
  tensors.clear();
  EXPECT_LT(peak_growth(folder_ / "half.safetensors", true), 2 + kRest);
}

}  // namespace
}  // namespace seedbed::weights::testing
