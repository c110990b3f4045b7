#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "program_run.hpp"

namespace seedbed::testing {
namespace {

// A NumPy file of bytes, [2,4]: what any tool can write.
void write_labels(const std::filesystem::path& file, const std::vector<unsigned char>& labels) {
  std::filesystem::create_directories(file.parent_path());
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4), }";
  header.append(118 - 1 - header.size(), ' ');
  header += '\n';
  std::ofstream stream(file, std::ios::binary);
  stream << "\x93NUMPY" << '\x01' << '\x00' << static_cast<char>(header.size()) << '\x00' << header;
  for (const unsigned char label : labels) stream << static_cast<char>(label);
}

class EvaluateVerb : public ::testing::Test {
 protected:
  void SetUp() override {
    write_labels(folder_.path() / "truth/a.npy", {0, 0, 1, 1, 0, 0, 255, 1});
    write_labels(folder_.path() / "predicted/a.npy", {0, 1, 1, 1, 0, 0, 1, 0});
  }

  // Background: 3 of 5; aeroplane: 2 of 4.
  const std::vector<std::string> words_{"evaluate", "--labels", "truth", "--predictions", "predicted"};
  ScratchFolder folder_;
};

double value_of(const nlohmann::ordered_json& answer, const std::string& name, const std::string& of = "") {
  for (const auto& metric : answer.at("metrics"))
    if (metric.at("name") == name && metric.at("class") == of) return metric.at("value");
  ADD_FAILURE() << "no " << name << " " << of;
  return -1;
}

TEST_F(EvaluateVerb, ScoresWithoutAStudy) {
  const auto answer = seedbed_json(words_, folder_.path());
  EXPECT_DOUBLE_EQ(value_of(answer, "iou", "background"), 0.6);
  EXPECT_DOUBLE_EQ(value_of(answer, "iou", "aeroplane"), 0.5);
  EXPECT_DOUBLE_EQ(value_of(answer, "miou_union"), 0.55);
  EXPECT_EQ(answer.at("labels").size(), 21U);
}

TEST_F(EvaluateVerb, PrintsATable) {
  const ProgramEnd end = seedbed(words_, folder_.path());
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_NE(end.out.find("1 images, 21 labels"), std::string::npos) << end.out;
  EXPECT_NE(end.out.find("miou_union"), std::string::npos);
  EXPECT_NE(end.out.find("0.5500"), std::string::npos);
  EXPECT_NE(end.out.find("aeroplane"), std::string::npos);
}

TEST_F(EvaluateVerb, MistakesAreStatusTwoAndNameTheFile) {
  write_labels(folder_.path() / "predicted/a.npy", {0, 1, 1, 77, 0, 0, 1, 0});
  const ProgramEnd label = seedbed(words_, folder_.path());
  EXPECT_EQ(label.status, 2);
  EXPECT_NE(label.err.find("a.npy"), std::string::npos) << label.err;
  EXPECT_NE(label.err.find("`77`"), std::string::npos) << label.err;
  std::vector<std::string> words = words_;
  words.insert(words.end(), {"--metrics", "miou_unoin"});
  const ProgramEnd metric = seedbed(words, folder_.path());
  EXPECT_EQ(metric.status, 2);
  EXPECT_NE(metric.err.find("`miou_union`"), std::string::npos) << metric.err;
  EXPECT_EQ(seedbed({"evaluate", "--labels", "truth", "--predictions", "nowhere"}, folder_.path()).status, 2);
  EXPECT_EQ(seedbed({"evaluate", "--labels", "truth"}, folder_.path()).status, 2);
  EXPECT_EQ(
      seedbed({"evaluate", "--labels", "truth", "--predictions", "predicted", "--scores", "predicted"}, folder_.path())
          .status,
      2);
}

}  // namespace
}  // namespace seedbed::testing
