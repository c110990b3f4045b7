#include "tokenizer.hpp"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clip_doubles.hpp"
#include "html_entities.hpp"
#include "seedbed/error.hpp"
#include "support/shared_folder.hpp"
#include "support/temp_folder.hpp"
#include "unicode.hpp"

namespace seedbed::clip {
namespace {

using ::seedbed::testing::shared_path;
using ::seedbed::testing::TempFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

using Ids = std::vector<std::int64_t>;

/// CLIP's own vocabulary, read once.
const Tokenizer* clips() {
  static const Tokenizer* const tokenizer = [] {
    const auto path = shared_path("data/clip-bpe/bpe_simple_vocab_16e6.txt.gz");
    return path ? new Tokenizer(Vocabulary(*path, 49408)) : nullptr;
  }();
  return tokenizer;
}

#define CLIPS_OR_SKIP(name)                                                                          \
  if (!clips()) GTEST_SKIP() << "no `data/clip-bpe` in the shared folder (SEEDBED_SHARED names it)"; \
  const Tokenizer& name = *clips()

/// A prompt without start and end.
Ids inner(const Tokenizer& tokenizer, std::string_view prompt) {
  Ids ids = tokenizer.encode(prompt);
  EXPECT_EQ(ids.front(), tokenizer.vocabulary().start_of_text());
  EXPECT_EQ(ids.back(), tokenizer.vocabulary().end_of_text());
  return {ids.begin() + 1, ids.end() - 1};
}

/// Python's unicode_escape: \t, \n, \xHH, \uHHHH, \UHHHHHHHH.
std::string unescaped(const std::string& text) {
  std::u32string points;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      points.push_back(static_cast<unsigned char>(text[i]));
      continue;
    }
    const char kind = text[++i];
    const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    if (digits == 0) {
      points.push_back(kind == 't' ? U'\t' : kind == 'n' ? U'\n' : static_cast<char32_t>(kind));
    } else {
      points.push_back(static_cast<char32_t>(std::stoul(text.substr(i + 1, digits), nullptr, 16)));
      i += digits;
    }
  }
  return encoded_utf8(points);
}

TEST(Tokenizer, GivesAllGoldenIds) {
  CLIPS_OR_SKIP(tokenizer);
  std::ifstream lines(*shared_path("data/clip-bpe/golden_tokens.tsv"));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const std::size_t tab = line.find('\t');
    std::istringstream numbers(line.substr(tab + 1));
    Ids expected;
    for (std::int64_t id = 0; numbers >> id;) expected.push_back(id);
    EXPECT_EQ(tokenizer.encode(unescaped(line.substr(0, tab))), expected) << line;
  }
  EXPECT_EQ(count, 55);
}

TEST(Tokenizer, GivesTheSpecifiedIds) {
  CLIPS_OR_SKIP(tokenizer);
  EXPECT_EQ(tokenizer.vocabulary().id_of('!', false), 0);
  EXPECT_EQ(tokenizer.vocabulary().id_of('!', true), 256);
  EXPECT_EQ(tokenizer.vocabulary().id_of('a', true), 320);
  EXPECT_THAT(inner(tokenizer, "  Hello   WORLD &amp; co's  12.5% "),
              ElementsAre(3306, 1002, 261, 1320, 568, 272, 273, 269, 276, 260));
  EXPECT_THAT(inner(tokenizer, "it's 2012!!"), ElementsAre(585, 568, 273, 271, 272, 273, 748));
  EXPECT_THAT(inner(tokenizer, "hairdrier,blowdrier"), ElementsAre(4658, 39877, 267, 15230, 39877));
}

TEST(Tokenizer, TakesEveryKindOfSpaceForOne) {
  CLIPS_OR_SKIP(tokenizer);
  const Ids expected = tokenizer.encode("a cat");
  for (const char* prompt : {"a\u00a0cat", "\r\na\t\v\fcat\n", "a\u3000\u2009cat\u2028", "a &nbsp; cat",
                             "\x1c"
                             "a cat\x1f"}) {
    EXPECT_EQ(tokenizer.encode(prompt), expected) << prompt;
  }
  EXPECT_TRUE(inner(tokenizer, " \t ").empty());
}

