#pragma once

#include <cstdint>
#include <string_view>

#include "weights/byte_block.hpp"

namespace seedbed::weights {

/// The most bytes that a compressed file of this size may become: real weights and cues shrink at most some 30-fold,
/// a zip bomb a thousandfold.
std::uint64_t largest_inflated_bytes(std::uint64_t file_bytes);

/// Inflates a zip member (raw deflate) that says how large it is.
/// Throws: UserError where the data is damaged or of another size.
ByteBlock inflate_member(const ByteBlock& compressed, std::uint64_t num_bytes, std::string_view where);

/// Inflates a gzip file of one member.
/// Throws: UserError where it is damaged or would grow above largest_inflated_bytes().
ByteBlock inflate_gzip(const ByteBlock& file, std::string_view where);

}  // namespace seedbed::weights
