#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>

#include "belay/core/deadline.hpp"
#include "belay/testkit/fault_plan.hpp"
#include "belay/testkit/fault_proxy_report.hpp"

namespace belay::testkit {

struct FaultProxyOptions {
  std::string target_host;        ///< a name or an address; resolved once, at the start
  std::uint16_t target_port = 0;  ///< 1 to 65535

  std::string listen_address = "127.0.0.1";  ///< numeric; others than loopback let strangers in
  std::uint16_t listen_port = 0;             ///< 0: a free one, see FaultProxy::port()

  std::uint64_t seed =
      1;  ///< decides probabilities and jitter: the same seed and order of connections, the same faults

  std::size_t connections_max = 1024;         ///< 1 to 100000; those beyond are reset
  std::size_t buffer_bytes_max = 256 * 1024;  ///< held in each direction of a connection; 1 to 64 MiB. It bounds
                                              ///< what a latency can keep in flight
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10);  ///< to the target; > 0

  /// Called for each event, on the proxy's thread or executor, one call at a time. It must be quick, must not throw,
  /// and may call everything of the proxy but stop() and wait_for().
  std::function<void(FaultProxyEvent const&)> on_event;
};

/// A TCP proxy that makes connections fail as told by a FaultPlan: slow, cut at a byte, reset, black-holed, refused.
///
///     FaultProxy proxy({.target_host = "127.0.0.1", .target_port = 5432});
///     auto client = connect("127.0.0.1", proxy.port());
///     proxy.set_plan("rst=100:down");      // the next reply breaks after 100 bytes
///     …
///     proxy.set_plan("none");
///
/// On the wire the faults are those of real peers: a reset is an RST, `cut` and `half_close` are FINs after exactly the
/// bytes that were asked for, `refuse` closes the listening socket and keeps its port.
///
/// Thread-safe.
class FaultProxy {
 public:
  /// Runs on a thread of its own. Listens before it returns.
  /// Throws Error: request for options out of range, transport when it cannot listen or resolve the target.
  explicit FaultProxy(FaultProxyOptions, FaultPlan = FaultPlan());
  /// Runs on the given executor, on a strand of it. Its context must outlive the proxy. Resolving the target blocks.
  FaultProxy(boost::asio::any_io_executor, FaultProxyOptions, FaultPlan = FaultPlan());
  /// stop()
  ~FaultProxy();
  FaultProxy(FaultProxy const&) = delete;
  FaultProxy& operator=(FaultProxy const&) = delete;

  std::uint16_t port() const noexcept;
  /// "127.0.0.1:6000"
  std::string address() const;

  /// Replaces the plan for new and live connections. It is in force when the call returns, with one exception: called
  /// from elsewhere than the given executor's only thread, it is in force before whatever is sent afterwards is looked
  /// at.
  void set_plan(FaultPlan);
  /// Parses first: Error(request) leaves the old plan in force.
  void set_plan(std::string_view text);
  FaultPlan plan() const;

  /// Live connections: closed in good order, both ways; bytes held back are lost.
  void cut_all();
  /// Live connections: reset, both ways.
  void reset_all();
  /// Live connections: nothing passes any more, until they end by cut_all(), reset_all() or stop(). A plan does not
  /// lift it, new connections are well.
  void blackhole_all();
  /// Live connections: as the fault `forget`, half-open TCP.
  void forget_all();

  FaultProxyCounters counters() const;
  /// Waits until the counters satisfy a condition; false at the deadline. The condition is called with a lock held: it
  /// only looks at its argument.
  bool wait_for(std::function<bool(FaultProxyCounters const&)> const& condition, Deadline) const;

  /// Closes the listening socket and all connections. With its own thread, which is joined, nothing runs and on_event
  /// is not called once it returns; with a given executor, on_event is not called any more and what is left runs there.
  /// Idempotent. Other members may still be called and do nothing.
  void stop();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace belay::testkit
