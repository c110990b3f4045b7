#include "images/encode.hpp"

namespace seedbed::images {

const std::array<std::array<std::uint8_t, 3>, 256>& voc_colour_map() {
  // Bits of the label in threes from the low end: red, green, blue get them from bit 7 downwards.
  static const auto map = [] {
    std::array<std::array<std::uint8_t, 3>, 256> colours{};
    for (unsigned label = 0; label < 256; ++label)
      for (unsigned triple = 0; triple < 3; ++triple)
        for (unsigned channel = 0; channel < 3; ++channel) {
          const unsigned bit = (label >> (3 * triple + channel)) & 1U;
          colours[label][channel] = static_cast<std::uint8_t>(colours[label][channel] | bit << (7 - triple));
        }
    return colours;
  }();
  return map;
}

}  // namespace seedbed::images