TEST(Tokenizer, ResolvesReferencesTwice) {
  CLIPS_OR_SKIP(tokenizer);
  const Ids expected = tokenizer.encode("salt & pepper");
  for (const char* prompt :
       {"salt &amp; pepper", "salt &amp;amp; pepper", "salt &#38; pepper", "salt &#x26 pepper", "salt &amp pepper"}) {
    EXPECT_EQ(tokenizer.encode(prompt), expected) << prompt;
  }
  EXPECT_NE(tokenizer.encode("salt &amp;amp;amp; pepper"), expected);
}

TEST(Tokenizer, KnowsItsSpecialTokensAmongWords) {
  CLIPS_OR_SKIP(tokenizer);
  EXPECT_THAT(inner(tokenizer, "<|StartOfText|>a<|endoftext|>"), ElementsAre(49406, 320, 49407));
  EXPECT_EQ(inner(tokenizer, "!<|endoftext|>").front(), inner(tokenizer, "!<|").front());
}

TEST(Tokenizer, PadsAndRefusesOrCutsWhatIsTooLong) {
  CLIPS_OR_SKIP(tokenizer);
  EXPECT_THAT(tokenizer.encode("a cat", 6, false), ElementsAre(49406, 320, 2368, 49407, 0, 0));
  EXPECT_THAT(tokenizer.encode("a cat", 4, false), ElementsAre(49406, 320, 2368, 49407));
  EXPECT_THAT([&] { tokenizer.encode("a cat", 3, false); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("`4` tokens"), HasSubstr("`a cat`"), HasSubstr("`3`"))));
  EXPECT_THAT(tokenizer.encode("a cat", 3, true), ElementsAre(49406, 320, 49407));
  EXPECT_THAT([&] { tokenizer.encode(std::string(20000, 'x')); }, ThrowsMessage<UserError>(HasSubstr("`20000` bytes")));
  const std::string long_word(16000, 'q');
  EXPECT_EQ(tokenizer.encode(long_word, 77, true).back(), 49407);
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "\u00fc";
  EXPECT_THAT([&] { tokenizer.encode(umlauts, 4, false); }, ThrowsMessage<UserError>(HasSubstr("\u00fc...`")));
}

