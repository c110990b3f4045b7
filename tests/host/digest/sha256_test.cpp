#include "digest/sha256.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "seedbed/error.hpp"
#include "support/temp_folder.hpp"

namespace seedbed::digest {
namespace {

// FIPS 180-4's examples.
constexpr const char* kOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kOfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256, GivesTheStandardsExamples) {
  EXPECT_EQ(sha256_hex(""), kOfNothing);
  EXPECT_EQ(sha256_hex("abc"), kOfAbc);
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, TakesPiecesAndGoesOnAfterHex) {
  Sha256 sha256;
  EXPECT_EQ(sha256.hex(), kOfNothing);
  sha256.update("a").update(std::string_view("b"));
  EXPECT_EQ(sha256.hex(), sha256_hex("ab"));
  EXPECT_EQ(sha256.update("c").hex(), kOfAbc);
}

TEST(Sha256, Moves) {
  Sha256 first;
  first.update("ab");
  Sha256 second = std::move(first);
  EXPECT_EQ(second.update("c").hex(), kOfAbc);
}

TEST(Sha256File, ReadsAFile) {
  const testing::TempFolder folder;
  EXPECT_EQ(sha256_file(folder.write("small", "abc")), kOfAbc);
  const std::string large(3'000'001, 'x');  // several buffers
  EXPECT_EQ(sha256_file(folder.write("large", large)), sha256_hex(large));
}

TEST(Sha256File, RefusesWhatIsNoReadableFile) {
  const testing::TempFolder folder;
  EXPECT_THROW(sha256_file(folder / "missing"), UserError);
  EXPECT_THROW(sha256_file(folder.path()), UserError);
  const std::filesystem::path pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(sha256_file(pipe), UserError);  // and does not wait for a writer
}

}  // namespace
}  // namespace seedbed::digest
