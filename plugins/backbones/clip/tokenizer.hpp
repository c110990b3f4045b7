#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vocabulary.hpp"

namespace seedbed::clip {

/// CLIP's tokenizer: HTML references resolved twice, white space collapsed, lower case, then byte pairs within words,
/// numbers one digit at a time. Unlike OpenAI's it does not mend wrongly decoded text (ftfy).
///
/// Threads: [any-thread].
class Tokenizer {
 public:
  explicit Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}

  const Vocabulary& vocabulary() const { return vocabulary_; }

  /// Start of text, the prompt, end of text. Throws: UserError for a prompt that is no UTF-8 or longer than 16 KiB.
  std::vector<std::int64_t> encode(std::string_view prompt) const;

  /// The same, padded with zeros to `context` ids; a longer one is cut, its last id then the end of text, where `truncate`
  /// says so. Throws: UserError otherwise.
  std::vector<std::int64_t> encode(std::string_view prompt, std::int64_t context, bool truncate) const;

 private:
  void add_word(std::u32string_view word, std::vector<std::int64_t>& ids) const;

  Vocabulary vocabulary_;
};

}  // namespace seedbed::clip
