#include "digest/sha256.hpp"

#include <array>
#include <stdexcept>

#include <openssl/evp.h>

#include "digest/open_file.hpp"

namespace seedbed::digest {
namespace {

using EvpContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

void require(bool fine) {
  if (!fine) throw std::runtime_error("OpenSSL refuses SHA-256");
}

}  // namespace

struct Sha256::Context {
  EvpContext evp{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  require(context_->evp && EVP_DigestInit_ex(context_->evp.get(), EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(std::string_view bytes) {
  require(EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size()) == 1);
  return *this;
}

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size()) == 1);
  return *this;
}

std::string Sha256::hex() const {
  const EvpContext copy{EVP_MD_CTX_new(), EVP_MD_CTX_free};  // finishing ends a context
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  require(copy && EVP_MD_CTX_copy_ex(copy.get(), context_->evp.get()) == 1 &&
          EVP_DigestFinal_ex(copy.get(), bytes.data(), &size) == 1);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) { return Sha256().update(bytes).hex(); }

std::string sha256_file(const std::filesystem::path& file) { return OpenFile(file).sha256(); }

}  // namespace seedbed::digest
