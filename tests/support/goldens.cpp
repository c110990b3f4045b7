#include "support/goldens.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <toml++/toml.h>

#include "support/formula_tensors.hpp"
#include "support/shared_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/safetensors.hpp"

namespace seedbed::testing {

namespace fs = std::filesystem;

struct Golden::Entry {
  fs::path folder;
  toml::table table;
  std::string name, component, function, source;
};

namespace {

std::string text_of(const toml::table& table, std::string_view key) { return table[key].value_or(std::string()); }

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// The table of `array` whose `name` is `name`, or null.
const toml::table* named(const toml::table& table, std::string_view array, std::string_view name) {
  if (const toml::array* entries = table[array].as_array()) {
    for (const toml::node& entry : *entries) {
      if (entry.is_table() && text_of(*entry.as_table(), "name") == name) return entry.as_table();
    }
  }
  return nullptr;
}

[[noreturn]] void fail(const Golden::Entry& entry, const std::string& what, std::string_view name) {
  throw std::runtime_error("golden `" + entry.name + "`: " + what + " `" + std::string(name) + "`");
}

template <typename T>
T option(const Golden::Entry& entry, std::string_view name) {
  const auto value = entry.table["options"][name].value<T>();
  if (!value) fail(entry, "no such option, or of another type:", name);
  return *value;
}

std::shared_ptr<const weights::SafetensorsFile> file_of(const Golden::Entry& entry) {
  return weights::SafetensorsFile::open(entry.folder / text_of(entry.table, "file"));
}

void add_goldens(const fs::path& folder, std::vector<Golden>& goldens) {
  const toml::table index = toml::parse_file((folder / "index.toml").string());
  const toml::array* entries = index["golden"].as_array();
  if (!entries) return;
  for (const toml::node& node : *entries) {
    const toml::table& table = *node.as_table();
    if (!table.contains("component")) continue;  // backbones and metrics have indices of other keys
    goldens.emplace_back(std::make_shared<const Golden::Entry>(
        Golden::Entry{folder, table, text_of(table, "name"), text_of(table, "component"), text_of(table, "function"),
                      text_of(table, "source")}));
  }
}

class GoldenTest : public ::testing::Test {
 public:
  GoldenTest(Golden golden, const GoldenRunner* runner) : golden_(std::move(golden)), runner_(runner) {}

  void TestBody() override {
    if (!runner_) {
      FAIL() << "no runner fits component `" << golden_.component() << "`, function `" << golden_.function()
             << "`, source `" << golden_.source() << "`";
    }
    golden_.expect_outputs(runner_->run(golden_));
  }

 private:
  Golden golden_;
  const GoldenRunner* runner_;
};

class PendingTest : public ::testing::Test {
 public:
  explicit PendingTest(std::map<std::string, std::vector<std::string>> pending) : pending_(std::move(pending)) {}

  void TestBody() override {
    for (const auto& [component, names] : pending_) {
      std::cout << "pending: " << component << ":";
      for (const std::string& name : names) std::cout << " " << name;
      std::cout << "\n";
    }
    if (pending_.empty()) return;
    GTEST_SKIP() << pending_.size() << " components have goldens that nothing computes yet";
  }

 private:
  std::map<std::string, std::vector<std::string>> pending_;
};

class AbsentTest : public ::testing::Test {
 public:
  void TestBody() override { GTEST_SKIP() << "no `goldens/methods` in the shared folder (SEEDBED_SHARED names it)"; }
};

template <typename Make>
void register_test(const std::string& suite, const std::string& name, Make make) {
  ::testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [make = std::move(make)]() -> ::testing::Test* { return make(); });
}

double share_equal(const at::Tensor& found, const at::Tensor& wanted) {
  return found.eq(wanted).to(at::kDouble).mean().item<double>();
}

// Of the foreground of masks (1) and of trimaps (1 and 3, as OpenCV has them).
double overlap(const at::Tensor& found, const at::Tensor& wanted) {
  const at::Tensor a = found.remainder(2).eq(1), b = wanted.remainder(2).eq(1);
  const auto either = a.logical_or(b).sum().item<double>();
  return either == 0 ? 1.0 : a.logical_and(b).sum().item<double>() / either;
}

/// How an entry's outputs of whole numbers are compared where they need not be equal: a share and its bound.
struct Share {
  double (*of)(const at::Tensor& found, const at::Tensor& wanted) = nullptr;
  double at_least = 0;
};

std::optional<Share> share_from(const std::string& compare) {
  constexpr std::string_view kAgreement = "agreement >= ";
  constexpr std::string_view kOverlap = "intersection over union of the foreground >= ";
  if (compare.starts_with(kAgreement)) return Share{share_equal, std::stod(compare.substr(kAgreement.size()))};
  if (compare.starts_with(kOverlap)) return Share{overlap, std::stod(compare.substr(kOverlap.size()))};
  return std::nullopt;
}

}  // namespace

Golden::Golden(std::shared_ptr<const Entry> entry) : entry_(std::move(entry)) {}

