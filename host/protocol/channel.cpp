#include "protocol/channel.hpp"

#include <cerrno>
#include <system_error>

#include <sys/socket.h>
#include <unistd.h>

#include "seedbed/error.hpp"

namespace seedbed::protocol {
namespace {

constexpr std::size_t kHeaderBytes = 4;

std::string framed(const Json& message) {
  const std::string body = message.dump();
  if (body.size() > kMaximumMessageBytes) {
    throw ContractError("protocol", "a message fits its limit", std::to_string(kMaximumMessageBytes) + " bytes",
                        std::to_string(body.size()) + " bytes");
  }
  std::string frame(kHeaderBytes, '\0');
  for (std::size_t i = 0; i < kHeaderBytes; ++i) frame[i] = static_cast<char>((body.size() >> (8 * i)) & 0xff);
  return frame + body;
}

std::uint32_t body_size(const std::string& buffer) {
  std::uint32_t size = 0;
  for (std::size_t i = 0; i < kHeaderBytes; ++i) {
    size |= static_cast<std::uint32_t>(static_cast<unsigned char>(buffer[i])) << (8 * i);
  }
  return size;
}

std::optional<Json> take_message(std::string& buffer) {
  if (buffer.size() < kHeaderBytes) return std::nullopt;
  const std::uint32_t size = body_size(buffer);
  if (size > kMaximumMessageBytes) {
    throw ContractError("protocol", "a message fits its limit", std::to_string(kMaximumMessageBytes) + " bytes",
                        std::to_string(size) + " bytes");
  }
  if (buffer.size() < kHeaderBytes + size) return std::nullopt;
  const Json message = Json::parse(buffer.begin() + kHeaderBytes, buffer.begin() + kHeaderBytes + size, nullptr, false);
  buffer.erase(0, kHeaderBytes + size);
  if (!message.is_object()) {
    throw ContractError("protocol", "a message is one JSON object", "an object", "something else");
  }
  return message;
}

// Appends what is there. Returns false where the peer has closed; EAGAIN counts as nothing there.
bool read_some(int descriptor, std::string& buffer, int flags) {
  char bytes[65536];
  for (;;) {
    const ssize_t count = ::recv(descriptor, bytes, sizeof bytes, flags);
    if (count > 0) {
      buffer.append(bytes, static_cast<std::size_t>(count));
      return true;
    }
    if (count == 0 || errno == ECONNRESET) return false;
    if (errno == EAGAIN) return true;
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "reading a message");
  }
}

}  // namespace

Channel::Channel(int descriptor) : descriptor_(descriptor) {}

Channel::~Channel() { ::close(descriptor_); }

void Channel::send(const Json& message) {
  const std::string frame = framed(message);
  const std::lock_guard lock(sending_);
  std::size_t sent = 0;
  while (sent < frame.size()) {
    // MSG_NOSIGNAL: a peer that died is an error here and not a signal.
    const ssize_t count = ::send(descriptor_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "sending a message");
    }
  }
}

std::optional<Json> Channel::receive() {
  for (;;) {
    if (auto message = take_message(buffer_)) return message;
    if (!read_some(descriptor_, buffer_, 0)) return std::nullopt;
  }
}

std::optional<Json> Channel::try_receive(bool& closed) {
  closed = false;
  if (auto message = take_message(buffer_)) return message;
  const std::size_t before = buffer_.size();
  if (!read_some(descriptor_, buffer_, MSG_DONTWAIT)) {
    closed = true;
    return std::nullopt;
  }
  if (buffer_.size() == before) return std::nullopt;
  return take_message(buffer_);
}

}  // namespace seedbed::protocol
