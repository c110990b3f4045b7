#include "dataset/file_characters.hpp"

#include "seedbed/error.hpp"

namespace seedbed::dataset {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

}  // namespace

FileCharacters::FileCharacters(const std::filesystem::path& file)
    : file_(file), stream_(file, std::ios::binary), buffer_(kBufferBytes) {
  std::error_code error;
  if (!stream_ || !std::filesystem::is_regular_file(file, error))
    throw UserError(file.string(), "The file cannot be read: `" + file.string() + "`.",
                    "Check that it exists and may be read.");
  refill();
}

void FileCharacters::refill() {
  stream_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
  if (stream_.bad())
    throw UserError(file_.string(), "The file cannot be read to its end: `" + file_.string() + "`.",
                    "Check the disk that it lies on.");
  next_ = buffer_.data();
  end_ = next_ + stream_.gcount();
}

}  // namespace seedbed::dataset
