#include <cstdint>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/temp_folder.hpp"
#include "weights/safetensors.hpp"

// Files that a person may be handed: cut, changed, or made to harm.
namespace seedbed::weights {
namespace {

using seedbed::testing::TempFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string with_length(const std::string& header, std::uint64_t length, const std::string& data) {
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

// What opening a file with this header and so many bytes of data says; "" where it opens.
std::string error_of(const std::string& header, std::size_t data_bytes = 8) {
  const TempFolder folder;
  try {
    SafetensorsFile::open(
        folder.write("weights.safetensors", with_length(header, header.size(), std::string(data_bytes, 'x'))));
  } catch (const UserError& error) {
    EXPECT_THAT(error.where(), HasSubstr("weights.safetensors"));
    return error.message();
  }
  return "";
}

std::string entry(const std::string& name, const std::string& begin, const std::string& end,
                  const std::string& shape = "[1]") {
  return "\"" + name + R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":[)" + begin + "," + end + "]}";
}

TEST(DamagedSafetensors, AWholeFileOpens) {
  EXPECT_EQ(error_of("{" + entry("a", "0", "4") + "," + entry("b", "4", "8") + "}"), "");
  EXPECT_EQ(error_of("{" + entry("b", "4", "8") + "," + entry("a", "0", "4") + "}"), "");
  EXPECT_EQ(error_of("{}", 0), "");
}

TEST(DamagedSafetensors, Lengths) {
  const TempFolder folder;
  const auto message = [&](const std::string& bytes) -> std::string {
    try {
      SafetensorsFile::open(folder.write("w", bytes));
    } catch (const UserError& error) {
      return error.message();
    }
    return "";
  };
  EXPECT_THAT(message(""), HasSubstr("too short"));
  EXPECT_THAT(message("1234567"), HasSubstr("too short"));
  EXPECT_THAT(message(with_length("{}", UINT64_MAX, "")), HasSubstr("absurd"));
  EXPECT_THAT(message(with_length("{}", std::uint64_t{1} << 62, "")), HasSubstr("absurd"));
  EXPECT_THAT(message(with_length("{}", 3, "")), HasSubstr("ends within its header"));
  EXPECT_THAT(message(with_length("{}", 0, "")), HasSubstr("malformed"));
  EXPECT_THROW(SafetensorsFile::open(folder / "none"), UserError);
  EXPECT_THROW(SafetensorsFile::open(folder.path()), UserError);
}

TEST(DamagedSafetensors, Offsets) {
  EXPECT_THAT(error_of("{" + entry("a", "0", "4") + "," + entry("b", "2", "6") + "}", 6),
              AllOf(HasSubstr("`b`"), HasSubstr("overlaps")));
  EXPECT_THAT(error_of("{" + entry("a", "0", "4") + "," + entry("b", "8", "12") + "}", 12),
              AllOf(HasSubstr("`b`"), HasSubstr("gap")));
  EXPECT_THAT(error_of("{" + entry("a", "0", "4") + "," + entry("b", "4", "8") + "}", 7),
              AllOf(HasSubstr("`b`"), HasSubstr("outside")));
  EXPECT_THAT(error_of("{" + entry("a", "0", "4") + "}"), HasSubstr("belong to no tensor"));
  EXPECT_THAT(error_of("{" + entry("a", "4", "0") + "}"), HasSubstr("disagree"));
  EXPECT_THAT(error_of("{" + entry("a", "0", "8") + "}"), HasSubstr("disagree"));
  EXPECT_THAT(error_of("{" + entry("a", "18446744073709551612", "18446744073709551616") + "}"), HasSubstr("malformed"));
  EXPECT_THAT(error_of("{" + entry("a", "-4", "0") + "}"), HasSubstr("negative"));
  EXPECT_THAT(error_of("{" + entry("a", "9223372036854775800", "9223372036854775804") + "}"), HasSubstr("outside"));
}

TEST(DamagedSafetensors, Shapes) {
  EXPECT_THAT(error_of("{" + entry("a", "0", "4", "[4611686018427387904,4]") + "}"), HasSubstr("absurd shape"));
  EXPECT_THAT(error_of("{" + entry("a", "0", "0", "[0,4611686018427387904,4611686018427387904]") + "}", 0),
              HasSubstr("absurd shape"));
  EXPECT_THAT(error_of("{" + entry("a", "0", "4", "[-1]") + "}"), HasSubstr("negative"));
  EXPECT_THAT(error_of("{" + entry("a", "0", "4", "[1.0]") + "}"), HasSubstr("not whole"));
  EXPECT_THAT(error_of("{" + entry("a", "0", "4", "[[1]]") + "}"), HasSubstr("malformed"));
  EXPECT_THAT(error_of("{" + entry("a", "0", "4", "\"1\"") + "}"), HasSubstr("malformed"));
}

TEST(DamagedSafetensors, Headers) {
  EXPECT_THAT(error_of("{" + entry("a", "0", "4") + "," + entry("a", "4", "8") + "}"),
              AllOf(HasSubstr("twice"), HasSubstr("`a`")));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}})"), HasSubstr("twice"));
  EXPECT_THAT(error_of(R"({"__metadata__":{"k":"1","k":"2"}})", 0), HasSubstr("twice"));
  EXPECT_THAT(error_of(R"({"__metadata__":{"k":1}})", 0), HasSubstr("malformed"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4),
              AllOf(HasSubstr("`a`"), HasSubstr("`F33`")));
  EXPECT_THAT(error_of(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4), AllOf(HasSubstr("`a`"), HasSubstr("lacks")));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4), HasSubstr("lacks"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4), HasSubstr("lacks"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4), HasSubstr("malformed"));
  EXPECT_THAT(error_of(R"({"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4), HasSubstr("no name"));
  for (const char* header : {"[]", "null", "\"x\"", "3", "{", "{}}", "{\"a\"}", "{\"a\":[]}", "{\"a\":null}",
                             "{\"a\":true}", "\xFF\xFE", "{\"\xFF\":{}}"})
    EXPECT_THAT(error_of(header, 0), HasSubstr("malformed")) << header;
  EXPECT_THAT(error_of(std::string(100000, '['), 0), HasSubstr("malformed"));
}

// Every cut and a flip of every bit: an error in words or a file that reads, never a crash (run it under sanitizers).
TEST(DamagedSafetensors, CutsAndFlippedBits) {
  const TempFolder folder;
  const std::string header = R"({"__metadata__":{"k":"v"},)" + entry("a", "0", "8", "[2]") +
                             R"(,"b":{"dtype":"BOOL","shape":[3],"data_offsets":[8,11]}})";
  const std::string whole = with_length(header, header.size(), "01234567\x01\x02\x03");
  auto read = [&, number = 0](const std::string& bytes) mutable {
    try {
      // A new name each time: overwriting a file makes some file systems wait for the disk.
      const auto file = SafetensorsFile::open(folder.write(std::to_string(number++), bytes));
      for (const TensorEntry& tensor : file->entries()) file->widened(tensor.name).sum();
    } catch (const UserError&) {
      return false;
    }
    return true;
  };
  EXPECT_TRUE(read(whole));
  for (std::size_t length = 0; length < whole.size(); ++length) EXPECT_FALSE(read(whole.substr(0, length))) << length;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    read(flipped);
  }
}

}  // namespace
}  // namespace seedbed::weights
