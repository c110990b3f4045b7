#include "backbone_golden.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <toml++/toml.h>

#include "support/formula_tensors.hpp"
#include "support/shared_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::testing {

namespace fs = std::filesystem;

struct BackboneGolden::Entry {
  fs::path folder;
  toml::table table;
  std::string name, group, model;
};

namespace {

std::string text_of(const toml::table& table, std::string_view key) { return table[key].value_or(std::string()); }

std::vector<std::int64_t> shape_of(const toml::table& table) {
  std::vector<std::int64_t> shape;
  for (const toml::node& size : *table["shape"].as_array()) shape.push_back(size.value<std::int64_t>().value());
  return shape;
}

// Rows of token ids, listed without their padding.
at::Tensor padded_ids(const toml::table& input) {
  const at::Tensor ids = at::full(shape_of(input), input["pad"].value_or(std::int64_t{0}), at::kLong);
  std::int64_t row = 0;
  for (const toml::node& listed : *input["values"].as_array()) {
    std::vector<std::int64_t> values;
    for (const toml::node& id : *listed.as_array()) values.push_back(id.value<std::int64_t>().value());
    ids.select(0, row++).slice(0, 0, static_cast<std::int64_t>(values.size())).copy_(at::tensor(values, at::kLong));
  }
  return ids;
}

// "64x3x7x7" or "scalar".
std::vector<std::int64_t> shape_from(const std::string& text) {
  std::vector<std::int64_t> shape;
  if (text == "scalar") return shape;
  std::istringstream sizes(text);
  for (std::string size; std::getline(sizes, size, 'x');) shape.push_back(std::stoll(size));
  return shape;
}

// The shared folder's, the tree's own and those named in the environment.
std::vector<fs::path> golden_folders() {
  std::vector<fs::path> folders{"tests/golden/backbones/timm", "tests/golden/backbones/deeplab_pytorch"};
  if (const auto folder = shared_path("goldens/backbones")) folders.push_back(*folder);
  const char* extra = std::getenv("SEEDBED_GOLDENS_EXTRA");
  std::istringstream names(extra ? extra : "");
  for (std::string name; std::getline(names, name, ':');) {
    if (name.empty()) continue;
    const fs::path below = fs::path(name) / "backbones";
    folders.push_back(fs::exists(below / "index.toml") ? below : fs::path(name));
  }
  return folders;
}

std::vector<BackboneGolden> backbone_goldens() {
  std::vector<BackboneGolden> goldens;
  for (const fs::path& folder : golden_folders()) {
    const toml::table index = toml::parse_file((folder / "index.toml").string());
    const toml::array* entries = index["golden"].as_array();
    if (!entries) continue;
    for (const toml::node& node : *entries) {
      const toml::table& table = *node.as_table();
      if (!table.contains("model")) continue;  // an index of methods or of metrics
      goldens.emplace_back(std::make_shared<const BackboneGolden::Entry>(BackboneGolden::Entry{
          folder, table, text_of(table, "name"), text_of(table, "group"), text_of(table, "model")}));
    }
  }
  return goldens;
}

class GoldenTest : public ::testing::Test {
 public:
  GoldenTest(BackboneGolden golden, std::function<NamedTensors(const BackboneGolden&)> run)
      : golden_(std::move(golden)), run_(std::move(run)) {}
  void TestBody() override { golden_.expect_outputs(run_(golden_)); }

 private:
  BackboneGolden golden_;
  std::function<NamedTensors(const BackboneGolden&)> run_;
};

// Entries of the groups `backbone` and `head` are all to be computed.
bool may_wait(const BackboneGolden& golden) { return golden.group() != "backbone" && golden.group() != "head"; }

class UnservedTest : public ::testing::Test {
 public:
  explicit UnservedTest(BackboneGolden golden) : golden_(std::move(golden)) {}
  void TestBody() override {
    ADD_FAILURE() << "no runner for `" << golden_.model() << "` of group `" << golden_.group() << "`";
  }

 private:
  BackboneGolden golden_;
};

class PendingTest : public ::testing::Test {
 public:
  PendingTest(std::map<std::string, std::vector<std::string>> pending, bool any)
      : pending_(std::move(pending)), any_(any) {}

  void TestBody() override {
    if (!any_) GTEST_SKIP() << "no `goldens/backbones` in the shared folder (SEEDBED_SHARED names it)";
    for (const auto& [group, names] : pending_) {
      std::cout << "pending: " << group << ":";
      for (const std::string& name : names) std::cout << " " << name;
      std::cout << "\n";
    }
    if (!pending_.empty()) GTEST_SKIP() << pending_.size() << " groups have goldens that nothing computes yet";
  }

 private:
  std::map<std::string, std::vector<std::string>> pending_;
  bool any_;
};

template <typename Make>
void register_test(const std::string& name, Make make) {
  ::testing::RegisterTest("BackboneGolden", name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [make = std::move(make)]() -> ::testing::Test* { return make(); });
}

}  // namespace

BackboneGolden::BackboneGolden(std::shared_ptr<const Entry> entry) : entry_(std::move(entry)) {}
const std::string& BackboneGolden::name() const { return entry_->name; }
const std::string& BackboneGolden::group() const { return entry_->group; }
const std::string& BackboneGolden::model() const { return entry_->model; }

std::int64_t BackboneGolden::integer(std::string_view key) const {
  const auto value = entry_->table["config"][key].value<std::int64_t>();
  if (!value) throw std::runtime_error("golden `" + name() + "` has no config `" + std::string(key) + "`");
  return *value;
}

