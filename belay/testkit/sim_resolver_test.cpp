#include "belay/testkit/sim_resolver.hpp"

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace belay::testkit {
namespace {

using namespace std::chrono_literals;

struct SimResolverTest : testing::Test {
  SimScheduler world{1};
  SimResolver resolver{world};
  Host const old_node = boost::asio::ip::make_address("10.0.0.1");
  Host const new_node = boost::asio::ip::make_address("fd00::2");

  std::vector<Address> resolve(std::string host, std::chrono::nanoseconds within = 10s) {
    return world.run(resolver.resolve(std::move(host), "5432", Deadline::at(world.now() + within)));
  }
  ErrorClass failure(std::string host, std::chrono::nanoseconds within = 10s) {
    try {
      resolve(std::move(host), within);
    } catch (Error const& error) {
      EXPECT_EQ(error.send_state(), SendState::never_sent);
      return error.error_class();
    }
    throw std::logic_error("resolved");
  }
};

TEST_F(SimResolverTest, GivesAllAddressesInTheirOrder) {
  resolver.set("db", {new_node, old_node});
  EXPECT_EQ(resolve("db"), (std::vector<Address>{{new_node, 5432}, {old_node, 5432}}));
  EXPECT_EQ(resolve("192.0.2.1").at(0).address().to_string(), "192.0.2.1");
}

TEST_F(SimResolverTest, ShowsAChangeWhenTheTimeToLiveIsOver) {
  resolver.set("db", {old_node}, 30s);
  EXPECT_EQ(resolve("db").at(0).address(), old_node);
  resolver.set("db", {new_node}, 30s);
  world.run_for(29s);
  EXPECT_EQ(resolve("db").at(0).address(), old_node);
  world.run_for(2s);
  EXPECT_EQ(resolve("db").at(0).address(), new_node);
  EXPECT_EQ(resolver.queries(), 2u);
  resolver.remove("db");
  EXPECT_EQ(resolve("db").at(0).address(), new_node) << "cached";
  resolver.forget_cached();
  EXPECT_EQ(failure("db"), ErrorClass::transport);
}

TEST_F(SimResolverTest, FailsForNamesWithoutAnAddress) {
  EXPECT_EQ(failure("no.such.name"), ErrorClass::transport);
  resolver.set("empty", {});
  EXPECT_EQ(failure("empty"), ErrorClass::transport);
  EXPECT_THROW(world.run(resolver.resolve("db", "http", Deadline::never())), Error);
}

TEST_F(SimResolverTest, GivesUpAtTheDeadline) {
  resolver.set("db", {old_node});
  resolver.set_delay(5s);
  auto const begin = world.now();
  EXPECT_EQ(failure("db", 2s), ErrorClass::timeout_local);
  EXPECT_EQ(world.now() - begin, 2s);
  EXPECT_EQ(failure("db", 0s), ErrorClass::timeout_local);
  resolver.set_delay(std::nullopt);
  EXPECT_EQ(failure("db", 1h), ErrorClass::timeout_local);
  EXPECT_EQ(world.now() - begin, 1h + 2s);
}

}  // namespace
}  // namespace belay::testkit
