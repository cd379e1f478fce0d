#include <algorithm>

#include "belay/pool/pool_core.hpp"
#include "belay/pool/saturating_time.hpp"

// What becomes of a connection that comes back.

namespace belay::pool {

Stream const* PoolCore::find_stream(LeaseHandle lease) const noexcept {
  auto const ordinal = ordinal_of_lease(lease.index);
  if (slot_of_lease(lease.index) >= slots_.size() || ordinal >= width_) return nullptr;
  auto const& stream = slots_[slot_of_lease(lease.index)].streams[ordinal];
  return stream.version == lease.version ? &stream : nullptr;
}

Stream* PoolCore::find_leased(LeaseHandle lease) noexcept {
  auto* const stream = const_cast<Stream*>(find_stream(lease));
  return stream != nullptr && stream->state == Stream::State::leased ? stream : nullptr;
}

Stream* PoolCore::find_cleaning(LeaseHandle lease) noexcept {
  auto* const stream = const_cast<Stream*>(find_stream(lease));
  if (stream == nullptr) return nullptr;
  bool const is_cleaning = stream->state == Stream::State::resetting || stream->state == Stream::State::quarantined;
  return is_cleaning ? stream : nullptr;
}

PoolCore::StreamList& PoolCore::list_of(Stream const& stream) noexcept {
  if (stream.term == LeaseTerm::lasting) return lasting_;
  return stream.is_overdue ? overdue_ : leases_;
}

void PoolCore::end_lease(Stream& stream, time_point now) noexcept {
  list_of(stream).remove(stream);
  if (stream.term == LeaseTerm::brief) hold_.add(now - stream.since);
  stream.is_overdue = false;
  stream.state = Stream::State::returning;
  --lease_count_;
}

/// A lease came back with more to it than "clean": decided by what the connection is like, then by what its failure
/// says about others.
void PoolCore::give_back(Stream& stream, Release how, time_point now) noexcept {
  auto& slot = *stream.slot;
  auto const generation = slot.generation;
  bool const is_dead =
      how.condition == ReleaseCondition::broken || how.signal == Signal::transport || how.signal == Signal::tls;
  if (how.signal != Signal::nothing) slot.retirement = CloseReason::tainted;
  // The end of a session undoes what it changed, if nobody else uses the connection.
  bool const closes_anyway = slot.load <= (stream.kind == LeaseKind::exclusive ? width_ : 1) &&
                             reason_to_close(slot, now) != CloseReason::none;

  if (how.condition == ReleaseCondition::transaction_open) {
    note(PoolEvent::Kind::transaction_left_open, stream, now, now - stream.since);
  }
  if (is_dead) {
    drop(slot, CloseReason::broken, now);
  } else if (how.condition == ReleaseCondition::mid_query) {
    if (options_.cancel == CancelBy::nothing) {
      drop(slot, CloseReason::clean_up_failed, now);
    } else {
      clean_up(stream, PendingWork::quarantine, now);
    }
  } else if (how.condition == ReleaseCondition::transaction_open && !closes_anyway) {
    clean_up(stream, PendingWork::rollback, now);
  } else if (how.condition == ReleaseCondition::session_changed && !closes_anyway &&
             options_.reset == ResetMode::immediate) {
    clean_up(stream, PendingWork::reset, now);
  } else {
    stream.reset_first = how.condition == ReleaseCondition::session_changed;
    touch(slot, now);
    free_stream(stream);
    settle(slot, now);
  }
  heed(how.signal, generation, now);
}

/// The lease ends although its holder has not returned it.
void PoolCore::revoke(Stream& stream, CloseReason reason, time_point now) noexcept {
  note(PoolEvent::Kind::lease_revoked, stream, now, now - stream.since, reason);
  end_lease(stream, now);
  ++leases_destroyed_;
  if (phase_ != Phase::open) ++drain_.leases_revoked;
}

void PoolCore::clean_up(Stream& stream, PendingWork work, time_point now) noexcept {
  auto& slot = *stream.slot;
  --slot.lent;
  if (work == PendingWork::quarantine) {
    stream.state = Stream::State::quarantined;
    stream.may_cancel = may_cancel(stream, now);
    ++slot.quarantined;
  } else {
    stream.state = Stream::State::resetting;
    ++resetting_streams_;
  }
  stream.active_at = now;
  stream.since = later(now, options_.quarantine_timeout);
  cleaning_.push_back(stream);
  want(stream, work);
  update_state(slot);
}

/// Not in any list afterwards, and still not free.
void PoolCore::end_clean_up(Stream& stream, bool kept, time_point now) noexcept {
  cleaning_.remove(stream);
  want_nothing(stream);
  return_cancel_ticket(stream, now);
  if (stream.state == Stream::State::quarantined) {
    --stream.slot->quarantined;
  } else {
    --resetting_streams_;
  }
  ++stream.slot->lent;  // free_stream() expects it among them
  note(PoolEvent::Kind::clean_up_ended, stream, now, now - stream.active_at, CloseReason::none, kept ? 1 : 0);
}

/// A cancel request on a socket of its own is a connect like any other to the server.
bool PoolCore::may_cancel(Stream& stream, time_point now) noexcept {
  if (options_.cancel != CancelBy::separate_socket) return true;
  if (!cancels_.try_take(now)) return false;
  auto const ticket = gate_.try_connect(now).ticket;
  if (!ticket) return false;
  if (ticket->is_probe) {  // a cancel request proves nothing about logging in
    gate_.abandoned(*ticket, now);
    return false;
  }
  stream.cancel_ticket = ticket;
  return true;
}

void PoolCore::return_cancel_ticket(Stream& stream, time_point now) noexcept {
  if (stream.cancel_ticket) gate_.abandoned(*std::exchange(stream.cancel_ticket, std::nullopt), now);
}

void PoolCore::free_stream(Stream& stream) noexcept {
  auto& slot = *stream.slot;
  make_unavailable(slot);
  auto const width = stream.kind == LeaseKind::exclusive ? width_ : 1;
  slot.free_streams |= std::uint64_t{1} << stream.ordinal;
  if (stream.kind == LeaseKind::exclusive) slot.free_streams = ~std::uint64_t{0} >> (64 - width_);
  slot.load = static_cast<std::uint8_t>(slot.load - width);
  --slot.lent;
  stream.state = Stream::State::free;
  ++stream.version;
}

void PoolCore::cleaned(LeaseHandle lease, time_point now, Actions& actions) {
  auto* const stream = find_cleaning(lease);
  if (stream == nullptr) return;
  auto& slot = *stream->slot;
  end_clean_up(*stream, true, now);
  touch(slot, now);
  free_stream(*stream);
  settle(slot, now);
  dispatch(now);
  flush(actions);
}

void PoolCore::clean_up_failed(LeaseHandle lease, Signal signal, time_point now, Actions& actions) {
  auto* const stream = find_cleaning(lease);
  if (stream == nullptr) return;
  auto const generation = stream->slot->generation;
  drop(*stream->slot, CloseReason::clean_up_failed, now);
  heed(signal, generation, now);
  dispatch(now);
  flush(actions);
}

void PoolCore::cancel_ended(LeaseHandle lease, time_point now, Actions& actions) {
  auto* const stream = find_cleaning(lease);
  if (stream == nullptr) return;
  return_cancel_ticket(*stream, now);
  dispatch(now);
  flush(actions);
}

}  // namespace belay::pool
