#pragma once

#include <exception>
#include <memory>
#include <optional>

#include <boost/asio/awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "belay/core/error.hpp"
#include "belay/pool/attempt.hpp"
#include "belay/pool/detail/policy_state.hpp"
#include "belay/resilience/limiter_gate.hpp"
#include "belay/resilience/policy_core.hpp"
#include "belay/resilience/shared_breaker.hpp"
#include "belay/resilience/shared_bulkhead.hpp"

namespace belay::pool::detail {

class CallWait;

/// Throws the refusal of a breaker that is open, before anything is built for the call. Else what time it is.
Deadline::time_point turn_away_if_open(PolicyState&, CallOptions const&);

/// One call: what Policy::run() does besides awaiting the body. It lies in the frame of run(), and brings the call to
/// its end when that frame is destroyed in the middle.
class PolicyRun {
 public:
  PolicyRun(std::shared_ptr<PolicyState>, CallOptions const&, Deadline::time_point now);
  PolicyRun(PolicyRun const&) = delete;
  PolicyRun& operator=(PolicyRun const&) = delete;
  ~PolicyRun();

  /// Whether there is something to await. Throws how the call failed, if it has.
  bool goes_on(bool is_cancelled_by_caller);
  /// Whether that is wait() rather than the attempt.
  bool must_wait() const noexcept { return action_.kind != resilience::PolicyAction::Kind::run_attempt; }
  boost::asio::awaitable<void> wait();

  Attempt& attempt() noexcept { return attempt_; }
  void begin_attempt();
  bool needs_remedy() const noexcept;
  boost::asio::awaitable<void> apply_remedy();
  void succeeded();
  void failed(Error const&);
  /// Asio's way to say that it was cancelled is taken for that, anything else for foreign.
  void failed(boost::system::system_error const&);
  /// An exception nobody here knows: it comes out as it is.
  void failed_otherwise(std::exception_ptr);

 private:
  using Kind = resilience::PolicyAction::Kind;
  using time_point = Deadline::time_point;

  Deadline::time_point now() const noexcept { return state_->now(); }
  void failed(resilience::Failure const&);
  void go_on_with(resilience::PolicyAction) noexcept;
  void tell_attempt_end(std::optional<AttemptEnd::Failure>, time_point now);
  void cancel(time_point now);
  time_point wait_ends_at() const noexcept;
  [[noreturn]] void throw_failure();

  std::shared_ptr<PolicyState> state_;
  PolicyState::Class& class_;
  resilience::RateLimiterGate limiter_;
  resilience::BulkheadEntrance bulkhead_;
  resilience::BreakerEntrance breaker_;
  using Parts =
      resilience::PolicyParts<resilience::RateLimiterGate, resilience::BulkheadEntrance, resilience::BreakerEntrance>;
  Parts parts_;
  resilience::PolicyCall<resilience::RateLimiterGate, resilience::BulkheadEntrance, resilience::BreakerEntrance> call_;
  resilience::PolicyAction action_{Kind::fail};
  Attempt attempt_;
  time_point attempt_began_{};
  bool is_over_ = false;
  // Made at the first wait.
  std::shared_ptr<CallWait> wait_;
  std::shared_ptr<net::TimeService> time_;

  std::optional<Error> last_error_;
  std::exception_ptr foreign_;
};

}  // namespace belay::pool::detail
