#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "belay/resilience/connect_gate.hpp"

namespace belay::pool {

/// A ConnectGate that is simple enough to trust: so many attempts at once; after a failure one at a time with growing
/// pauses, after a success twice as many. Notes every ticket that is given back twice or never was given.
class SimulatedGate final : public resilience::ConnectGate {
 public:
  explicit SimulatedGate(std::size_t max_connecting) : max_connecting_(max_connecting), allowed_(max_connecting) {}

  Answer try_connect(time_point now) override {
    auto const allowed = recovering_ ? std::size_t{1} : std::min(allowed_, max_connecting_);
    if (outstanding_.size() >= allowed) return {std::nullopt, time_point::max()};
    if (recovering_ && now < probe_at_) return {std::nullopt, probe_at_};
    resilience::ConnectTicket const ticket{++tickets_, recovering_};
    outstanding_[ticket.epoch] = now;
    most_at_once_ = std::max(most_at_once_, outstanding_.size());
    attempts_.push_back(now);
    return {ticket, time_point::max()};
  }

  void connected(resilience::ConnectTicket ticket, time_point now) override {
    take_back(ticket, "connected");
    if (recovering_) allowed_ = 1;
    recovering_ = false;
    failures_ = 0;
    allowed_ = std::min(allowed_ * 2, max_connecting_);
    last_success_ = now;
  }

  void failed(resilience::ConnectTicket ticket, ErrorClass, bool permanent, time_point now) override {
    take_back(ticket, "failed");
    if (!recovering_) failing_since_ = now;
    recovering_ = true;
    failures_ = std::min(failures_ + 1, 6);
    probe_at_ = now + (permanent ? std::chrono::seconds(5) : std::chrono::milliseconds(50) * (1 << failures_));
  }

  void abandoned(resilience::ConnectTicket ticket, time_point) override { take_back(ticket, "abandoned"); }

  void lost_all(time_point now) override {
    ++times_all_lost;
    if (recovering_) return;
    recovering_ = true;
    failing_since_ = now;
    probe_at_ = now;
  }

  bool is_recovering() const override { return recovering_; }
  time_point next_probe_at() const override { return probe_at_; }
  time_point failing_since() const override { return recovering_ ? failing_since_ : time_point::max(); }

  std::size_t outstanding() const { return outstanding_.size(); }
  /// Whether an attempt would be allowed, without making it.
  bool would_allow(time_point now) const {
    auto const allowed = recovering_ ? std::size_t{1} : std::min(allowed_, max_connecting_);
    return outstanding_.size() < allowed && (!recovering_ || now >= probe_at_);
  }
  std::size_t most_at_once() const { return most_at_once_; }
  std::vector<time_point> const& attempts() const { return attempts_; }

  int times_all_lost = 0;
  std::string complaint;  ///< empty while every ticket came back exactly once

 private:
  void take_back(resilience::ConnectTicket ticket, char const* how) {
    if (outstanding_.erase(ticket.epoch) == 0) complaint = std::string("a ticket not outstanding was ") + how;
  }

  std::size_t max_connecting_;
  std::size_t allowed_;
  bool recovering_ = false;
  int failures_ = 0;
  time_point probe_at_{};
  time_point failing_since_{};
  time_point last_success_{};
  std::uint64_t tickets_ = 0;
  std::size_t most_at_once_ = 0;
  std::map<std::uint64_t, time_point> outstanding_;
  std::vector<time_point> attempts_;
};

}  // namespace belay::pool
