#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/net/byte_stream.hpp"
#include "belay/net/time_service.hpp"
#include "belay/testkit/faulty_stream.hpp"

namespace belay::testkit {

/// What a peer does, in order. Bytes that it does not expect are a violation; a client that goes away is none.
class PeerScript {
 public:
  PeerScript& expect(std::string bytes);
  PeerScript& send(std::string bytes);
  PeerScript& expect_end();  ///< the client ends its direction
  PeerScript& pause(std::chrono::nanoseconds);

  /// std::runtime_error when the client sends something else.
  boost::asio::awaitable<void> play(net::ByteStream&, net::TimeService&) const;

 private:
  struct Step {
    enum class Kind { expect, send, expect_end, pause } kind;
    std::string bytes;
    std::chrono::nanoseconds time{0};
  };
  std::vector<Step> steps_;
};

/// What is done to the client's n-th operation: a fault of the stream, or its caller cancels while it is pending.
enum class StepFault { error, error_after, cut, stall, fragment, cancel };
inline constexpr StepFault all_step_faults[] = {StepFault::error, StepFault::error_after, StepFault::cut,
                                                StepFault::stall, StepFault::fragment,    StepFault::cancel};
char const* name_of(StepFault) noexcept;

/// What came out of one run.
struct StepOutcome {
  StepFault fault = StepFault::error;
  std::uint64_t step = 0;                             ///< from 1
  bool was_hit = false;                               ///< false: the exchange has fewer steps, so nothing went wrong
  StreamOperation operation = StreamOperation::read;  ///< that was hit

  bool has_ended = false;
  bool has_succeeded = false;
  std::optional<Error> error = std::nullopt;  ///< a belay::Error that the client threw
  boost::system::error_code code = {};        ///< or a boost::system::system_error's
  std::string what = {};                      ///< of whatever it threw
  std::chrono::nanoseconds took{0};           ///< virtual time to its end
  std::uint64_t operations = 0;               ///< that the client started
  std::uint64_t bytes_written = 0;            ///< that have left the client

  /// "stall at step 3 (read): timeout_local, unknown: no answer before the deadline"
  std::string describe() const;
};

struct FailAtStepOptions {
  std::chrono::nanoseconds deadline = std::chrono::seconds(10);  ///< given to the client, > 0
  std::chrono::nanoseconds grace = std::chrono::seconds(1);      ///< how late after it the client may end, >= 0
  std::vector<StepFault> faults{std::begin(all_step_faults), std::end(all_step_faults)};
  std::uint64_t steps_max = 10'000;  ///< >= 1: more steps of one exchange are taken for a loop
  std::size_t buffer_bytes = 65536;  ///< of each direction, >= 1
  std::uint64_t seed = 1;
};

struct FailAtStepSummary {
  std::vector<StepOutcome> outcomes;
  /// What must never happen, a sentence each: a client that has not ended a grace after its deadline, handlers or tasks
  /// left behind, a failure without a fault, a peer that got wrong bytes, two runs of one case that differ.
  std::vector<std::string> violations;
};

/// Runs an exchange again and again, breaking its I/O at step 1, 2, 3 … until past its end, in every way: no step of a
/// protocol's code is left whose failure nobody has seen.
///
/// client  the code under test; what it returns to or throws is the outcome. It must keep to the deadline
/// peer    the other side
/// check   sees each outcome, those past the end included; the place for EXPECT_EQ(outcome.error->send_state(), …)
///
/// Every case is run twice on a fresh SimScheduler.
FailAtStepSummary fail_at_every_step(
    std::function<boost::asio::awaitable<void>(net::ByteStream&, Deadline, net::TimeService&)> const& client,
    PeerScript const& peer, std::function<void(StepOutcome const&)> const& check,
    FailAtStepOptions const& options = FailAtStepOptions());

}  // namespace belay::testkit
