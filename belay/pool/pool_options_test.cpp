#include "belay/pool/pool_options.hpp"

#include <string>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace {

using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;

template <class Change>
std::string refusal_of(Change change) {
  PoolOptions options;
  change(options);
  try {
    options.validate();
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::request);
    EXPECT_EQ(error.send_state(), SendState::never_sent);
    return error.what();
  }
  return "";
}

TEST(PoolOptions, AreValidAsTheyComeInEveryPreset) {
  for (auto const* name : {"default", "hosted_pooler", "singleton", "rag", "enterprise", "stability"}) {
    EXPECT_NO_THROW(preset(name).validate()) << name;
  }
  EXPECT_THROW(preset("fast"), Error);
}

TEST(PoolOptions, HaveTheDefaultsOfTheSpecification) {
  auto const options = preset("default");
  EXPECT_EQ(options.min_idle, 2U);
  EXPECT_EQ(options.hard_limit(), 10U);
  EXPECT_EQ(options.waiters_limit(), 100U);
  EXPECT_EQ(options.acquire_timeout, 30s);
  EXPECT_EQ(options.connect_timeout, 10s);
  EXPECT_EQ(options.max_lifetime, 30min);
  EXPECT_EQ(options.expiry_gap_or_derived(), 3min);
  EXPECT_EQ(options.idle_timeout, 10min);
  EXPECT_EQ(options.liveness_bypass, 500ms);
  EXPECT_EQ(options.keepalive, 2min);
  EXPECT_EQ(options.max_connecting, 4U);
  EXPECT_EQ(options.connect_rate, 10);
  EXPECT_EQ(options.quarantine_timeout, 2s);
  EXPECT_EQ(options.zombie_grace, 5s);
  EXPECT_EQ(options.leak_warn_after, 30s);
  EXPECT_FALSE(options.leak_reclaim_after);
  EXPECT_EQ(options.close_timeout, 10s);
  EXPECT_EQ(options.connection.tcp_keepalive_idle, 15s);
  EXPECT_EQ(options.connection.tcp_keepalive_interval, 5s);
  EXPECT_EQ(options.connection.tcp_keepalive_probes, 3);
  EXPECT_EQ(options.connection.tcp_user_timeout, 20s);
}

TEST(PoolOptions, CarryTheSourcesFiguresInTheirPresets) {
  EXPECT_EQ(preset("hosted_pooler").max_lifetime, 90s);
  EXPECT_EQ(preset("hosted_pooler").keepalive, 25s);
  EXPECT_EQ(preset("singleton").min_idle, 1U);
  EXPECT_EQ(preset("singleton").hard_limit(), 1U);
  auto const rag = preset("rag");
  EXPECT_EQ(rag.min_idle, 2U);
  EXPECT_EQ(rag.hard_limit(), 10U);
  EXPECT_EQ(rag.acquire_timeout, 30s);
  EXPECT_EQ(rag.connection.command_timeout, 60s);
  EXPECT_TRUE(rag.connection.jit_off);
  auto const enterprise = preset("enterprise");
  EXPECT_EQ(enterprise.max_size, 10U);
  EXPECT_EQ(enterprise.max_overflow, 20U);
  EXPECT_EQ(enterprise.max_lifetime, 90s);
  EXPECT_EQ(enterprise.pre_ping, PrePing::always);
  auto const stability = preset("stability");
  EXPECT_EQ(stability.max_lifetime, 3600s);
  EXPECT_EQ(stability.acquire_timeout, 30s);
  EXPECT_EQ(stability.connect_timeout, 10s);
  EXPECT_EQ(stability.connection.statement_timeout, 30'000ms);
}

TEST(PoolOptions, RefuseWhatMakesNoSenseAndNameIt) {
  EXPECT_EQ(refusal_of([](auto& o) { o.max_size = 0; }), "pool option max_size is 0, it must lie between 1 and 10000");
  EXPECT_EQ(refusal_of([](auto& o) { o.min_idle = 11; }), "pool option min_idle is 11, it must lie between 0 and 10");
  EXPECT_EQ(refusal_of([](auto& o) { o.acquire_timeout = 0s; }),
            "pool option acquire_timeout is 0ns, it must lie between 1ms and 1y1d");
  EXPECT_NE(refusal_of([](auto& o) { o.max_size = o.max_overflow = 9000; }), "");
  EXPECT_NE(refusal_of([](auto& o) { o.max_lifetime = 999ms; }), "");
  EXPECT_NE(refusal_of([](auto& o) { o.admission = 0; }), "");
  EXPECT_NE(refusal_of([](auto& o) { o.admission = 1.5; }), "");
  EXPECT_NE(refusal_of([](auto& o) { o.max_waiters = 0; }), "");
  EXPECT_NE(refusal_of([](auto& o) { o.streams_per_connection = 65; }), "");
  EXPECT_NE(refusal_of([](auto& o) { o.connect_rate = 0; }), "");
  EXPECT_NE(refusal_of([](auto& o) { o.keepalive = 0s; }), "");
  EXPECT_NE(refusal_of([](auto& o) { o.liveness_bypass = -1ns; }), "");
  EXPECT_NE(refusal_of([](auto& o) { o.connection.tcp_keepalive_probes = 0; }), "");
}

TEST(PoolOptions, RefuseCombinationsThatCannotHold) {
  EXPECT_NE(refusal_of([](auto& o) { o.expiry_gap = 4min; }), "") << "ten connections, thirty minutes";
  EXPECT_EQ(refusal_of([](auto& o) { o.expiry_gap = 3min; }), "");
  EXPECT_NE(refusal_of([](auto& o) { o.expiry_gap = 1ns; }), "") << "the plan has a bit for each gap: 225 GB of them";
  EXPECT_EQ(refusal_of([](auto& o) { o.expiry_gap = 2ms; }), "");
  EXPECT_NE(refusal_of([](auto& o) {
              o.expiry_gap = 1min;
              o.max_lifetime = std::nullopt;
            }),
            "");
  EXPECT_NE(refusal_of([](auto& o) { o.leak_reclaim_after = 10s; }), "") << "before the first warning";
  EXPECT_NE(refusal_of([](auto& o) {
              o.leak_reclaim_after = 1min;
              o.leak_warn_after = std::nullopt;
            }),
            "");
}

}  // namespace
