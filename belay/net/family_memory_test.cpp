#include "belay/net/family_memory.hpp"

#include <gtest/gtest.h>

namespace belay::net {
namespace {

using namespace std::chrono_literals;

struct FamilyMemoryTest : testing::Test {
  FamilyMemory memory;
  FamilyMemory::time_point now{1h};
};

TEST_F(FamilyMemoryTest, PrefersNothingAtFirst) {
  EXPECT_EQ(memory.preferred(now), std::nullopt);
  EXPECT_EQ(memory.winner(AddressFamily::ipv4, now), "");
}

TEST_F(FamilyMemoryTest, PrefersTheFamilyThatWonLast) {
  memory.remember(AddressFamily::ipv6, "six", now);
  memory.remember(AddressFamily::ipv4, "four", now);
  EXPECT_EQ(memory.preferred(now), AddressFamily::ipv4);
  memory.remember(AddressFamily::ipv6, "six", now);
  EXPECT_EQ(memory.preferred(now), AddressFamily::ipv6);
  EXPECT_EQ(memory.winner(AddressFamily::ipv4, now), "four");
  EXPECT_EQ(memory.winner(AddressFamily::ipv6, now), "six");
}

TEST_F(FamilyMemoryTest, ForgetsAfterTenMinutes) {
  memory.remember(AddressFamily::ipv4, "four", now);
  EXPECT_EQ(memory.preferred(now + 10min - 1ns), AddressFamily::ipv4);
  EXPECT_EQ(memory.preferred(now + 10min), std::nullopt);
  EXPECT_EQ(memory.winner(AddressFamily::ipv4, now + 10min), "");
}

TEST_F(FamilyMemoryTest, ForgetsAFamilyAtOnceAndKeepsTheOther) {
  memory.remember(AddressFamily::ipv4, "four", now);
  memory.remember(AddressFamily::ipv6, "six", now);
  memory.forget(AddressFamily::ipv6);
  EXPECT_EQ(memory.preferred(now), AddressFamily::ipv4);
}

}  // namespace
}  // namespace belay::net
