#include "belay/pool/policy.hpp"

#include <algorithm>
#include <vector>

#include "belay/net/time_service.hpp"
#include "belay/pool/detail/call_wait.hpp"

namespace belay::pool {

namespace asio = boost::asio;

namespace {

/// Wakes one waiter at each event of the breakers, for as long as it lives.
class BreakerNews {
 public:
  BreakerNews(detail::PolicyState& state, std::shared_ptr<detail::CallWait> waiter) {
    for (auto& members : state.classes) {
      if (!members.breaker) continue;
      auto const id = members.breaker->add_listener([waiter](resilience::BreakerEvent const&) { waiter->wake(); });
      heard_.emplace_back(members.breaker.get(), id);
    }
  }
  BreakerNews(BreakerNews const&) = delete;
  BreakerNews& operator=(BreakerNews const&) = delete;
  ~BreakerNews() {
    for (auto const& [breaker, id] : heard_) breaker->remove_listener(id);
  }

 private:
  std::vector<std::pair<resilience::SharedBreaker*, resilience::SharedBreaker::ListenerId>> heard_;
};

/// Tells the waiter that the frame it belongs to is gone.
class Abandoning {
 public:
  explicit Abandoning(detail::CallWait& waiter) noexcept : waiter_(waiter) {}
  Abandoning(Abandoning const&) = delete;
  Abandoning& operator=(Abandoning const&) = delete;
  ~Abandoning() { waiter_.abandon(); }

 private:
  detail::CallWait& waiter_;
};

/// Makes what is due; when the next thing will be.
Deadline advance_breakers(detail::PolicyState& state) {
  auto next = Deadline::never();
  for (auto& members : state.classes) {
    if (!members.breaker) continue;
    members.breaker->advance(state.now());
    next = earlier(next, Deadline::at(members.breaker->next_event()));
  }
  return next;
}

asio::awaitable<void> keep_breakers_time(std::shared_ptr<detail::PolicyState> state) {
  auto const executor = co_await asio::this_coro::executor;
  auto time = state->environment.time;
  if (!time) time = net::system_time(executor);
  auto const waiter = std::make_shared<detail::CallWait>(executor);
  Abandoning const abandoning(*waiter);
  BreakerNews const news(*state, waiter);
  for (;;) {
    auto const next = advance_breakers(*state);
    auto const end = co_await detail::CallWait::wait(waiter, next, *time);
    if (end == detail::CallWait::End::cancelled) {
      throw Error(ErrorClass::cancelled, SendState::never_sent, "the breakers' time is kept no longer");
    }
  }
}

}  // namespace

Policy::Policy(PolicyOptions const& options, PolicyEnvironment environment)
    : state_(std::make_shared<detail::PolicyState>(options, std::move(environment))) {}

Policy::Policy(resilience::Preset const& preset, PolicyEnvironment environment)
    : Policy(policy_options(preset), std::move(environment)) {}

PolicySnapshot Policy::snapshot() const { return state_->snapshot(); }

resilience::SharedBreaker* Policy::breaker(OperationClass operation) const noexcept {
  return state_->of(operation).breaker.get();
}

void Policy::endpoint_recovered() {
  for (auto& members : state_->classes) {
    if (members.breaker) members.breaker->endpoint_recovered(state_->now());
  }
}

asio::awaitable<void> Policy::keep_time() { return keep_breakers_time(state_); }

}  // namespace belay::pool
