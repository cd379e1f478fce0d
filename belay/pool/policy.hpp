#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "belay/core/await_safe.hpp"
#include "belay/core/error.hpp"
#include "belay/pool/attempt.hpp"
#include "belay/pool/detail/policy_run.hpp"
#include "belay/pool/policy_environment.hpp"
#include "belay/pool/policy_options.hpp"
#include "belay/pool/policy_snapshot.hpp"
#include "belay/resilience/shared_breaker.hpp"

namespace belay::pool {

/// What stands between the callers and one endpoint: every call goes through all policies, in this order:
///
///     deadline -> rate limiter -> bulkhead -> retry (budget) -> breaker -> attempt
///
/// Only a breaker that is open when the call begins is seen at once, before it could take a turn or a place in vain.
///
///     Policy policy(resilience::presets::enterprise());
///     auto const body = [&](Attempt& attempt) { return ask(pool, attempt.deadline); };
///     auto const rows = co_await policy.run({.context = {.deadline = Deadline::in(2s)}}, body);
///
/// A handle on what its calls share: copies are cheap and mean the same policy. Thread-safe. A call belongs to the
/// executor it was made on, which runs one thing at a time (an io_context with one thread, or a strand).
class Policy {
 public:
  /// Throws Error(request) that names an option out of its range.
  explicit Policy(PolicyOptions const&, PolicyEnvironment = PolicyEnvironment());
  explicit Policy(resilience::Preset const&, PolicyEnvironment = PolicyEnvironment());

  /// Runs body(Attempt&), an awaitable<T>, as often as the policy allows, and returns what it returned.
  ///
  /// Throws belay::Error: the last attempt's, or this layer's own when it refused, with the details of
  /// resilience::to_error(). A body that throws anything else has failed as class `internal`: it is not repeated, and
  /// the exception comes out as it is. Asio's operation_aborted comes out as Error(cancelled).
  ///
  /// The caller's cancellation (terminal) ends every wait at once, and an attempt as soon as its body ends. A frame
  /// that is destroyed while it waits, or while its body does, gives back what it holds.
  ///
  /// While a breaker is closed and nothing waits, nothing is allocated but Asio's recycled frames. A body that runs
  /// calls of the same policy takes further places of its bulkhead.
  template <AwaitSafe F>
  auto run(CallOptions options, F&& body) -> std::invoke_result_t<F&, Attempt&> {
    return perform<F>(state_, options, std::forward<F>(body));
  }

  PolicySnapshot snapshot() const;

  /// The breaker of a class: its state, the operator's hand, listeners. Null when it has none. Lives as long as a
  /// handle on the policy.
  resilience::SharedBreaker* breaker(OperationClass) const noexcept;
  /// A health check or a reconnect has succeeded: breakers that are open let probes through.
  void endpoint_recovered();

  /// Makes the breakers' transitions when their time has come, also when nobody calls, so that their listeners hear of
  /// them in time. Runs until it is cancelled; without it a breaker moves on at the next call.
  boost::asio::awaitable<void> keep_time();

 private:
  template <class F>
  static std::invoke_result_t<F&, Attempt&> perform(std::shared_ptr<detail::PolicyState> state, CallOptions options,
                                                    F body) {
    using T = typename std::invoke_result_t<F&, Attempt&>::value_type;
    auto const begin = detail::turn_away_if_open(*state, options);
    auto const cancellation = co_await boost::asio::this_coro::cancellation_state;
    detail::PolicyRun call(std::move(state), options, begin);
    std::conditional_t<std::is_void_v<T>, std::nullptr_t, std::optional<T>> result{};
    while (call.goes_on(cancellation.cancelled() != boost::asio::cancellation_type::none)) {
      if (call.must_wait()) {
        co_await call.wait();
        continue;
      }
      call.begin_attempt();
      try {
        if (call.needs_remedy()) co_await call.apply_remedy();
        if constexpr (std::is_void_v<T>) {
          co_await std::invoke(body, call.attempt());
        } else {
          result.emplace(co_await std::invoke(body, call.attempt()));
        }
        call.succeeded();
      } catch (Error const& error) {
        call.failed(error);
      } catch (boost::system::system_error const& error) {
        call.failed(error);
      } catch (...) {
        call.failed_otherwise(std::current_exception());
      }
    }
    if constexpr (!std::is_void_v<T>) co_return std::move(*result);
  }

  std::shared_ptr<detail::PolicyState> state_;
};

}  // namespace belay::pool
