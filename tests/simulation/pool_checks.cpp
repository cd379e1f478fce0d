#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "belay/core/enum_names.hpp"
#include "pool_shell.hpp"

// What must hold of a pool after every input.

namespace belay::simulation {

using namespace belay::pool;
using namespace std::chrono_literals;

void PoolShell::check() {
  auto const shot = core_.snapshot(timeline_.now());
  check_counts(shot);
  // With many streams it takes much longer than what it checks.
  if (core_.options().streams_per_connection == 1 || ++inputs_ % 16 == 0) check_slots(shot);
  check_progress(shot);
  taken_before_ = shot.taken();
}

void PoolShell::check_counts(Snapshot const& shot) {
  record_.require(shot.taken() <= std::max(shot.hard_limit, taken_before_), "P1", "more places than the hard limit");
  record_.require(shot.leases_given == shot.leases_returned + shot.leases_destroyed + shot.leases, "P4",
                  "leases given are not those returned, destroyed and outstanding");
  // One more may wait whose offer was taken back.
  record_.require(shot.waiting <= std::max(shot.waiters_limit, allowed_to_wait_) + shot.leases, "P18",
                  "more waiters than allowed");
  allowed_to_wait_ = std::max(shot.waiting, shot.waiters_limit);
  if (shot.is_down && !shot.is_closing && plan_.timers_late == duration::zero()) {
    record_.require(shot.waiting == 0, "P18", "somebody waits for an endpoint that is down");
  }
  auto const opening = shot.in(SlotState::connecting) + shot.in(SlotState::initialising);
  record_.require(opening <= gate_.in_flight(), "P14", "a connect without permission");

  auto const& trouble = server_.trouble;
  bool const is_noticed = plan_.pool.zombie_grace > plan_.kill_delay && timeline_.now() >= trouble.frozen_until &&
                          timeline_.now() - trouble.frozen_until > plan_.kill_delay;
  if (is_noticed && !is_closing_) {
    record_.require(server_.sessions(number_) <= shot.taken(), "P2", "more sessions at the server than places here");
  }
}

void PoolShell::check_slots(Snapshot const& shot) {
  std::size_t leased = 0;
  std::array<std::uint32_t, slot_states> counted{};
  auto const width = core_.options().streams_per_connection;
  for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
    auto const& slot = *core_.slot(i);
    ++counted[static_cast<std::size_t>(slot.state)];
    if (slot.load == 0 && slot.state != SlotState::leased) continue;
    for (std::uint32_t ordinal = 0; ordinal < width; ++ordinal) {
      auto const& stream = slot.streams[ordinal];
      if (stream.state == Stream::State::free) continue;
      record_.require(slot.is_live(), "P3", "a stream in use on a connection that is not alive");
      record_.require(stream.state != Stream::State::returning, "P3", "a stream in nobody's hands");
      if (stream.state == Stream::State::leased) ++leased;
      if (stream.state != Stream::State::offered) continue;
      bool const is_mutual =
          stream.waiter != nullptr && stream.waiter->state() == WaiterState::offered && stream.waiter->is_resuming();
      record_.require(is_mutual, "P3", "an offered stream without its waiter");
    }
  }
  record_.require(counted == shot.slots, "P3", "places are miscounted");
  record_.require(leased == shot.leases, "P3", "leases are miscounted");
}

void PoolShell::check_progress(Snapshot const& shot) {
  if (shot.waiting == 0 || shot.is_paused || shot.is_closing) return;
  auto const* const head = core_.waiters().head();
  bool is_usable = false;
  for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
    auto const& slot = *core_.slot(i);
    if (slot.state == SlotState::testing) return;
    is_usable = is_usable || (slot.is_available && (head->request.kind != LeaseKind::exclusive || slot.load == 0));
  }
  // One that needs a test would be tested; one that needs none would have been offered.
  record_.require(!is_usable, "P6", "a waiter, a usable connection, and nothing is under way");
  record_.require(core_.next_timer() != time_point::max(), "P6", "a waiter, and the pool waits for nothing");
  // Who is refused a permission is told when to ask again, or that another attempt ended.
  bool const is_idle = shot.taken() == 0 && core_.refill() == Refill::normal && gate_.in_flight() == 0 &&
                       timeline_.now() - gate_.freed_at() > 10us;
  if (is_idle && shot.hard_limit > 0) {
    auto const patience = std::max(gate_.next_probe_at(), timeline_.now()) + 11s;
    record_.require(core_.next_timer() <= patience, "P6", "a waiter, room for a connection, and nobody opens it");
  }
}