std::vector<std::int64_t> BackboneGolden::integers(std::string_view key) const {
  const toml::array* values = entry_->table["config"][key].as_array();
  if (!values) throw std::runtime_error("golden `" + name() + "` has no config `" + std::string(key) + "`");
  std::vector<std::int64_t> integers;
  for (const toml::node& value : *values) integers.push_back(value.value<std::int64_t>().value());
  return integers;
}

double BackboneGolden::number(std::string_view key) const {
  const auto value = entry_->table["config"][key].value<double>();
  if (!value) throw std::runtime_error("golden `" + name() + "` has no config `" + std::string(key) + "`");
  return *value;
}

std::vector<double> BackboneGolden::numbers(std::string_view key) const {
  const toml::array* values = entry_->table["config"][key].as_array();
  if (!values) throw std::runtime_error("golden `" + name() + "` has no config `" + std::string(key) + "`");
  std::vector<double> numbers;
  for (const toml::node& value : *values) numbers.push_back(value.value<double>().value());
  return numbers;
}

bool BackboneGolden::flag(std::string_view key, bool otherwise) const {
  return entry_->table["config"][key].value_or(otherwise);
}

std::string BackboneGolden::text(std::string_view key, std::string_view otherwise) const {
  return entry_->table["config"][key].value_or(std::string(otherwise));
}

bool BackboneGolden::has_list(std::string_view key) const { return entry_->table["config"][key].as_array() != nullptr; }

std::vector<std::string> BackboneGolden::texts(std::string_view key) const {
  const toml::array* values = entry_->table["config"][key].as_array();
  if (!values) throw std::runtime_error("golden `" + name() + "` has no config `" + std::string(key) + "`");
  std::vector<std::string> texts;
  for (const toml::node& value : *values) texts.push_back(value.value<std::string>().value());
  return texts;
}

NamedTensors BackboneGolden::weights() const {
  const double gain = entry_->table["gain"].value_or(1.0);
  std::ifstream keys(entry_->folder / text_of(entry_->table, "key_file"));
  NamedTensors weights;
  for (std::string line; std::getline(keys, line);) {
    std::istringstream words(line);
    std::string key, dtype, shape;
    words >> key >> dtype >> shape;
    weights[key] = formula_weight(key, shape_from(shape), gain);
  }
  if (weights.empty()) throw std::runtime_error("golden `" + name() + "` has no key file");
  return weights;
}

at::Tensor BackboneGolden::input(std::string_view wanted) const {
  for (const toml::node& node : *entry_->table["inputs"].as_array()) {
    const toml::table& input = *node.as_table();
    if (text_of(input, "name") != wanted) continue;
    if (input.contains("values")) return padded_ids(input);
    const std::string formula = text_of(input, "formula");
    return formula == "zeros" ? at::zeros(shape_of(input)) : formula_input(formula, shape_of(input));
  }
  throw std::runtime_error("golden `" + name() + "` has no input `" + std::string(wanted) + "`");
}

std::vector<std::string> BackboneGolden::output_names() const {
  std::vector<std::string> names;
  for (const toml::node& output : *entry_->table["outputs"].as_array()) {
    names.push_back(text_of(*output.as_table(), "name"));
  }
  return names;
}

void BackboneGolden::expect_outputs(const NamedTensors& found) const {
  const auto file = weights::SafetensorsFile::open(entry_->folder / text_of(entry_->table, "file"));
  const double rtol = entry_->table["rtol"].value_or(0.0);
  for (const toml::node& node : *entry_->table["outputs"].as_array()) {
    const toml::table& output = *node.as_table();
    const std::string output_name = text_of(output, "name");
    SCOPED_TRACE("output `" + output_name + "`");
    const auto result = found.find(output_name);
    if (result == found.end()) {
      ADD_FAILURE() << "not computed";
      continue;
    }
    ASSERT_THAT(result->second, has_shape(shape_of(output)));
    const std::int64_t stride = output["stride"].value_or(std::int64_t{1});
    const at::Tensor compared =
        stride == 1 ? result->second : result->second.contiguous().view(-1).slice(0, 0, std::nullopt, stride);
    EXPECT_THAT(compared, all_close(file->tensor(output_name), output["atol"].value_or(0.0), rtol));
  }
}

void register_backbone_goldens(const std::vector<BackboneGoldenRunner>& runners) {
  const std::vector<BackboneGolden> goldens = backbone_goldens();
  std::map<std::string, std::vector<std::string>> pending;
  std::map<std::string, int> repeated;  // an extra folder may use a name again
  for (const BackboneGolden& golden : goldens) {
    const auto runner = std::ranges::find_if(runners, [&](const BackboneGoldenRunner& each) {
      return each.group == golden.group() && each.model == golden.model();
    });
    if (runner == runners.end() && may_wait(golden)) {
      pending[golden.group()].push_back(golden.name());
      continue;
    }
    const int copy = repeated[golden.name()]++;
    const std::string name = golden.name() + (copy == 0 ? "" : "_again" + std::to_string(copy));
    if (runner == runners.end()) {
      register_test(name, [golden] { return new UnservedTest(golden); });
    } else {
      register_test(name, [golden, run = runner->run] { return new GoldenTest(golden, run); });
    }
  }
  register_test("pending", [pending, any = shared_path("goldens/backbones").has_value()] {
    return new PendingTest(pending, any);
  });
}

}  // namespace seedbed::testing
