#include <algorithm>
#include <array>
#include <string>

#include "belay/core/duration.hpp"
#include "belay/core/enum_names.hpp"
#include "belay/pool/pool_core.hpp"

// What the pool tells about itself.

namespace belay::pool {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t holders_told = 5;

ErrorClass class_of(Refusal refusal, std::optional<Error> const& cause) {
  switch (refusal) {
    case Refusal::closed: return ErrorClass::request;
    case Refusal::deadline_passed:
    case Refusal::timed_out:
    case Refusal::budget_too_small: return ErrorClass::timeout_local;
    case Refusal::queue_full:
    case Refusal::predicted_wait: return ErrorClass::capacity;
    case Refusal::endpoint_down:
    case Refusal::connect_failed: return cause ? cause->error_class() : ErrorClass::transport;
    case Refusal::none: break;
  }
  return ErrorClass::cancelled;
}

std::string_view sentence_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::closed: return "the pool is closed";
    case Refusal::deadline_passed: return "the deadline had passed before a connection was asked for";
    case Refusal::timed_out: return "no connection became free before the deadline";
    case Refusal::budget_too_small: return "a connection became free too late to be of use before the deadline";
    case Refusal::queue_full: return "too many callers wait for a connection already";
    case Refusal::predicted_wait: return "the wait for a connection would most likely outlast the deadline";
    case Refusal::endpoint_down: return "the endpoint is down: no connection is left and none can be made";
    case Refusal::connect_failed: return "connecting cannot succeed as configured";
    case Refusal::none: break;
  }
  return "the caller gave up waiting for a connection";
}

}  // namespace

std::uint32_t PoolCore::live() const noexcept {
  return in(SlotState::idle) + in(SlotState::testing) + in(SlotState::leased) + in(SlotState::resetting) +
         in(SlotState::quarantined);
}

template <class Visit>
void PoolCore::for_each_lease(Visit visit) const {
  for (auto const* list : {&overdue_, &leases_, &lasting_}) {
    for (auto* lease = list->front(); lease != nullptr; lease = StreamList::next(*lease)) visit(*lease);
  }
}

Snapshot PoolCore::snapshot(time_point now) const noexcept {
  Snapshot shot;
  shot.slots = counts_;
  shot.max_size = options_.max_size;
  shot.hard_limit = options_.hard_limit();
  shot.streams_per_connection = width_;
  shot.min_idle = options_.min_idle;
  shot.generation = generation_;
  shot.waiting = queue_.size();
  shot.waiters_limit = options_.waiters_limit();
  if (!queue_.empty()) shot.oldest_wait = now - queue_.oldest();
  shot.leases = lease_count_;
  shot.leases_given = leases_given_;
  shot.leases_returned = leases_returned_;
  shot.leases_destroyed = leases_destroyed_;
  shot.granted_at_once = granted_at_once_;
  shot.withdrawn = withdrawn_;
  shot.refused = refused_;
  shot.connects_started = connects_started_;
  shot.connects_succeeded = connects_succeeded_;
  shot.connects_failed = connects_failed_;
  shot.tests_failed = tests_failed_;
  shot.closed = closed_;
  shot.leak_warnings = leak_warnings_;
  shot.generations_bumped = generations_bumped_;
  shot.events_dropped = events_.dropped();
  shot.hold_mean = hold_.mean();
  shot.hold_p50 = hold_.p50();
  shot.hold_p99 = hold_.p99();
  shot.refill = refill_;
  shot.health = health_;
  shot.is_paused = paused_;
  shot.is_recovering = gate_.is_recovering();
  shot.is_down = phase_ == Phase::open && is_down(now);
  shot.is_closing = phase_ != Phase::open;
  return shot;
}

bool PoolCore::is_waiting(std::uint64_t task, Waiter const* refused) const noexcept {
  if (refused != nullptr && refused->request.task == task) return true;
  bool found = false;
  queue_.for_each([&](Waiter const& waiter) { found = found || waiter.request.task == task; });
  return found;
}

/// Whether no lease can come back, because whoever holds one waits for another.
bool PoolCore::every_holder_waits(Waiter const* refused) const noexcept {
  if (leases_.empty() && overdue_.empty()) return false;
  if (opening() > 0) return false;
  bool all = true;
  for_each_lease([&](Stream const& lease) {
    bool const may_come_back = lease.term == LeaseTerm::brief;
    all = all && (!may_come_back || (lease.task != 0 && is_waiting(lease.task, refused)));
  });
  return all;
}

