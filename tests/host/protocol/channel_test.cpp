#include "protocol/channel.hpp"

#include <system_error>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "seedbed/error.hpp"

namespace seedbed::protocol {
namespace {

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    near_ = std::make_unique<Channel>(ends[0]);
    far_ = std::make_unique<Channel>(ends[1]);
  }

  void send_raw(std::string_view bytes) {
    ASSERT_EQ(::send(near_->descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  std::unique_ptr<Channel> near_, far_;
};

TEST_F(ChannelTest, MessagesArriveWholeAndInOrder) {
  std::thread sender([&] {
    for (int i = 0; i < 100; ++i) near_->send({{"kind", "progress"}, {"number", i}, {"text", std::string(5000, 'x')}});
    near_.reset();
  });
  for (int i = 0; i < 100; ++i) EXPECT_EQ(far_->receive()->at("number"), i);
  EXPECT_FALSE(far_->receive().has_value());
  sender.join();
}

TEST_F(ChannelTest, TryReceiveNeverWaitsAndTellsAClosedPeer) {
  bool closed = true;
  EXPECT_FALSE(far_->try_receive(closed).has_value());
  EXPECT_FALSE(closed);
  near_->send({{"kind", "hello"}});
  EXPECT_EQ(far_->try_receive(closed)->at("kind"), "hello");
  near_.reset();
  EXPECT_FALSE(far_->try_receive(closed).has_value());
  EXPECT_TRUE(closed);
}

TEST_F(ChannelTest, AnAbsurdLengthIsRefused) {
  send_raw(std::string_view("\xff\xff\xff\xff", 4));
  EXPECT_THROW(far_->receive(), ContractError);
}

TEST_F(ChannelTest, WhatIsNoObjectIsRefused) {
  send_raw(std::string_view("\x03\x00\x00\x00[1]", 7));
  EXPECT_THROW(far_->receive(), ContractError);
}

TEST_F(ChannelTest, SendingToADeadPeerIsAnErrorAndNoSignal) {
  far_.reset();
  EXPECT_THROW(
      {
        for (int i = 0; i < 100; ++i) near_->send({{"text", std::string(100000, 'x')}});
      },
      std::system_error);
}

}  // namespace
}  // namespace seedbed::protocol
