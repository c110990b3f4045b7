#include "dataset/random_stream.hpp"

namespace seedbed::dataset {

RandomStream::RandomStream(std::string_view name) : start_(0xCBF29CE484222325ULL) {
  for (char byte : name) start_ = (start_ ^ static_cast<unsigned char>(byte)) * 0x100000001B3ULL;
}

std::uint64_t RandomStream::at(std::uint64_t counter) const {
  std::uint64_t z = start_ + (counter + 1) * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace seedbed::dataset
