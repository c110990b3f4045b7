#include "metrics/confusion.hpp"

#include <array>
#include <cstring>
#include <utility>

#include <ATen/ATen.h>

#include "seedbed/error.hpp"
#include "seedbed/types.hpp"

namespace seedbed::metrics {
namespace {

constexpr std::pair<PredictedVoid, std::string_view> kVoidRules[] = {{PredictedVoid::background, "background"},
                                                                     {PredictedVoid::error, "error"},
                                                                     {PredictedVoid::exclude, "exclude"},
                                                                     {PredictedVoid::refuse, "refuse"}};

// Counts pairs of bytes in a small table: rows 0..K-1 and one for "not counted", columns 0..K-1, void and unknown.
class PairCounter {
 public:
  explicit PairCounter(std::int64_t num_labels)
      : num_labels_(num_labels), columns_(num_labels + 2), tables_(kNumTables) {
    const auto labels = static_cast<std::size_t>(num_labels);
    row_offset_.fill(static_cast<std::uint16_t>(num_labels * columns_));
    column_.fill(static_cast<std::uint16_t>(num_labels + 1));
    for (std::size_t label = 0; label < labels; ++label) {
      row_offset_[label] = static_cast<std::uint16_t>(label * static_cast<std::size_t>(columns_));
      column_[label] = static_cast<std::uint16_t>(label);
    }
    column_[kUndecidedLabel] = column_[kIgnoreLabel] = static_cast<std::uint16_t>(num_labels);
    for (auto& table : tables_) table.assign((labels + 1) * static_cast<std::size_t>(columns_), 0);
  }

  // Labels come in runs, so eight pixels at once are mostly one pair. Where they are not, consecutive pixels go to
  // different tables: an addition need not wait for the one before it to reach memory.
  void count(const std::uint8_t* truth, const std::uint8_t* prediction, std::int64_t num_pixels) {
    std::int64_t i = 0;
    for (; i + 8 <= num_pixels; i += 8) {
      const std::uint64_t eight_truths = load(truth + i), eight_predictions = load(prediction + i);
      if (is_run(eight_truths) && is_run(eight_predictions)) {
        tables_[0][cell(truth[i], prediction[i])] += 8;
        continue;
      }
      for (std::size_t k = 0; k < 8; ++k)
        ++tables_[k % kNumTables][cell(static_cast<std::uint8_t>(eight_truths >> (8 * k)),
                                       static_cast<std::uint8_t>(eight_predictions >> (8 * k)))];
    }
    for (; i < num_pixels; ++i) ++tables_[0][cell(truth[i], prediction[i])];
  }

  std::int64_t at(std::int64_t row, std::int64_t column) const {
    const auto index = static_cast<std::size_t>(row * columns_ + column);
    std::int64_t sum = 0;
    for (const auto& table : tables_) sum += table[index];
    return sum;
  }

  std::int64_t num_unknown() const {
    std::int64_t sum = 0;
    for (std::int64_t row = 0; row <= num_labels_; ++row) sum += at(row, num_labels_ + 1);
    return sum;
  }

 private:
  static constexpr std::size_t kNumTables = 4;

  static std::uint64_t load(const std::uint8_t* bytes) {
    std::uint64_t value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }

  static bool is_run(std::uint64_t eight) { return eight == (eight & 0xFF) * 0x0101010101010101ULL; }

  std::size_t cell(std::uint8_t truth, std::uint8_t prediction) const {
    return std::size_t{row_offset_[truth]} + column_[prediction];
  }

  std::int64_t num_labels_;
  std::int64_t columns_;
  std::array<std::uint16_t, 256> row_offset_;
  std::array<std::uint16_t, 256> column_;
  std::vector<std::vector<std::uint32_t>> tables_;
};

void require_label_maps(const at::Tensor& truth_hw, const at::Tensor& prediction_hw, std::int64_t num_labels) {
  const bool legal = truth_hw.scalar_type() == at::kByte && prediction_hw.scalar_type() == at::kByte &&
                     truth_hw.sizes() == prediction_hw.sizes() && num_labels >= 1 && num_labels <= 254;
  if (!legal)
    throw ContractError("count_confusion", "truth and prediction are label maps of one size", truth_hw.toString(),
                        prediction_hw.toString());
}

[[noreturn]] void refuse_unknown(const at::Tensor& prediction_hw, std::int64_t num_labels) {
  const auto* label = prediction_hw.const_data_ptr<std::uint8_t>();
  while (*label < num_labels || *label >= kUndecidedLabel) ++label;
  throw UserError("", "A prediction holds a label that there is no class for: `" + std::to_string(*label) + "`.",
                  "Labels go from 0 to " + std::to_string(num_labels - 1) + "; 254 and 255 are void.");
}

}  // namespace

PredictedVoid predicted_void_from(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& [rule, known] : kVoidRules) {
    if (known == name) return rule;
    names.emplace_back(known);
  }
  const std::string near = nearest_name(name, names);
  throw UserError("score.void", "There is no such rule for predicted void: `" + std::string(name) + "`.",
                  (near.empty() ? "" : "Did you mean `" + near + "`? ") +
                      std::string("Rules: `background`, `error`, `exclude`, `refuse`."));
}

std::string_view name_of(PredictedVoid rule) {
  for (const auto& [known, name] : kVoidRules)
    if (known == rule) return name;
  return "";
}

at::Tensor count_confusion(const at::Tensor& truth_hw, const at::Tensor& prediction_hw, std::int64_t num_labels,
                           PredictedVoid rule) {
  require_label_maps(truth_hw, prediction_hw, num_labels);
  const at::Tensor truth = truth_hw.contiguous(), prediction = prediction_hw.contiguous();
  PairCounter counter(num_labels);
  counter.count(truth.const_data_ptr<std::uint8_t>(), prediction.const_data_ptr<std::uint8_t>(), truth.numel());
  if (counter.num_unknown() > 0) refuse_unknown(prediction, num_labels);
  at::Tensor confusion = at::empty({num_labels, num_labels + 1}, at::kLong);
  auto* count = confusion.mutable_data_ptr<std::int64_t>();
  std::int64_t num_void = 0;
  for (std::int64_t row = 0; row < num_labels; ++row, count += num_labels + 1) {
    for (std::int64_t column = 0; column <= num_labels; ++column) count[column] = counter.at(row, column);
    num_void += count[num_labels];
    if (rule == PredictedVoid::background) count[0] += count[num_labels];
    if (rule == PredictedVoid::background || rule == PredictedVoid::exclude) count[num_labels] = 0;
  }
  if (rule == PredictedVoid::refuse && num_void > 0)
    throw UserError(
        "", "A prediction holds void pixels, and the rule is to refuse them: `" + std::to_string(num_void) + "`.",
        "Set `score.void` to `background`, `error` or `exclude`.");
  return confusion;
}

}  // namespace seedbed::metrics
