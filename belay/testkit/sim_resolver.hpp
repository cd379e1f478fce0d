#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/net/resolver.hpp"
#include "belay/testkit/sim_link.hpp"
#include "belay/testkit/sim_time.hpp"

namespace belay::testkit {

/// Names of a simulated world: an authority whose records a scenario changes, and a cache before it that keeps an
/// answer for its TTL, so that a change is seen as late as in the real world.
///
/// Numeric hosts need no record. An unknown name does not exist (NXDOMAIN). Not thread-safe.
class SimResolver final : public net::Resolver {
 public:
  explicit SimResolver(SimScheduler& scheduler) : scheduler_(scheduler), time_(scheduler) {}
  SimResolver(SimResolver const&) = delete;
  SimResolver& operator=(SimResolver const&) = delete;

  /// From now on the authority answers with these, in this order; none of them: the name exists without an address.
  void set(std::string name, std::vector<Host> addresses, std::chrono::nanoseconds ttl = std::chrono::seconds(30));
  /// The name does not exist any more. A cached answer is used to its end.
  void remove(std::string const& name);
  /// How long the authority takes; a cached answer comes at once. nullopt: it does not answer at all.
  void set_delay(std::optional<std::chrono::nanoseconds> delay) { delay_ = delay; }
  void forget_cached() { cache_.clear(); }

  /// As net::resolve: throws belay::Error(never_sent): transport when there is no address, timeout_local at the
  /// deadline, cancelled. `port` is a number.
  boost::asio::awaitable<std::vector<Address>> resolve(std::string host, std::string port, Deadline) override;

  std::uint64_t queries() const noexcept { return queries_; }  ///< that reached the authority

 private:
  struct Record {
    std::vector<Host> hosts;
    std::chrono::nanoseconds ttl{0};
  };
  struct Cached {
    std::vector<Host> hosts;
    SimScheduler::time_point until;
  };
  boost::asio::awaitable<std::vector<Host>> ask(std::string const& host, Deadline, std::string const& what);

  SimScheduler& scheduler_;
  SimTime time_;
  std::map<std::string, Record> records_;
  std::map<std::string, Cached> cache_;
  std::optional<std::chrono::nanoseconds> delay_ = std::chrono::milliseconds(1);
  std::uint64_t queries_ = 0;
};

}  // namespace belay::testkit
