#include "stages/group.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "plugin/state_guard.hpp"
#include "seedbed/error.hpp"
#include "stages/device.hpp"
#include "stages/failure.hpp"
#include "stages/fit_stage.hpp"
#include "stages/member.hpp"
#include "stages/product_artefact.hpp"

namespace seedbed::stages {
namespace {

using Clock = std::chrono::steady_clock;
using protocol::StageState;

/// What methods reach through their RunContext. In a stream the group counts images, so only a fit reports itself.
class Services : public plugin::StageServices {
 public:
  Services(c10::Device device, GroupObserver& observer) : device_(device), observer_(observer) {}
  c10::Device device() const override { return device_; }
  void progress(std::int64_t done, std::int64_t total) override {
    if (!fitting.empty()) observer_.progress(fitting, done, total);
  }
  void losses(const std::map<std::string, double>& terms) override {
    if (!fitting.empty()) observer_.losses(fitting, terms);
  }
  void log(LogLevel level, std::string_view message) override { observer_.log(level, message); }
  bool cancelled() const override { return observer_.cancelled(); }

  std::string fitting;  ///< key of the fit that runs, or ""

 private:
  c10::Device device_;
  GroupObserver& observer_;
};

/// Where a member's input comes from: another member, or the disk.
struct Source {
  std::string name;
  std::optional<std::size_t> node;
  std::shared_ptr<const ProductReader> reader;
};

struct Node {
  const protocol::StageSpec* spec = nullptr;
  std::unique_ptr<Member> member;
  std::vector<Source> sources;
  std::unique_ptr<ProductWriter> writer;
  std::set<std::string, std::less<>> image_ids;
  std::size_t images_left = 0;
  bool over = false;
  bool failed = false;  ///< or was skipped, so that nobody can read it
  protocol::StageResult result;
  std::set<std::string> state_changes;
  std::optional<ImageProduct> product;  ///< of the image at hand
};

bool is_product(std::string_view input_name) { return input_name != "checkpoint" && input_name != "chosen"; }

class Group {
 public:
  Group(const protocol::GroupRequest& request, Session& session, GroupObserver& observer)
      : request_(request),
        registry_(session.registry()),
        observer_(observer),
        services_(device_from(request.device), observer),
        content_(session.content(request.dataset)) {}

  void run() {
    const bool fits = std::any_of(request_.stages.begin(), request_.stages.end(),
                                  [](const auto& spec) { return spec.type == protocol::StageType::fit; });
    if (fits) {
      run_fits();
    } else {
      stream();
    }
  }

 private:
  StageContext context_of(const protocol::StageSpec& spec) {
    return {spec, registry_, services_, content_, request_.artefact_folder, request_.threads};
  }

  void run_fits();
  void stream();
  void start(Node& node);
  void connect(Node& node);
  void process(Node& node, const std::string& image_id);
  void finish(Node& node);
  std::optional<std::string> failed_input(const Node& node) const;
  InputProducts inputs_of(const Node& node, const std::string& image_id, std::vector<ImageProduct>& read) const;
  std::shared_ptr<const ProductReader> reader(const std::string& key);
  std::vector<std::string> images_in_order() const;
  void fail(Node& node, const std::string& who);
  void end(Node& node);
  template <typename Action>
  void guarded(Node& node, const std::string& who, Action action);

  const protocol::GroupRequest& request_;
  plugin::Registry& registry_;
  GroupObserver& observer_;
  Services services_;
  std::shared_ptr<images::DecodedContent> content_;
  std::map<std::string, std::shared_ptr<const ProductReader>> readers_;
  std::vector<Node> nodes_;
};

// Runs one piece of a stage: measures it, puts back what it changed in the process, turns its exception into a result.
template <typename Action>
void Group::guarded(Node& node, const std::string& who, Action action) {
  const auto begin = Clock::now();
  plugin::StateGuard guard;
  try {
    action();
  } catch (...) {
    fail(node, who);
  }
  for (const std::string& change : guard.restore()) {
    if (node.state_changes.insert(change).second) observer_.log(LogLevel::warning, "`" + who + "` changed " + change);
  }
  node.result.seconds += std::chrono::duration<double>(Clock::now() - begin).count();
}

void Group::fail(Node& node, const std::string& who) {
  const Failure failure = describe_failure(std::current_exception(), who);
  node.result.state = failure.state;
  node.result.cause = failure.cause;
  node.result.message = failure.message;
  node.result.hint = failure.hint;
  observer_.log(LogLevel::warning, failure.detail);
  node.over = node.failed = true;
}

void Group::end(Node& node) {
  node.over = true;
  node.member.reset();
  node.writer.reset();
  if (!node.state_changes.empty()) node.result.facts["state_changed"] = node.state_changes;
  node.result.facts["images"] = node.image_ids.size() - node.images_left;
  observer_.stage_over(std::move(node.result));
}

void Group::run_fits() {
  if (request_.stages.size() != 1) {
    throw ContractError("plan", "a fit is a group of one", "one stage", std::to_string(request_.stages.size()));
  }
  Node& node = nodes_.emplace_back();
  node.spec = &request_.stages.front();
  node.result.key = node.spec->key;
  node.image_ids.insert(node.spec->image_ids.begin(), node.spec->image_ids.end());
  services_.fitting = node.spec->key;
  observer_.working_on(node.spec->key, "");
  guarded(node, "fit " + node.spec->operation, [&] { run_fit(context_of(*node.spec), node.result); });
  end(node);
}

std::shared_ptr<const ProductReader> Group::reader(const std::string& key) {
  auto& known = readers_[key];
  if (!known) known = std::make_shared<ProductReader>(request_.artefact_folder, key);
  return known;
}

void Group::connect(Node& node) {
  for (const protocol::StageInput& input : node.spec->inputs) {
    const auto maker =
        std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& other) { return other.spec->key == input.key; });
    const bool in_group = maker != nodes_.end();
    if (!is_product(input.name)) {
      if (in_group)
        throw ContractError("plan", "a checkpoint or chosen value is there before it is read", "another group",
                            "this one");
      continue;
    }
    if (in_group) {
      node.sources.push_back({input.name, static_cast<std::size_t>(maker - nodes_.begin()), nullptr});
    } else {
      node.sources.push_back({input.name, std::nullopt, reader(input.key)});
    }
  }
}