TEST(Tokenizer, RefusesWhatIsNoUtf8) {
  for (const char* bytes : {"\x80", "a\xc3", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    EXPECT_THAT([&] { decoded_utf8(bytes); }, ThrowsMessage<UserError>(HasSubstr("UTF-8")));
  }
  for (const char* text : {"a", "\u00e9", "\u65e5\u672c", "\U0001f642"})
    EXPECT_EQ(encoded_utf8(decoded_utf8(text)), text);
}

TEST(Unicode, KnowsKindsOfCharacters) {
  for (const char32_t letter : {U'a', U'Z', U'\u00aa', U'\u00e9', U'\u03a9', U'\u65e5', U'\U0001d400'}) {
    EXPECT_TRUE(is_letter(letter) && !is_number(letter) && !is_space(letter)) << std::uint32_t(letter);
  }
  for (const char32_t number : {U'0', U'\u00b2', U'\u0663', U'\u2167', U'\U0001f100'}) {
    EXPECT_TRUE(is_number(number) && !is_letter(number)) << std::uint32_t(number);
  }
  for (const char32_t other : {U'!', U'_', U'\u0301', U'\u2014', U'\U0001f642', U'\U0010ffff'}) {
    EXPECT_FALSE(is_letter(other) || is_number(other) || is_space(other)) << std::uint32_t(other);
  }
}

TEST(Unicode, LowersAsPythonDoes) {
  EXPECT_EQ(lowered(U"CAF\u00c9 \u0410\u042f \u0178 \u01c5 \u1e9e \U00010400"),
            U"caf\u00e9 \u0430\u044f \u00ff \u01c6 \u00df \U00010428");
  EXPECT_EQ(lowered(U"\u0130"), U"i\u0307");
  EXPECT_EQ(lowered(U"\u03a3\u03a3\u03a3 \u03a3"), U"\u03c3\u03c3\u03c2 \u03c3");
}

TEST(Html, ResolvesReferencesAsPythonDoes) {
  const std::vector<std::pair<std::u32string, std::u32string>> cases{
      {U"&lt;b&gt; &quot;&apos;&QUOT;", U"<b> \"'\""},
      {U"&eacute;&Eacute;&euro;&hellip;", U"\u00e9\u00c9\u20ac\u2026"},
      {U"&ampersand &copyright &apos &hellip", U"&ersand \u00a9right &apos &hellip"},
      {U"&#233;&#xE9;&#XE9 &#128;&#150;", U"\u00e9\u00e9\u00e9 \u20ac\u2013"},
      {U"&#0;&#xD800;&#x110000;&#99999999999999999999;", U"\ufffd\ufffd\ufffd\ufffd"},
      {U"a&#1;b&#11;c&#xFDD0;d&#xFFFE;e&#127;f&#9;", U"abcdef\t"},
      {U"& &; &# &#; &#x; &#xg &unknown; &", U"& &; &# &#; &#x; &#xg &unknown; &"},
      {U"&\u00e9acute;", U"&\u00e9acute;"},
      {U"&&amp;", U"&&"}};
  for (const auto& [text, plain] : cases) EXPECT_EQ(unescaped_html(text), plain) << encoded_utf8(text);
}

class VocabularyFile : public ::testing::Test {
 protected:
  std::string write(std::string_view content) { return folder_.write("vocabulary.txt", content); }
  TempFolder folder_;
};

TEST_F(VocabularyFile, IsReadPlainAndGivesItsMerges) {
  const Vocabulary vocabulary(write(testing::kSmallVocabulary), 516);
  EXPECT_EQ(vocabulary.merged(vocabulary.id_of('c', false), vocabulary.id_of('a', false)), 512);
  EXPECT_EQ(vocabulary.merged(512, vocabulary.id_of('t', true)), 513);
  EXPECT_EQ(vocabulary.merged(513, 513), -1);
  EXPECT_THAT(Tokenizer(vocabulary).encode("Cat CA"),
              ElementsAre(514, 513, vocabulary.id_of('c', false), vocabulary.id_of('a', true), 515));
}

TEST_F(VocabularyFile, MayEndInAnyWay) {
  EXPECT_NO_THROW(Vocabulary(write("header\r\nc a\r\nca t</w>\r\nmore lines\n"), 516));
  EXPECT_NO_THROW(Vocabulary(write("header\nc a\nca t</w>"), 516));
  EXPECT_NO_THROW(Vocabulary(write("header"), 514));
}

TEST_F(VocabularyFile, IsRefusedWhereItIsNone) {
  for (const char* content : {"header\nca t</w>\nc a\n", "header\nc a\nc a\n", "header\nc\nca t\n", "header\n\n\n",
                              "header\nc a t\nca t</w>\n", "header\nc a\nb \n", "header\n\xff\xfe a\nc a\n"}) {
    EXPECT_THAT([&] { Vocabulary(write(content), 516); },
                ThrowsMessage<UserError>(AllOf(HasSubstr("vocabulary.txt:"), HasSubstr("no merge"))))
        << content;
  }
  EXPECT_THAT([&] { Vocabulary(write("header\nc a\n"), 516); },
              ThrowsMessage<UserError>(AllOf(HasSubstr("`1`"), HasSubstr("`2` for `516`"))));
  EXPECT_THAT([&] { Vocabulary(write(""), 516); }, ThrowsMessage<UserError>(HasSubstr("`0`")));
  EXPECT_THAT([&] { Vocabulary(folder_ / "nothing", 516); }, ThrowsMessage<UserError>(HasSubstr("cannot be read")));
  EXPECT_THAT([&] { Vocabulary(folder_.path(), 516); }, ThrowsMessage<UserError>(HasSubstr("vocabulary")));
}

TEST_F(VocabularyFile, IsRefusedWhereItIsDamaged) {
  const auto path = shared_path("data/clip-bpe/bpe_simple_vocab_16e6.txt.gz");
  if (!path) GTEST_SKIP() << "no `data/clip-bpe` in the shared folder (SEEDBED_SHARED names it)";
  std::ifstream file(*path, std::ios::binary);
  std::string whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_THAT([&] { Vocabulary(write(whole.substr(0, whole.size() / 2)), 49408); },
              ThrowsMessage<UserError>(HasSubstr("cut short or damaged")));
  whole[whole.size() / 2] = static_cast<char>(whole[whole.size() / 2] ^ 0x10);
  EXPECT_THAT([&] { Vocabulary(write(whole), 49408); }, ThrowsMessage<UserError>(HasSubstr("cut short or damaged")));
}

TEST_F(VocabularyFile, IsRefusedWhereItIsFarTooLarge) {
  const std::string path = write("header\n");
  std::filesystem::resize_file(path, 80 << 20);  // a hole of zeros
  EXPECT_THAT([&] { Vocabulary(path, 516); }, ThrowsMessage<UserError>(HasSubstr("too large")));
}

}  // namespace
}  // namespace seedbed::clip