/// P16, when a plan was made.
void PoolShell::check_expiries() {
  if (has_resized_ || !core_.options().max_lifetime) return;
  std::vector<time_point> planned;
  for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
    auto const& slot = *core_.slot(i);
    if (slot.is_live() && slot.expires_at > timeline_.now()) planned.push_back(slot.expires_at);
  }
  std::sort(planned.begin(), planned.end());
  for (std::size_t i = 1; i < planned.size(); ++i) {
    record_.require(planned[i] - planned[i - 1] >= core_.options().expiry_gap_or_derived(), "P16",
                    "two planned expiries in one gap");
  }
}

/// P7: nobody of the same lane who came earlier is left in the queue.
void PoolShell::check_offer(Ask const& ask) {
  auto const& lane = waiting_[static_cast<std::size_t>(ask.waiter.request.lane)];
  for (auto const& [arrival, earlier] : lane) {
    if (arrival >= ask.arrival) break;
    if (earlier->waiter.state() == WaiterState::queued) {
      return record_.violate("P7", "a waiter was served before an earlier one");
    }
  }
  record_.require(ask.borrower != nullptr, "P5", "a connection was handed to a waiter that had left");
}

void PoolShell::check_lending(Ask const& ask, Grant const& grant, Link const& link) {
  auto const now = timeline_.now();
  record_.require(!ask.deadline.expired(now), "P5", "a waiter that timed out became owner");
  record_.require(grant.generation == core_.generation(), "P13", "a lease of an older generation began");
  auto const& slot = *core_.slot(grant.slot.index);
  record_.require(now < slot.expires_at, "P9", "a connection was lent past its planned expiry");
  auto const lifetime = core_.options().max_lifetime;
  record_.require(!lifetime || now - slot.opened_at < *lifetime, "P9", "a connection was lent past its lifetime");
  record_.require(server_.awaited(link, grant.stream) == 0 || link.width > 1, "P9",
                  "a connection was lent in the middle of a query");
  record_.require(server_.awaited(link, grant.stream) <= 1, "P9", "a stream was lent in the middle of a query");
  check_expiries();
  if (link.session != Link::Session::alive) return;  // gone, and nobody has noticed yet
  auto const& stream = link.streams[grant.stream];
  record_.require(stream.inbox.empty() || link.width > 1, "P9", "the server still works for the last borrower");
  record_.require(!stream.in_transaction, "P9", "a connection was lent with an open transaction");
  record_.require(!stream.is_altered || grant.reset_first, "P10", "a borrower sees what another did to the session");
  for (auto const& [lease, holder] : holders_) {
    auto const index = static_cast<std::uint32_t>(lease >> 32U);
    if (slot_of_lease(index) != grant.slot.index) continue;
    LeaseHandle const other{index, static_cast<std::uint32_t>(lease)};
    if (!core_.holds(other)) continue;
    record_.require(other != grant.lease, "P3", "one lease has two owners");
    record_.require(ask.waiter.request.kind != LeaseKind::exclusive, "P3", "an exclusive lease shares its connection");
  }
}

