#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "program_run.hpp"

namespace seedbed::testing {
namespace {

std::filesystem::path fixture(const char* name) {
  return std::filesystem::absolute("tests/host/weights/fixtures") / name;
}

bool says(const ProgramEnd& end, const char* words) {
  return end.out.find(words) != std::string::npos || end.err.find(words) != std::string::npos;
}

TEST(WeightsVerb, InfoSaysWhatAFileHolds) {
  const ScratchFolder folder;
  const auto answer = seedbed_json({"weights", "info", fixture("checkpoint.pth")}, folder.path());
  EXPECT_EQ(answer.at("format"), "pytorch_zip");
  EXPECT_EQ(answer.at("set"), "state_dict");
  EXPECT_EQ(answer.at("wrapper"), "module.");
  EXPECT_EQ(answer.at("other_sets").at(0).at("name"), "model_ema");
  EXPECT_GT(answer.at("checksums").get<int>(), 3);
  const auto& first = answer.at("tensors").at(0);
  EXPECT_EQ(first.dump(), R"({"name":"conv.weight","dtype":"F32","shape":[2,1,3,3]})");
  const ProgramEnd text = seedbed({"weights", "info", fixture("checkpoint.pth")}, folder.path());
  EXPECT_TRUE(says(text, "conv.weight")) << text.out;
  EXPECT_TRUE(says(text, "model_ema (3 tensors)")) << text.out;
}

TEST(WeightsVerb, ConvertWritesSafetensors) {
  const ScratchFolder folder;
  seedbed_json({"weights", "convert", fixture("scripted.pt"), "out.safetensors"}, folder.path());
  const auto written = seedbed_json({"weights", "info", "out.safetensors"}, folder.path());
  EXPECT_EQ(written.at("format"), "safetensors");
  EXPECT_EQ(written.at("tensors").size(), 7U);
  EXPECT_EQ(written.dump().find("F32") != std::string::npos, true);
  EXPECT_NE(written.dump().find("F16"), std::string::npos);
  seedbed_json({"weights", "convert", fixture("scripted.pt"), "wide.safetensors", "--float32"}, folder.path());
  EXPECT_EQ(seedbed_json({"weights", "info", "wide.safetensors"}, folder.path()).dump().find("F16"), std::string::npos);
  seedbed_json({"weights", "convert", fixture("checkpoint.pth"), "ema.safetensors", "--of", "model_ema"},
               folder.path());
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "ema.safetensors"));
}

TEST(WeightsVerb, WhatCannotBeDoneIsStatusTwo) {
  const ScratchFolder folder;
  const ProgramEnd module = seedbed({"weights", "info", fixture("whole_module.pth")}, folder.path());
  EXPECT_EQ(module.status, 2);
  EXPECT_TRUE(says(module, "`__main__.Block`")) << module.err;
  EXPECT_EQ(seedbed({"weights", "info", "missing.pth"}, folder.path()).status, 2);
  const ProgramEnd types = seedbed({"weights", "convert", fixture("types.pth"), "out.safetensors"}, folder.path());
  EXPECT_EQ(types.status, 2);
  EXPECT_TRUE(says(types, "complex")) << types.err;
  std::filesystem::copy_file(fixture("plain.pth"), folder.path() / "own.pth");
  EXPECT_EQ(seedbed({"weights", "convert", "own.pth", "own.pth"}, folder.path()).status, 2);
}

TEST(WeightsVerb, CheckLaysTheNamesSideBySide) {
  const ScratchFolder folder;
  const auto answer = seedbed_json({"weights", "check", "small_cnn", fixture("plain.pth")}, folder.path(), 2);
  EXPECT_FALSE(answer.at("missing").empty());
  EXPECT_EQ(answer.at("extra").size(), 3U);
  EXPECT_NE(answer.at("problem"), "");
  const ProgramEnd text = seedbed({"weights", "check", "small_cnn", fixture("plain.pth")}, folder.path());
  EXPECT_TRUE(says(text, "The weights do not fit.")) << text.out;
  const ProgramEnd unknown = seedbed({"weights", "check", "smal_cnn", fixture("plain.pth")}, folder.path());
  EXPECT_EQ(unknown.status, 2);
  EXPECT_TRUE(says(unknown, "`small_cnn`")) << unknown.err;
}

}  // namespace
}  // namespace seedbed::testing
