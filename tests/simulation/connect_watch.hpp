#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <map>

#include "belay/resilience/recovery.hpp"
#include "belay/resilience/shared_recovery.hpp"
#include "record.hpp"

namespace belay::simulation {

/// The endpoint's gate, with everybody who asks it under watch: P14, P15, and each ticket handed back exactly once.
class ConnectWatch final : public resilience::ConnectGate {
 public:
  ConnectWatch(resilience::RecoveryOptions const& options, Random random, Record& record)
      : options_(options), gate_(options, random), record_(record), tokens_(options.max_connecting) {}

  Answer try_connect(time_point now) override {
    auto const was_recovering = gate_.is_recovering();
    auto const answer = gate_.try_connect(now);
    if (!answer.ticket) return answer;
    ++in_flight_;
    ++by_epoch_[answer.ticket->epoch];
    record_.require(in_flight_ <= options_.max_connecting, "P14", "more connects in progress than max_connecting");
    spend(now);
    if (was_recovering) {
      record_.require(in_flight_ == 1, "P15", "two attempts at once before the first success of a recovery");
    } else if (answer.ticket->epoch > 0) {
      auto const successes = std::min(successes_, 20U);
      record_.require(in_flight_ <= (1U << successes), "P15", "more attempts at once than the successes allow");
    }
    return answer;
  }
  void connected(resilience::ConnectTicket ticket, time_point now) override {
    take_back(ticket, now);
    if (ticket.epoch == epoch()) ++successes_;
    gate_.connected(ticket, now);
    note_epoch();
  }
  void failed(resilience::ConnectTicket ticket, ErrorClass error, bool permanent, time_point now) override {
    take_back(ticket, now);
    gate_.failed(ticket, error, permanent, now);
    note_epoch();
  }
  void abandoned(resilience::ConnectTicket ticket, time_point now) override {
    take_back(ticket, now);
    gate_.abandoned(ticket, now);
    note_epoch();
  }
  void lost_all(time_point now) override {
    gate_.lost_all(now);
    note_epoch();
  }

  bool is_recovering() const override { return gate_.is_recovering(); }
  time_point next_probe_at() const override { return gate_.next_probe_at(); }
  time_point failing_since() const override { return gate_.failing_since(); }

  resilience::SharedRecovery& gate() noexcept { return gate_; }
  std::uint32_t in_flight() const noexcept { return in_flight_; }
  /// When a ticket came back last: the others are told soon afterwards.
  time_point freed_at() const noexcept { return freed_at_; }

 private:
  std::uint64_t epoch() const { return gate_.snapshot().epoch; }

  void note_epoch() {
    if (auto const current = epoch(); current != epoch_) {
      epoch_ = current;
      successes_ = 0;
    }
  }

  void take_back(resilience::ConnectTicket ticket, time_point now) {
    freed_at_ = now;
    auto const found = by_epoch_.find(ticket.epoch);
    if (found == by_epoch_.end() || in_flight_ == 0) return record_.violate("P14", "a ticket was handed back twice");
    if (--found->second == 0) by_epoch_.erase(found);
    --in_flight_;
  }

  /// In any window w at most burst + rate * w: a bucket that never runs out of tokens.
  void spend(time_point now) {
    auto const passed = std::chrono::duration<double>(now - filled_at_).count();
    tokens_ = std::min<double>(options_.max_connecting, tokens_ + passed * options_.connect_rate) - 1;
    filled_at_ = now;
    record_.require(tokens_ > -0.001, "P14", "more connects than burst + rate x time");
  }

  resilience::RecoveryOptions options_;
  resilience::SharedRecovery gate_;
  Record& record_;
  std::uint32_t in_flight_ = 0;
  std::map<std::uint64_t, std::uint32_t> by_epoch_;
  std::uint64_t epoch_ = 0;
  std::uint32_t successes_ = 0;
  double tokens_;
  time_point freed_at_ = Timeline::start;
  time_point filled_at_ = Timeline::start;
};

}  // namespace belay::simulation
