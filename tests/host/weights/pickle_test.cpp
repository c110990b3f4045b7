#include <map>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "host/weights/fixture_values.hpp"
#include "host/weights/user_error.hpp"
#include "support/shared_folder.hpp"
#include "support/tensor_matchers.hpp"
#include "weights/pickle_text.hpp"
#include "weights/pytorch_files.hpp"
#include "weights/read_weights.hpp"
#include "weights/unpickler.hpp"
#include "weights/weights_file.hpp"

namespace seedbed::weights::testing {
namespace {

using ::seedbed::testing::equals_tensor;
using ::testing::Contains;
using ::testing::HasSubstr;

class PickleProtocol : public ::testing::TestWithParam<int> {
 protected:
  std::filesystem::path file() const { return fixture("arrays_protocol" + std::to_string(GetParam()) + ".pickle"); }
};

TEST_P(PickleProtocol, ArraysOfEveryKind) {
  const WeightsFile opened = read_weights_file(file());
  EXPECT_EQ(opened.format, WeightsFormat::pickle);
  const std::map<std::string, at::Tensor> tensors(opened.tensors.begin(), opened.tensors.end());
  EXPECT_THAT(tensors.at("float"), equals_tensor(ramp(0, {2, 3})));
  EXPECT_THAT(tensors.at("fortran"), equals_tensor(ramp(1, {2, 3}, at::kDouble)));
  EXPECT_THAT(tensors.at("big_endian"), equals_tensor(ramp(2, {2, 3}, at::kInt)));
  EXPECT_THAT(tensors.at("half"), equals_tensor(ramp(3, {2}, at::kHalf)));
  EXPECT_THAT(tensors.at("flags"), equals_tensor(at::tensor({0, 1, 1}).to(at::kBool)));
  EXPECT_THAT(tensors.at("empty"), equals_tensor(ramp(5, {0, 2})));
  EXPECT_THAT(tensors.at("scalar_array"), equals_tensor(ramp(6.5, {}, at::kDouble)));
  EXPECT_THAT(tensors.at("2007000032"), equals_tensor(ramp(7, {2}, at::kLong)));
  EXPECT_EQ(tensors.size(), 8U);
  EXPECT_THAT(opened.other_entries, Contains("words"));
}

TEST_P(PickleProtocol, ContainersNumbersAndText) {
  const PickledObject object = read_plain_pickle(ByteBlock::map(file()), "file");
  std::map<std::string, const pickle::Node*> entries;
  for (const auto& [key, value] : object.root->get<pickle::Dictionary>()->entries)
    entries[pickle::key_text(*key)] = value;
  EXPECT_EQ(entries.at("text")->get<pickle::Text>()->bytes,
            "\xc3\xbc"
            "ber");
  EXPECT_EQ(*entries.at("number")->get<std::int64_t>(), -3);
  EXPECT_EQ(*entries.at("fraction")->get<double>(), 0.25);
  EXPECT_NE(entries.at("nothing")->get<pickle::None>(), nullptr);
  // Protocols 0 and 1 have no bool of their own.
  EXPECT_TRUE(*entries.at("truth")->get<bool>());
  EXPECT_EQ(*entries.at("single")->get<double>(), 1.5);
  const auto& several = entries.at("several")->get<pickle::Sequence>()->items;
  ASSERT_EQ(several.size(), 6U);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_NE(several[i]->get<pickle::Sequence>(), nullptr) << i;
  EXPECT_EQ(pickle::bytes_of(*several[4]), std::string_view("\x00\xff", 2));
  EXPECT_EQ(pickle::bytes_of(*several[5]), "ab");
}

INSTANTIATE_TEST_SUITE_P(EveryProtocol, PickleProtocol, ::testing::Range(0, 6));

TEST(Pickles, NumPysArrayOfObjects) {
  const WeightsFile file = read_weights_file(fixture("objects.npy"));
  EXPECT_EQ(file.format, WeightsFormat::npy_objects);
  ASSERT_EQ(file.tensors.size(), 2U);
  EXPECT_THAT(file.tensors[0].second, equals_tensor(at::ones({2})));
  EXPECT_EQ(file.tensors[1].first, "12");
}

TEST(Pickles, Gzipped) {
  const WeightsFile file = read_weights_file(fixture("labels.pickle.gz"));
  ASSERT_EQ(file.tensors.size(), 1U);
  EXPECT_EQ(file.tensors[0].first, "0_labels");
  EXPECT_THAT(file.tensors[0].second, equals_tensor(at::tensor({3, 12}, at::kLong)));
}

TEST(Pickles, TheCuesOfSec) {
  SEEDBED_SHARED_OR_SKIP(file, "data/sec-cues/localization_cues.pickle.gz");
  const NamedTensors cues = read_weights(file);
  EXPECT_EQ(cues.size(), 21164U);
  std::int64_t seeded = 0;
  for (int n = 0; n < 10582; ++n) {
    const at::Tensor& cells = cues.at(std::to_string(n) + "_cues");
    ASSERT_EQ(cells.size(0), 3);
    ASSERT_EQ(cells.scalar_type(), at::kLong);
    seeded += cells.size(1);
    ASSERT_LE(cells.max().item<std::int64_t>(), 40);
  }
  // 24 % of the cells of 41 x 41, as its SOURCE.md counted.
  EXPECT_NEAR(static_cast<double>(seeded) / (10582.0 * 41 * 41), 0.24, 0.005);
}

TEST(Pickles, TheLabelsOfIrnAndPsaAgree) {
  SEEDBED_SHARED_OR_SKIP(irn_file, "data/voc12-protocol/irn/cls_labels.npy");
  SEEDBED_SHARED_OR_SKIP(psa_file, "data/voc12-protocol/psa/cls_labels.npy");
  const NamedTensors irn = read_weights(irn_file);
  const NamedTensors psa = read_weights(psa_file);
  ASSERT_EQ(irn.size(), 12031U);
  ASSERT_EQ(psa.size(), 12031U);
  for (const auto& [name, labels] : psa) {
    const std::string digits = name.substr(0, 4) + name.substr(5);  // "2007_000032" against 2007000032
    ASSERT_THAT(irn.at(digits), equals_tensor(labels)) << name;
  }
}

TEST(PickleText, Literals) {
  EXPECT_EQ(pickle::unquote("'a\\'b\\x41\\n\\\\'"), "a'bA\n\\");
  EXPECT_EQ(pickle::unquote("\"it's\\101\""), "it'sA");
  for (const char* damaged : {"", "'", "'a", "a'", "'\\'", "'\\x4'", "'\\q'", "'\\777'"}) {
    EXPECT_EQ(pickle::unquote(damaged), std::nullopt) << damaged;
  }
}

TEST(PickleText, RawUnicode) {
  EXPECT_EQ(pickle::decode_raw_unicode("a\xfc\\u20ac\\U0001f600"), "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
  for (const char* damaged : {"\\u12", "\\U00110000", "\\u12g4"}) {
    EXPECT_EQ(pickle::decode_raw_unicode(damaged), std::nullopt) << damaged;
  }
}

TEST(PickleText, Utf8) {
  for (const char* good : {"", "a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) EXPECT_TRUE(pickle::is_utf8(good));
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8"}) {
    EXPECT_FALSE(pickle::is_utf8(bad));
  }
}

}  // namespace
}  // namespace seedbed::weights::testing
