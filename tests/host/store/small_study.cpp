#include "small_study.hpp"

#include <cstdlib>
#include <stdexcept>

#include <unistd.h>

namespace seedbed::store::test {
namespace fs = std::filesystem;
using protocol::MethodBinding;
using protocol::StageResult;
using protocol::StageType;
namespace {

// In memory where that is possible: what waits for the disk at every commit would make these tests slow.
fs::path scratch_folder() {
  const fs::path memory = "/dev/shm";
  const bool usable = !std::getenv("TMPDIR") && ::access(memory.c_str(), R_OK | W_OK | X_OK) == 0;
  return usable ? memory : fs::temp_directory_path();
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (scratch_folder() / "seedbed-store-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

namespace {

MethodBinding method(const std::string& kind, const std::string& id, const Json& parameters) {
  MethodBinding binding;
  binding.kind = kind;
  binding.id = id;
  binding.library_digest = "digest-of-" + id;
  binding.parameters = parameters;
  return binding;
}

StageRecord stage(const std::string& key, StageType type, const std::string& operation, const std::string& role,
                  std::vector<protocol::StageInput> inputs) {
  StageRecord record;
  record.key = key;
  record.type = type;
  record.operation = operation;
  record.node = "seeds";
  record.role = role;
  record.label = std::string(name_of(type)) + " " + key;
  record.key_parts = {{"operation", operation}};
  record.inputs = std::move(inputs);
  record.num_images = 40;
  return record;
}

std::string suffix(bool refined) { return refined ? "-refined" : ""; }

// The stages of one method and, where it trains, one random seed; returns the key of the score.
std::string add_stages(SmallStudy& small, const std::string& name, std::optional<std::int64_t> random_seed,
                       bool refined) {
  const std::string who = random_seed ? name + "-" + std::to_string(*random_seed) : name;
  std::vector<StageRecord> chain;
  std::vector<protocol::StageInput> seeds_inputs;
  if (random_seed) {
    chain.push_back(stage("fit-" + who, StageType::fit, "seed_generator", "train", {}));
    chain.back().random_seed = random_seed;
    chain.back().methods["generator"] = method("seed_generator", name, {{"delta", 0.5}});
    seeds_inputs = {{"checkpoint", "fit-" + who}};
  }
  chain.push_back(stage("seeds-" + who, StageType::map, "seeds", "measure", seeds_inputs));
  MethodBinding generator = method("seed_generator", name, {{"delta", 0.5}});
  if (name == "cam") generator.uses["label_refiner"] = method("refiner", "par", {{"steps", 3}});
  chain.back().methods["generator"] = generator;
  std::string maps = "seeds-" + who;
  if (refined) {
    chain.push_back(stage("refine-" + who, StageType::map, "refine", "measure", {{"main", maps}}));
    chain.back().node = "pamr";
    chain.back().methods["refiner"] = method("refiner", "pamr", {{"iterations", 10}});
    maps = "refine-" + who;
  }
  const std::string score = "score-" + who + suffix(refined);
  chain.push_back(stage(score, StageType::score, "sweep", "measure", {{"main", maps}}));
  for (StageRecord& record : chain) {
    bool known = false;
    for (const StageRecord& earlier : small.stages) known = known || earlier.key == record.key;
    if (!known) small.stages.push_back(std::move(record));
  }
  return score;
}

bool starts_with(const std::string& text, std::string_view start) { return text.compare(0, start.size(), start) == 0; }
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

SmallStudy small_study() {
  SmallStudy small;
  small.study.name = "small";
  small.study.file = "experiments/small.toml";
  small.study.resolved_toml = "schema = 1\n";
  small.study.plan_digest = "plan-1";
  small.study.axes = {"method", "pamr"};
  small.study.report = Json::object();
  small.study.exclusions = Json::array();
  small.study.dataset_kind = "scenes";
  small.study.dataset_digests = {{"measure", {{"image", "digest-of-images"}}}};
  std::int64_t number = 0;
  for (const std::string name : {"cam", "grid"}) {
    for (const bool refined : {false, true}) {
      ++number;
      for (const std::int64_t random_seed : {0, 1, 2}) {
        const std::string score =
            add_stages(small, name, name == "cam" ? std::optional(random_seed) : std::nullopt, refined);
        CellRecord cell;
        cell.digest = name + suffix(refined);
        cell.number = number;
        cell.random_seed = random_seed;
        cell.resolved = {{"seed_generator", {{"method", name}}}};
        cell.levels = {{"method", name == "cam" ? "CAM" : "GRID"}, {"pamr", refined ? "true" : "false"}};
        cell.stages = {{score, "score:seeds@measure"}};
        small.study.cells.push_back(std::move(cell));
      }
    }
  }
  return small;
}

double cam_miou(std::int64_t random_seed, bool refined) {
  return (refined ? 0.45 : 0.40) + 0.01 * static_cast<double>(random_seed);
}
double grid_miou(bool refined) { return refined ? 0.35 : 0.30; }

StageResult done_result(const std::string& key, std::int64_t attempt) {
  StageResult result;
  result.key = key;
  result.attempt = attempt;
  result.seconds = 1.5;
  result.peak_memory_bytes = 1 << 20;
  result.environment = {{"device", "cpu"}, {"cpu_capability", "AVX2"}, {"torch", "2.11.0"}, {"compiler", "gnu 12"},
                        {"threads", 2},    {"deterministic", true}};
  if (starts_with(key, "fit-")) {
    result.metrics = {{"loss", "total", 0.25, "1", "", "", {}}};
    result.curves = {{"loss.total", "step", "", {1, 2, 3}, {0.75, 0.5, 0.25}}};
    result.ledger = {{"image_labels", "train", "train", 30, 90}, {"weights:imagenet", "", "train", 0, 1}};
    result.artefacts = {{"checkpoint", key + "/checkpoint.safetensors", "digest-of-" + key, 1000}};
    result.facts = {{"steps", 3}};
  } else if (starts_with(key, "score-")) {
    const bool refined = contains(key, "refined");
    const bool cam = contains(key, "cam");
    const double value = cam ? cam_miou(key[10] - '0', refined) : grid_miou(refined);
    result.metrics = {{"miou_union", "", value, "1", "seeds", "oracle", 0.35},
                      {"miou_union", "", value - 0.05, "1", "seeds", "fixed", 0.15},
                      {"iou", "disc", value + 0.1, "1", "seeds", "oracle", 0.35},
                      {"pixel_accuracy", "", value + 0.2, "1", "seeds", "oracle", 0.35}};
    result.curves = {{"miou_union", "threshold", "seeds", {0.0, 0.35, 0.7}, {0.1, value, 0.2}}};
    result.ledger = {{"masks", "measure", "score", 40, 40}};
    result.artefacts = {{"counts", key + "/counts.safetensors", "digest-of-" + key, 100}};
  } else {
    result.ledger = {{"images", "measure", "infer", 40, 40}, {"image_labels", "measure", "infer", 40, 40}};
    result.artefacts = {{"maps", key + "/maps-00000.safetensors", "digest-of-" + key, 5000}};
    result.facts = {{"images", 40}, {"labels_at_inference", "given"}};
  }
  return result;
}

void finish(Store& store, const std::string& key) {
  store.take_result(done_result(key, store.begin_attempt(key, 4711, "logs/" + key + ".log")));
}

void fill(Store& store) {
  const SmallStudy small = small_study();
  store.together([&] {
    store.record_study(small.study, small.stages);
    for (const std::string name : {"cam", "grid", "par", "pamr"}) {
      store.record_plugin("digest-of-" + name, {{"name", name}, {"version", "0.1"}, {"source_revision", "abc"}});
    }
    for (const StageRecord& stage : small.stages) finish(store, stage.key);
  });
}

}  // namespace seedbed::store::test
