#include "fit/loss_log.hpp"

#include <algorithm>

namespace seedbed::fit {
namespace {

using Json = nlohmann::ordered_json;

void close(LossCurve& curve, std::int64_t last_step, double sum, std::int64_t count) {
  if (count == 0) return;
  curve.steps.push_back(static_cast<double>(last_step));
  curve.values.push_back(sum / static_cast<double>(count));
}

}  // namespace

LossLog::LossLog(std::int64_t num_steps)
    : steps_per_point_(std::max<std::int64_t>(1, (num_steps + kMaximumPoints - 1) / kMaximumPoints)) {}

void LossLog::add(std::int64_t step, const std::string& term, double value) {
  Open& open = open_[term];
  const std::int64_t bucket = step / steps_per_point_;
  if (bucket != open.bucket) {
    close(curves_[term], open.last_step, open.sum, open.count);
    open = Open{bucket, step, 0, 0.0};
  }
  open.last_step = step;
  open.sum += value;
  open.count += 1;
  last_[term] = value;
}

std::map<std::string, LossCurve> LossLog::curves() const {
  std::map<std::string, LossCurve> all = curves_;
  for (const auto& [term, open] : open_) close(all[term], open.last_step, open.sum, open.count);
  return all;
}

Json LossLog::state() const {
  Json state = Json::object();
  for (const auto& [term, open] : open_) {
    const auto curve = curves_.find(term);
    const LossCurve closed = curve == curves_.end() ? LossCurve{} : curve->second;
    state[term] = {{"steps", closed.steps},       {"values", closed.values}, {"bucket", open.bucket},
                   {"last_step", open.last_step}, {"count", open.count},     {"sum", open.sum},
                   {"last", last_.at(term)}};
  }
  return state;
}

void LossLog::load_state(const Json& state) {
  for (const auto& [term, entry] : state.items()) {
    curves_[term] = {entry.at("steps"), entry.at("values")};
    open_[term] = {entry.at("bucket"), entry.at("last_step"), entry.at("count"), entry.at("sum")};
    last_[term] = entry.at("last");
  }
}

}  // namespace seedbed::fit
