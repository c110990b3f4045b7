#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

// What passes between `seedbed` and `seedbed-worker`: requests down, results up, both as JSON. Neither side
// includes anything of the other.
namespace seedbed::protocol {

using Json = nlohmann::ordered_json;

/// Raised whenever a message or a result file changes meaning; both programs refuse another value.
inline constexpr std::int64_t kProtocolVersion = 2;

enum class StageType { fit, map, choose, score };
enum class StageState { planned, running, done, failed, interrupted, skipped };

/// Why an attempt did not end well.
enum class Cause {
  none,
  user_error,
  contract_error,
  crash,
  out_of_memory,
  timeout,
  interrupted,
  device_lost,
  internal
};

std::string_view name_of(StageType type);
std::string_view name_of(StageState state);
std::string_view name_of(Cause cause);
StageType stage_type_from(std::string_view name);    ///< Throws: ContractError
StageState stage_state_from(std::string_view name);  ///< Throws: ContractError
Cause cause_from(std::string_view name);             ///< Throws: ContractError

/// One method taking part in a stage, with everything a worker needs to build it.
struct MethodBinding {
  std::string kind;  ///< name_of(MethodKind)
  std::string id;
  std::int64_t revision = 1;
  std::string library;  ///< path of the plugin
  std::string library_digest;
  Json parameters = Json::object();                ///< every parameter, resolved
  std::map<std::string, std::string> files;        ///< "weights" and file parameters -> absolute path
  std::map<std::string, std::string> input_nodes;  ///< "weights" -> key of the fit stage that "@node" named
  bool strict = true;                              ///< false: heads of another class count are listed, not refused
  std::map<std::string, MethodBinding> uses;
};

/// Another stage's artefact that this stage reads.
struct StageInput {
  std::string name;  ///< "checkpoint", "maps", "labels", "chosen", "main", "irn_cam" ...
  std::string key;   ///< of the stage that makes it
};

/// Images of a further role that a fit opens.
struct RoleImages {
  std::string role;
  std::vector<std::string> image_ids;
};

/// One stage, complete: a worker needs nothing else but the data set and the artefact folder.
struct StageSpec {
  std::string key;  ///< 64 hexadecimal digits
  StageType type = StageType::map;
  std::string operation;  ///< what of the type: fit "seed_generator" | "refiner" | "segmenter";
                          ///< map "seeds" | "refine" | "label" | "agree" | "predict"; choose "threshold";
                          ///< score "sweep" | "labels" | "maps" | "causal" | "classification" | "instances"
  std::string node;       ///< node's name in the study: "seeds", "crf", "pseudo_labels", "segmenter" ...
  std::string role;       ///< of the images
  std::vector<std::string> image_ids;
  std::map<std::string, RoleImages> other_images;  ///< fits: "validate", "stream:NAME" -> what else is opened
  std::map<std::string, MethodBinding>
      methods;                     ///< "generator", "backbone", "refiner", "head", "strategy", "loss.NAME"
  Json settings = Json::object();  ///< resolved host table of the operation (train, localise, rule ...)
  std::vector<StageInput> inputs;
  std::optional<std::int64_t> random_seed;  ///< unset where the stage draws no numbers
  bool keep = true;                         ///< false: results stream to the group's other members and are not written
};

/// Stages run together, image by image: a member's maps go straight to the members that read them.
/// A fit is a group of one.
struct GroupRequest {
  std::int64_t version = kProtocolVersion;
  std::string group;              ///< name for logs and progress
  std::vector<StageSpec> stages;  ///< in an order in which inputs come first
  Json dataset = Json::object();  ///< resolved [dataset] table
  std::string artefact_folder;
  std::string inbox_folder;  ///< the worker leaves one result file a stage here
  std::string log_file;
  std::string device = "cpu";  ///< "cpu" | "cuda:0"
  std::int64_t threads = 1;
  bool deterministic = true;                     ///< operations whose result may differ from run to run are refused
  std::int64_t memory_limit_bytes = 0;           ///< 0 = none
  std::map<std::string, std::int64_t> attempts;  ///< stage key -> number of its row in `attempts`
};

/// One number. The convention of a metric is part of its name.
struct Metric {
  std::string name;        ///< "miou_union", "iou", "map_macro" ...
  std::string class_name;  ///< "" for totals
  double value = 0;
  std::string unit;    ///< "1", "px", "s" ...
  std::string target;  ///< "seeds", "pseudo_labels", "predictions", "image_labels", refiner names
  std::string rule;    ///< "fixed" | "chosen" | "oracle" | "" (no rule took part)
  std::optional<double> rule_value;
};

struct Curve {
  std::string name;    ///< e.g. "miou_union"
  std::string x_name;  ///< e.g. "threshold", "step"
  std::string target;
  std::vector<double> x;
  std::vector<double> y;
};

/// What a stage was shown, counted by the host's accessors.
struct LedgerEntry {
  std::string kind;  ///< "images", "image_labels", "masks", "side:saliency", "weights:imagenet" ...
  std::string role;
  std::string purpose;      ///< "train" | "validate" | "infer" | "choose" | "score"
  std::int64_t images = 0;  ///< distinct images opened
  std::int64_t opens = 0;
};

struct ArtefactFile {
  std::string name;    ///< "maps", "labels", "checkpoint", "value", "counts"
  std::string path;    ///< relative to the artefact folder
  std::string digest;  ///< SHA-256 of the bytes
  std::int64_t bytes = 0;
};

struct StageResult {
  std::int64_t version = kProtocolVersion;
  std::string key;
  StageState state = StageState::done;
  Cause cause = Cause::none;
  std::string message;  ///< for failures: first line is what happened
  std::string hint;
  std::vector<Metric> metrics;
  std::vector<Curve> curves;
  std::vector<LedgerEntry> ledger;
  std::vector<ArtefactFile> artefacts;
  Json facts = Json::object();        ///< what else belongs in the row: images skipped, chosen epoch, class counts ...
  Json environment = Json::object();  ///< device, cpu_capability, torch, compiler, threads, deterministic
  double seconds = 0;
  std::int64_t peak_memory_bytes = 0;
  std::int64_t attempt = 0;
};

void to_json(Json& json, const RoleImages& value);
void from_json(const Json& json, RoleImages& value);
void to_json(Json& json, const StageInput& value);
void from_json(const Json& json, StageInput& value);
void to_json(Json& json, const Metric& value);
void from_json(const Json& json, Metric& value);
void to_json(Json& json, const Curve& value);
void from_json(const Json& json, Curve& value);
void to_json(Json& json, const LedgerEntry& value);
void from_json(const Json& json, LedgerEntry& value);
void to_json(Json& json, const ArtefactFile& value);
void from_json(const Json& json, ArtefactFile& value);
void to_json(Json& json, const MethodBinding& value);
void from_json(const Json& json, MethodBinding& value);
void to_json(Json& json, const StageSpec& value);
void from_json(const Json& json, StageSpec& value);
void to_json(Json& json, const GroupRequest& value);
void from_json(const Json& json, GroupRequest& value);
void to_json(Json& json, const StageResult& value);
void from_json(const Json& json, StageResult& value);

}  // namespace seedbed::protocol
