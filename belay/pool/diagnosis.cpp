#include "belay/pool/diagnosis.hpp"

#include <string>

#include "belay/core/duration.hpp"
#include "belay/core/enum_names.hpp"

namespace belay::pool {

namespace {

/// To the millisecond: "1s500ms".
std::string rounded(std::chrono::nanoseconds time) {
  if (time < std::chrono::nanoseconds::zero()) time = {};
  return Duration::from(std::chrono::duration_cast<std::chrono::milliseconds>(time)).to_string();
}

std::string counts(Snapshot const& pool) {
  std::string text = std::to_string(pool.taken()) + " of " + std::to_string(pool.hard_limit) + " connections (";
  std::string_view separator;
  for (auto const& [name, state] : enumerators_of<SlotState>) {
    if (state == SlotState::empty || pool.in(state) == 0) continue;
    text += std::string(separator) + std::to_string(pool.in(state)) + " " + std::string(name);
    separator = ", ";
  }
  return text + ")";
}

std::string told(Diagnosis::Holder const& holder) {
  std::string text = holder.label.empty() ? "unnamed" : "'" + holder.label + "'";
  if (*holder.where.file != '\0') {
    text += " at " + std::string(holder.where.file) + ":" + std::to_string(holder.where.line);
  }
  text += " for " + rounded(holder.held);
  if (!holder.statement.empty()) {
    text += holder.in_statement ? ", running '" : ", after '";
    text += holder.statement + "' for " + rounded(holder.doing_it_for);
  }
  if (holder.waits_for_another) text += ", waiting for another connection";
  return text;
}

}  // namespace

std::string_view explanation_of(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::none: return "nothing is known to be wrong";
    case Verdict::leak_suspected: return "a lease does nothing for far longer than leases are usually held";
    case Verdict::slow_queries: return "statements run much longer than usual";
    case Verdict::endpoint_down: return "no connection is alive and connecting fails";
    case Verdict::connect_refused_by_server: return "the server refuses further connections";
    case Verdict::undersized: return "the connections are lent for normal times, there are too few of them";
    case Verdict::deadlock_suspected: return "every task that holds a connection waits for another one";
    case Verdict::connecting: return "connections are still being opened";
    case Verdict::cleaning_up: return "places are kept by cancelled queries and closed sessions";
    case Verdict::paused: return "the pool is paused";
  }
  return "";
}

std::string Diagnosis::text() const {
  std::string text =
      std::string(enum_name(verdict)) + ": " + std::string(explanation_of(verdict)) + "; " + counts(pool);
  text += ", " + std::to_string(pool.waiting) + " waiting";
  if (pool.waiting > 0) text += ", the first for " + rounded(pool.oldest_wait);
  if (pool.hold_p99.count() > 0)
    text += "; held for " + rounded(pool.hold_p50) + " (p99 " + rounded(pool.hold_p99) + ")";
  if (pool.refill == Refill::min_idle_only) text += "; the breaker is open, nothing is opened for those who wait";
  if (pool.refill == Refill::none) text += "; the endpoint is reported down, nothing is opened";
  if (pool.is_recovering) text += "; recovering, next attempt in " + rounded(next_probe_in);
  std::string_view separator = "; held longest by ";
  for (auto const& holder : oldest) {
    text += std::string(separator) + told(holder);
    separator = ", by ";
  }
  separator = "; last connect failures: ";
  for (auto const& connect : connects) {
    text += std::string(separator) + connect.error.what() + " (" + rounded(connect.ago) + " ago)";
    separator = ", ";
  }
  return text;
}

}  // namespace belay::pool