void Group::start(Node& node) {
  node.result.key = node.spec->key;
  node.image_ids.insert(node.spec->image_ids.begin(), node.spec->image_ids.end());
  node.images_left = node.image_ids.size();
  const std::string who = node.spec->node.empty() ? node.spec->operation : node.spec->node;
  observer_.working_on(node.spec->key, "");
  guarded(node, who, [&] {
    connect(node);
    node.member = make_member(context_of(*node.spec));
    if (node.spec->type == protocol::StageType::map && node.spec->keep) {
      node.writer = std::make_unique<ProductWriter>(request_.artefact_folder, node.spec->key);
    }
  });
  if (node.over) end(node);
}

// Every image that some stage lists, in the order in which it is listed first.
std::vector<std::string> Group::images_in_order() const {
  std::vector<std::string> order;
  std::set<std::string_view> seen;
  for (const protocol::StageSpec& spec : request_.stages) {
    for (const std::string& id : spec.image_ids) {
      if (seen.insert(id).second) order.push_back(id);
    }
  }
  return order;
}

std::optional<std::string> Group::failed_input(const Node& node) const {
  for (const Source& source : node.sources) {
    if (source.node && nodes_[*source.node].failed) return nodes_[*source.node].spec->node;
  }
  return std::nullopt;
}

InputProducts Group::inputs_of(const Node& node, const std::string& image_id, std::vector<ImageProduct>& read) const {
  InputProducts inputs;
  read.reserve(node.sources.size());
  for (const Source& source : node.sources) {
    if (source.reader) {
      read.push_back(source.reader->read(image_id));
      inputs[source.name] = &read.back();
    } else if (nodes_[*source.node].product) {
      inputs[source.name] = &*nodes_[*source.node].product;
    } else {
      throw ContractError("plan", "a stage's images are a part of its inputs'",
                          "`" + image_id + "` from `" + nodes_[*source.node].spec->node + "`", "no such image");
    }
  }
  return inputs;
}

void Group::process(Node& node, const std::string& image_id) {
  if (const auto input = failed_input(node)) {
    node.failed = true;
    node.result.state = StageState::skipped;
    node.result.message = "Its input did not come about: `" + *input + "`.";
    return end(node);
  }
  observer_.working_on(node.spec->key, image_id);
  guarded(node, node.member->who(), [&] {
    std::vector<ImageProduct> read;
    node.product = node.member->process(image_id, inputs_of(node, image_id, read));
    if (node.writer) node.writer->add(image_id, *node.product);
  });
  if (node.over) {
    node.product.reset();
    return end(node);
  }
  node.images_left -= 1;
}

void Group::finish(Node& node) {
  observer_.working_on(node.spec->key, "");
  guarded(node, node.member->who(), [&] {
    node.member->finish(node.result);
    if (node.writer) {
      for (protocol::ArtefactFile& file : node.writer->finish()) node.result.artefacts.push_back(std::move(file));
    }
  });
  end(node);
}

void Group::stream() {
  nodes_.reserve(request_.stages.size());
  for (const protocol::StageSpec& spec : request_.stages) {
    Node& node = nodes_.emplace_back();
    node.spec = &spec;
    start(node);
  }
  const std::vector<std::string> order = images_in_order();
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (observer_.cancelled()) break;
    for (Node& node : nodes_) {
      if (!node.over && node.image_ids.contains(order[i])) process(node, order[i]);
    }
    for (Node& node : nodes_) {
      node.product.reset();
      if (!node.over && node.images_left == 0) finish(node);
    }
    observer_.progress(request_.stages.front().key, static_cast<std::int64_t>(i + 1),
                       static_cast<std::int64_t>(order.size()));
  }
  for (Node& node : nodes_) {
    if (node.over) continue;
    if (node.images_left == 0) {
      finish(node);
      continue;
    }
    node.result.state = StageState::interrupted;
    node.result.cause = protocol::Cause::interrupted;
    node.result.message = "The stage was asked to stop.";
    end(node);
  }
}

}  // namespace

std::shared_ptr<images::DecodedContent> Session::content(const protocol::Json& dataset) {
  const std::string table = dataset.dump();
  if (!content_ || table != table_) {
    content_ = std::make_shared<images::DecodedContent>(dataset::Dataset::open(dataset));
    table_ = table;
  }
  return content_;
}

void run_group(const protocol::GroupRequest& request, Session& session, GroupObserver& observer) {
  const c10::NoGradGuard no_gradients;
  Group(request, session, observer).run();
}

}  // namespace seedbed::stages