void PoolShell::check_refusal(Ask const& ask) {
  auto const& waiter = ask.waiter;
  auto const refusal = waiter.refusal();
  record_.require(refusal != Refusal::none, "P21", "a refusal without a reason");
  if (refusal == Refusal::timed_out) {
    record_.require(ask.deadline.expired(timeline_.now()), "P8", "a waiter timed out before its deadline");
    // It is resumed within a step.
    record_.require(timeline_.now() - ask.deadline.at() <= plan_.step * 2 + plan_.timers_late, "P8",
                    "a waiter outlived its deadline");
    if (everybody_waited_ && !is_closing_) {
      record_.require(waiter.verdict() == Verdict::deadlock_suspected, "P22",
                      "a nested acquire died without being called a deadlock");
    }
  }
  bool const is_about_the_pool = refusal != Refusal::closed && refusal != Refusal::deadline_passed;
  if (is_about_the_pool && !is_closing_) {
    record_.require(waiter.verdict() != Verdict::none, "P21", "a refusal without a verdict");
  }
  if (ask.arrival % 16 != 0) return;  // composing the error takes much longer than all the rest
  auto const error = core_.error_for(waiter, timeline_.now());
  record_.require(!error.detail("reason").empty(), "P21", "an error without a cause");
}

bool PoolShell::every_holder_waits() const {
  auto const shot = core_.snapshot(timeline_.now());
  if (shot.leases == 0 || shot.in(SlotState::connecting) + shot.in(SlotState::initialising) > 0) return false;
  if (shot.is_paused || shot.is_closing) return false;
  for (auto const& [lease, holder] : holders_) {
    LeaseHandle const handle{static_cast<std::uint32_t>(lease >> 32U), static_cast<std::uint32_t>(lease)};
    if (!core_.holds(handle)) continue;
    bool waits = false;
    for (auto const& lane : waiting_) {
      for (auto const& [arrival, ask] : lane) {
        waits = waits || (ask->waiter.request.task == holder.task && ask->waiter.state() == WaiterState::queued);
      }
    }
    if (!waits) return false;
  }
  return true;
}

void PoolShell::check_calm() {
  auto const shot = core_.snapshot(timeline_.now());
  record_.require(shot.leases == 0 && shot.waiting == 0, "P4", "leases or waiters without clients");
  record_.require(waiting_[1].empty() && holders_.empty(), "P6", "a client is neither served nor refused");
  auto const spare = shot.taken() - shot.in(SlotState::zombie) + 1;  // one that expired is being replaced perhaps
  if (plan_.is_steady() && core_.refill() == Refill::normal) {
    if (spare * shot.streams_per_connection < shot.min_idle) {
      record_.violate("P17", "idle did not return to min_idle: " + std::to_string(spare) + " of " +
                                 std::to_string(shot.min_idle) + ", sessions " +
                                 std::to_string(server_.sessions(number_)) + "+" + std::to_string(server_.sessions(2)) +
                                 " of " + std::to_string(plan_.max_connections) + ", hard limit " +
                                 std::to_string(shot.hard_limit) + ", rate " +
                                 std::to_string(gate_.gate().snapshot().rate_per_second));
    }
  }
  for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
    auto const& slot = *core_.slot(i);
    record_.require(!slot.is_live() || slot.generation == core_.generation(), "P13",
                    "a connection of an older generation is still there");
  }
}

void PoolShell::check_end() {
  auto const shot = core_.snapshot(timeline_.now());
  record_.require(core_.is_closed(), "P19", "the drain is not over by its deadline");
  record_.require(shot.taken() == 0 && shot.leases == 0 && shot.waiting == 0, "P19", "something is left");
  record_.require(core_.next_timer() == time_point::max(), "P19", "a timer is left after the drain");
  record_.require(asks_.empty(), "P19", "a waiter was neither served nor refused");
  record_.require(server_.sessions(number_) == 0, "P19", "a session is left at the server");
  record_.require(shot.leases_given == given_, "metrics", "leases given are miscounted");
  record_.require(shot.leases_returned == returned_, "metrics", "leases returned are miscounted");
  record_.require(shot.withdrawn == withdrawn_, "metrics", "withdrawals are miscounted");
  record_.require(shot.refused == refused_, "metrics", "refusals are miscounted");
  record_.require(given_ + withdrawn_ <= arrivals_, "metrics", "more outcomes than acquires");
}

}  // namespace belay::simulation
