#include "weights/npy.hpp"

#include <filesystem>
#include <string>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "seedbed/error.hpp"
#include "support/shared_folder.hpp"
#include "support/temp_folder.hpp"
#include "support/tensor_matchers.hpp"

namespace seedbed::weights {
namespace {

using seedbed::testing::equals_tensor;
using seedbed::testing::has_shape;
using seedbed::testing::TempFolder;
using ::testing::HasSubstr;

std::string npy(const std::string& descr, const std::string& order, const std::string& shape, const std::string& data) {
  std::string header = "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + data;
}

std::string floats(std::vector<float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::string error_of(const std::string& bytes) {
  const TempFolder folder;
  try {
    read_npy(folder.write("array.npy", bytes));
  } catch (const UserError& error) {
    EXPECT_THAT(error.where(), HasSubstr("array.npy"));
    return error.message();
  }
  return "";
}

TEST(Npy, ReadsNumbersInBothOrders) {
  const TempFolder folder;
  const at::Tensor rows = read_npy(folder.write("c.npy", npy("'<f4'", "False", "(2, 3)", floats({1, 2, 3, 4, 5, 6}))));
  EXPECT_THAT(rows, equals_tensor(at::tensor({1., 2., 3., 4., 5., 6.}, at::kFloat).view({2, 3})));
  const at::Tensor columns =
      read_npy(folder.write("f.npy", npy("'<f4'", "True", "(2, 3)", floats({1, 4, 2, 5, 3, 6}))));
  EXPECT_THAT(columns, equals_tensor(rows));
  EXPECT_THAT(read_npy(folder.write("s.npy", npy("'<f4'", "False", "()", floats({7})))),
              equals_tensor(at::scalar_tensor(7)));
  EXPECT_THAT(read_npy(folder.write("b.npy", npy("'|b1'", "False", "(3,)", std::string("\0\1\2", 3)))),
              equals_tensor(at::tensor({0, 1, 1}, at::kByte).ne(0)));
  EXPECT_THAT(read_npy(folder.write("e.npy", npy("'<i8'", "False", "(0, 4)", ""))), has_shape({0, 4}));
}

TEST(Npy, ReadsWhatItWrote) {
  const TempFolder folder;
  const at::Tensor values = at::arange(12, at::kFloat).view({3, 4});
  for (const at::Tensor& written : {values, values.t(), values.select(0, 1), values.sum(), values.to(at::kByte),
                                    values.to(at::kLong), values.gt(3), at::zeros({0, 4})}) {
    write_npy(folder / "array.npy", written);
    EXPECT_THAT(read_npy(folder / "array.npy"), equals_tensor(written.contiguous()));
    EXPECT_EQ((std::filesystem::file_size(folder / "array.npy") - written.nbytes()) % 64, 0U) << "as NumPy aligns it";
  }
  EXPECT_THROW(write_npy(folder / "none/array.npy", values), UserError);
  EXPECT_THROW(write_npy(folder / "array.npy", values.to(at::kBFloat16)), ContractError);
}

TEST(Npy, RefusesWhatItDoesNotRead) {
  EXPECT_THAT(error_of(npy("'|O'", "False", "()", "pickle")), HasSubstr("`|O`"));
  EXPECT_THAT(error_of(npy("'>f4'", "False", "(1,)", "0000")), HasSubstr("`>f4`"));
  EXPECT_THAT(error_of(npy("[('a', '<f4')]", "False", "(1,)", "0000")), HasSubstr("type is not read"));
  EXPECT_THAT(error_of(npy("'<f4'", "Maybe", "(1,)", "0000")), HasSubstr("malformed"));
  EXPECT_THAT(error_of(npy("'<f4'", "False", "(-1,)", "0000")), HasSubstr("shape"));
  EXPECT_THAT(error_of(npy("'<f4'", "False", "(4611686018427387904, 8)", "0000")), HasSubstr("absurd"));
  EXPECT_THAT(error_of(npy("'<f4'", "False", "(2,)", "0000")), HasSubstr("`4` bytes for `8`"));
  EXPECT_THAT(error_of(npy("'<f4'", "False", "(1,)", "00000")), HasSubstr("`5` bytes for `4`"));
  EXPECT_THAT(error_of("PK"), HasSubstr("too early"));
  EXPECT_THAT(error_of("not a NumPy file"), HasSubstr("does not begin"));
}

TEST(Npy, CutsNeverCrash) {
  const std::string whole = npy("'<f4'", "False", "(2, 3)", floats({1, 2, 3, 4, 5, 6}));
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(error_of(whole.substr(0, length)), "") << length;
}

TEST(Npy, ReadsFilesOfOthers) {
  SEEDBED_SHARED_OR_SKIP(folder, "data/squeezenet-v1.0/golden");
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".npy") continue;
    EXPECT_EQ(read_npy(entry.path()).scalar_type(), at::kFloat);
    ++files;
  }
  EXPECT_GT(files, 0U);
}

}  // namespace
}  // namespace seedbed::weights
