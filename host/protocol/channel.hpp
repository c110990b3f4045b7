#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "protocol/stage.hpp"

namespace seedbed::protocol {

/// Messages over a socket pair: four bytes of length (little endian), then JSON of at most kMaximumMessageBytes.
/// Message kinds, by member "kind":
///   worker -> supervisor: hello {version, pid, environment}; progress {stage, done, total}; stage_done {key, file};
///                         group_done {}; answer {value | error}; failed {cause, message}
///   supervisor -> worker: run {GroupRequest}; ask {request}; cancel {}; leave {}
inline constexpr std::uint32_t kMaximumMessageBytes = 256u << 20;

/// The descriptor on which a worker finds its channel.
inline constexpr int kWorkerDescriptor = 3;

/// Threads: [any-thread] for send (one message at a time), [one-at-a-time] for receive.
class Channel {
 public:
  explicit Channel(int descriptor);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int descriptor() const { return descriptor_; }

  /// Throws: ContractError for an over-long message; std::system_error where the peer is gone.
  void send(const Json& message);

  /// Waits for one whole message. nullopt where the peer has closed.
  /// Throws: ContractError for a message that is over-long or no JSON object.
  std::optional<Json> receive();

  /// A whole message if one is there now; nullopt otherwise. `closed` tells the two apart. Never blocks.
  std::optional<Json> try_receive(bool& closed);

 private:
  int descriptor_;
  std::string buffer_;
  std::mutex sending_;
};

}  // namespace seedbed::protocol