bool PoolCore::has_leak(time_point now) const noexcept {
  auto const unusual =
      hold_.is_known() ? std::max<duration>(10 * hold_.p99(), 1s) : options_.leak_warn_after.value_or(30s);
  bool found = false;
  for_each_lease([&](Stream const& lease) {
    found = found || (lease.term == LeaseTerm::brief && !lease.in_statement && now - lease.active_at > unusual);
  });
  return found;
}

/// Whether half of the leases run a statement for longer than nearly all leases were held before.
bool PoolCore::are_statements_slow(time_point now) const noexcept {
  auto const unusual = hold_.is_known() ? std::max(hold_.p99(), 4 * hold_.p50()) : duration(1s);
  std::size_t slow = 0;
  for_each_lease([&](Stream const& lease) { slow += lease.in_statement && now - lease.active_at > unusual ? 1 : 0; });
  return slow > 0 && 2 * slow >= lease_count_;
}

Verdict PoolCore::judge(time_point now, Waiter const* refused) const noexcept {
  if (phase_ != Phase::open) return Verdict::none;
  if (paused_) return Verdict::paused;
  if (live() == 0 && (last_connect_failed_ || gate_.is_recovering() || refill_ == Refill::none)) {
    return Verdict::endpoint_down;
  }
  if (every_holder_waits(refused)) return Verdict::deadlock_suspected;
  if (last_connect_failed_ && in_service() - opening() < options_.hard_limit()) {
    return Verdict::connect_refused_by_server;
  }
  if (has_leak(now)) return Verdict::leak_suspected;
  if (are_statements_slow(now)) return Verdict::slow_queries;
  auto const cleaning = in(SlotState::quarantined) + in(SlotState::closing) + in(SlotState::zombie);
  if (2 * cleaning >= taken_ && cleaning > 0) return Verdict::cleaning_up;
  bool const is_used_up = 10 * lease_count_ > std::size_t{9} * options_.hard_limit() * width_;
  if (!is_used_up && opening() > 0) return Verdict::connecting;
  return Verdict::undersized;
}

Diagnosis PoolCore::diagnose(time_point now) const {
  Diagnosis diagnosis;
  diagnosis.pool = snapshot(now);
  diagnosis.verdict = judge(now, nullptr);
  if (gate_.is_recovering()) diagnosis.next_probe_in = std::max<duration>(gate_.next_probe_at() - now, 0ns);
  for (auto const& failure : failed_connects_) {
    if (failure.error) diagnosis.connects.push_back({*failure.error, now - failure.at});
  }
  std::vector<Stream const*> leases;
  for_each_lease([&](Stream const& lease) { leases.push_back(&lease); });
  auto const told = std::min(leases.size(), holders_told);
  std::partial_sort(leases.begin(), leases.begin() + static_cast<std::ptrdiff_t>(told), leases.end(),
                    [](Stream const* a, Stream const* b) { return a->since < b->since; });
  leases.resize(told);
  for (auto const* lease : leases) {
    Diagnosis::Holder holder;
    holder.label = lease->label;
    holder.where = lease->where;
    holder.held = now - lease->since;
    holder.statement = lease->statement;
    holder.doing_it_for = now - lease->active_at;
    holder.in_statement = lease->in_statement;
    holder.waits_for_another = lease->task != 0 && is_waiting(lease->task, nullptr);
    diagnosis.oldest.push_back(std::move(holder));
  }
  return diagnosis;
}

Error PoolCore::error_for(Waiter const& waiter, time_point now) const {
  auto const refusal = waiter.refusal_;
  std::string message(sentence_of(refusal));
  Error::Details details = {{"reason", std::string(enum_name(refusal))}};
  bool const is_about_the_pool = refusal != Refusal::none && refusal != Refusal::closed;
  if (waiter.cause_) message += ": " + std::string(waiter.cause_->what());
  if (is_about_the_pool) {
    auto diagnosis = diagnose(now);
    diagnosis.verdict = waiter.verdict_;
    message += "; " + diagnosis.text();
    details.emplace_back("verdict", enum_name(waiter.verdict_));
  }
  if (!waiter.request.label.empty()) details.emplace_back("label", waiter.request.label);
  return Error(class_of(refusal, waiter.cause_), SendState::never_sent, std::move(message),
               waiter.cause_ ? waiter.cause_->engine_code() : std::string(), std::move(details));
}

void PoolCore::note(PoolEvent::Kind kind, Stream const& stream, time_point now, duration took, CloseReason reason,
                    std::uint64_t number) noexcept {
  PoolEvent event;
  event.kind = kind;
  event.close_reason = reason;
  event.at = now;
  event.slot = stream.slot->handle();
  event.lease = stream.handle();
  event.duration = took;
  event.number = number;
  event.label = stream.label;
  event.where = stream.where;
  events_.push(event);
}

}  // namespace belay::pool
