#include "manifest_tool/headers_digest.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "seedbed/error.hpp"

namespace seedbed::manifest_tool {
namespace {

namespace fs = std::filesystem;

TEST(WithoutCommentsAndSpace, DropsWhatMeansNothing) {
  EXPECT_EQ(without_comments_and_space("int  f( int a );  // why\n"), "int f(int a);");
  EXPECT_EQ(without_comments_and_space("int/* a */f(\n    int a)\n;"), "int f(int a);");
  EXPECT_EQ(without_comments_and_space("/// words\n\n\nint a;\n"), "int a;");
}

TEST(WithoutCommentsAndSpace, KeepsWhatMeansSomething) {
  EXPECT_EQ(without_comments_and_space("a + +b"), "a+ +b");
  EXPECT_EQ(without_comments_and_space("x = \"a  // b\";"), "x=\"a  // b\";");
  EXPECT_EQ(without_comments_and_space("x = \"\\\"  /*\";"), "x=\"\\\"  /*\";");
  EXPECT_EQ(without_comments_and_space("x = R\"j( // \" )j\" ;"), "x=R\"j( // \" )j\";");
  EXPECT_EQ(without_comments_and_space("c = ' ' ; n = 1'000 ;"), "c=' ';n=1'000;");
}

TEST(WithoutCommentsAndSpace, KeepsPreprocessorLines) {
  EXPECT_EQ(without_comments_and_space("#pragma once\n\nint a;"), "#pragma once\nint a;");
  EXPECT_NE(without_comments_and_space("#define A\nint b;"), without_comments_and_space("#define A int b;"));
  EXPECT_NE(without_comments_and_space("#define F(x)\n"), without_comments_and_space("#define F (x)\n"));
  EXPECT_EQ(without_comments_and_space("#define A \\\n  1\n"), without_comments_and_space("#define A 1 // one\n"));
}

class HeadersDigest : public testing::Test {
 protected:
  HeadersDigest() : folder_(fs::path(testing::TempDir()) / "headers_digest") {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "kernels");
    write("a.hpp", "int a;");
    write("kernels/b.hpp", "int b;");
  }
  ~HeadersDigest() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  fs::path folder_;
};

TEST_F(HeadersDigest, ChangesWithTheCodeAlone) {
  const std::string before = headers_digest(folder_);
  EXPECT_EQ(before.size(), 64u);
  write("a.hpp", "// new words\nint  a ;\n");
  write("notes.md", "no header");
  write("version.hpp", "#define V 2");
  EXPECT_EQ(headers_digest(folder_), before);
  write("kernels/b.hpp", "long b;");
  EXPECT_NE(headers_digest(folder_), before);
}

TEST_F(HeadersDigest, ChangesWithNames) {
  const std::string before = headers_digest(folder_);
  fs::rename(folder_ / "a.hpp", folder_ / "c.hpp");
  EXPECT_NE(headers_digest(folder_), before);
}

TEST_F(HeadersDigest, RefusesAFolderWithoutHeaders) {
  fs::create_directories(folder_ / "empty");
  EXPECT_THROW(headers_digest(folder_ / "empty"), UserError);
  EXPECT_THROW(headers_digest(folder_ / "missing"), UserError);
}

}  // namespace
}  // namespace seedbed::manifest_tool
