#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "endpoint.hpp"

namespace belay::simulation {

/// Somebody who calls the database again and again: each call through all policies, each attempt with a lease of its
/// own, one statement or a transaction, sometimes with a second lease inside, sometimes cancelled.
class Client final : public Borrower {
 public:
  Client(Endpoint&, std::uint64_t number, Random);
  Client(Client const&) = delete;

  void start();
  /// No further call begins.
  void stop() noexcept { is_stopped_ = true; }
  bool is_idle() const noexcept { return !call_; }

  /// What it is doing, for a report.
  std::string describe() const;

  void granted(Borrowing const&) override;
  void turned_away(pool::Refusal, ErrorClass) override;
  void told_to_stop() override;
  /// The breaker it waits for has news.
  void breaker_spoke();

 private:
  enum class State : std::uint8_t { idle, waiting, acquiring, holding };

  /// The second lease, within the first.
  class Child final : public Borrower {
   public:
    explicit Child(Client& parent) : parent_(parent) {}
    void granted(Borrowing const&) override;
    void turned_away(pool::Refusal, ErrorClass) override;
    void told_to_stop() override;
    void acquire();
    void leave();
    bool is_busy() const noexcept { return ask_ != nullptr || lease_.has_value(); }

   private:
    Client& parent_;
    PoolShell::Ask* ask_ = nullptr;
    std::optional<Borrowing> lease_;
  };

  time_point now() const noexcept { return endpoint_.timeline.now(); }
  void begin_call();
  void handle(resilience::PolicyAction const&);
  void wait(CallState, resilience::PolicyAction const&);
  void wake_at(time_point, void (Client::*)());
  void timer();
  void turn_came();
  void attempt(resilience::PolicyAction const&);
  void count_attempt(resilience::PolicyAction const&);
  void proceed();
  void send_next();
  void replied(std::uint64_t nonce, Reply const*);
  void step_failed(resilience::Failure const&);
  void time_out();
  void break_off(ErrorClass);
  void give_back(pool::Release);
  void attempt_failed(resilience::Failure const&);
  void attempt_succeeded();
  void cancel();
  void end_call(bool success);
  void cover(CallInput);
  SendState state_of_loss() const noexcept;
  bool in_transaction() const noexcept { return is_transaction_ && steps_sent_ > 0; }

  Endpoint& endpoint_;
  std::uint64_t const number_;
  Random random_;
  Child child_;
  std::function<void()> turn_;

  std::optional<Endpoint::Call> call_;
  State state_ = State::idle;
  CallState at_ = CallState::limited;
  std::uint64_t turn_of_events_ = 0;  ///< so that timers of an earlier state are recognised
  std::uint64_t call_number_ = 0;
  bool is_stopped_ = false;

  // This call.
  std::size_t operation_ = 0;
  bool is_transaction_ = false;
  bool is_idempotent_ = false;
  bool alters_session_ = false;
  std::uint64_t unit_ = 0;
  Deadline deadline_ = Deadline::never();
  time_point began_{};
  unsigned conflicts_ = 0;
  bool was_resent_ = false;
  bool counts_ = false;  ///< whether the budget pays for the next attempt

  // This attempt.
  Deadline attempt_deadline_ = Deadline::never();
  PoolShell* pool_ = nullptr;
  PoolShell::Ask* ask_ = nullptr;
  std::optional<Borrowing> lease_;
  unsigned steps_sent_ = 0;
  std::uint64_t awaited_ = 0;  ///< the nonce of the statement under way
};

}  // namespace belay::simulation