const std::string& Golden::name() const { return entry_->name; }
const std::string& Golden::component() const { return entry_->component; }
const std::string& Golden::function() const { return entry_->function; }
const std::string& Golden::source() const { return entry_->source; }

double Golden::number(std::string_view name) const { return option<double>(*entry_, name); }

double Golden::number(std::string_view name, double otherwise) const {
  return entry_->table["options"][name].value_or(otherwise);
}

std::vector<double> Golden::numbers(std::string_view name) const {
  const toml::array* values = entry_->table["options"][name].as_array();
  if (!values) fail(*entry_, "no such list among the options:", name);
  std::vector<double> numbers;
  for (const toml::node& value : *values) numbers.push_back(value.value<double>().value());
  return numbers;
}

std::string Golden::text(std::string_view name, std::string_view otherwise) const {
  return entry_->table["options"][name].value_or(std::string(otherwise));
}

at::Tensor Golden::input(std::string_view name) const {
  const toml::table* described = named(entry_->table, "inputs", name);
  if (!described) fail(*entry_, "no such input:", name);
  const auto formula = (*described)["formula"].value<std::string>();
  if (!formula) return file_of(*entry_)->tensor("in." + std::string(name));
  std::vector<std::int64_t> shape;
  for (const toml::node& size : *(*described)["shape"].as_array()) shape.push_back(size.value<std::int64_t>().value());
  return formula_input(*formula, shape, (*described)["lo"].value_or(-1.0), (*described)["hi"].value_or(1.0));
}

at::Tensor Golden::weight(std::string_view name, at::IntArrayRef shape) const {
  return formula_weight(entry_->table["weights"]["prefix"].value_or(std::string()) + "." + std::string(name), shape);
}

std::vector<std::string> Golden::output_names() const {
  std::vector<std::string> names;
  for (const toml::node& output : *entry_->table["outputs"].as_array())
    names.push_back(text_of(*output.as_table(), "name"));
  return names;
}

at::Tensor Golden::output(std::string_view name) const { return file_of(*entry_)->tensor("out." + std::string(name)); }

void Golden::expect_outputs(const NamedTensors& found) const {
  const std::string compare = text_of(entry_->table, "compare");
  const std::optional<Share> share = share_from(compare);
  for (const std::string& output_name : output_names()) {
    SCOPED_TRACE("output `" + output_name + "`");
    const auto result = found.find(output_name);
    if (result == found.end()) {
      ADD_FAILURE() << "not computed";
      continue;
    }
    const at::Tensor wanted = output(output_name);
    if (share && !wanted.is_floating_point()) {
      ASSERT_THAT(result->second, has_shape(wanted.sizes().vec()));
      EXPECT_GE(share->of(result->second, wanted), share->at_least);
    } else if (share || (compare == "allclose" && wanted.is_floating_point())) {
      EXPECT_THAT(result->second,
                  all_close(wanted, entry_->table["atol"].value_or(0.0), entry_->table["rtol"].value_or(0.0)));
    } else {
      EXPECT_THAT(result->second, equals_tensor(wanted));
    }
  }
}

std::vector<Golden> method_goldens() {
  std::vector<Golden> goldens;
  if (const auto folder = shared_path("goldens/methods")) add_goldens(*folder, goldens);
  if (const char* extra = std::getenv("SEEDBED_GOLDENS_EXTRA")) {
    for (const std::string& named_folder : split(extra, ':')) {
      const fs::path folder = named_folder;
      add_goldens(fs::exists(folder / "methods" / "index.toml") ? folder / "methods" : folder, goldens);
    }
  }
  return goldens;
}

bool GoldenRunner::fits(const Golden& golden) const {
  return golden.component() == component && golden.function() == function &&
         golden.source().find(source) != std::string::npos;
}

void register_method_goldens(const std::vector<GoldenRunner>& runners, const std::vector<std::string>& complete) {
  static std::vector<GoldenRunner> kept;  // the tests run after this function has returned
  kept = runners;
  std::map<std::string, std::vector<std::string>> pending;
  const std::vector<Golden> goldens = method_goldens();
  std::map<std::string, int> repeated;  // an extra folder may use a name again
  for (const Golden& golden : goldens) {
    const auto runner = std::ranges::find_if(kept, [&](const GoldenRunner& each) { return each.fits(golden); });
    const bool known = std::ranges::find(complete, golden.component()) != complete.end();
    if (runner == kept.end() ? !known : !runner->run) {
      pending[golden.component()].push_back(golden.name());
      continue;
    }
    const int copy = repeated[golden.name()]++;
    const std::string name = golden.name() + (copy == 0 ? "" : "_again" + std::to_string(copy));
    const GoldenRunner* chosen = runner == kept.end() ? nullptr : &*runner;
    register_test("MethodGolden", name, [golden, chosen] { return new GoldenTest(golden, chosen); });
  }
  if (goldens.empty()) {
    register_test("MethodGolden", "shared", [] { return new AbsentTest; });
  } else {
    register_test("MethodGolden", "pending", [pending] { return new PendingTest(pending); });
  }
}

}  // namespace seedbed::testing
