#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/core/random.hpp"
#include "belay/resilience/connect_gate.hpp"
#include "belay/resilience/connect_rate.hpp"

namespace belay::resilience {

/// How an endpoint is connected to and, after it went away, come back to. Recovery refuses what is out of range.
struct RecoveryOptions {
  std::uint32_t max_connecting = 4;  ///< attempts in progress at once, over all pools of the endpoint; 1 .. 1000
  /// Attempts per second while nothing is refused, with a burst of max_connecting; 0.001 .. 100 000. See ConnectRate
  /// for what refusals make of it.
  double connect_rate = 10;
  /// A failed attempt begins a recovery when none succeeded for this long; 1 ms .. 1 h.
  std::chrono::nanoseconds steady_for = std::chrono::seconds(5);
  /// The n-th probe in a row (from 0) waits a uniform part of min(probe_delay_max, probe_delay * 2^n); 1 ms .. 1 min.
  std::chrono::nanoseconds probe_delay = std::chrono::milliseconds(100);
  std::chrono::nanoseconds probe_delay_max = std::chrono::seconds(10);  ///< probe_delay .. 1 h
  /// Takes the place of probe_delay_max while the errors are `auth`; probe_delay_max .. 24 h.
  std::chrono::nanoseconds auth_probe_delay_max = std::chrono::seconds(30);
  /// How long a permanent failure is believed, doubling with each one in a row; 1 ms .. 1 h.
  std::chrono::nanoseconds denied_for = std::chrono::seconds(5);
  std::chrono::nanoseconds denied_for_max = std::chrono::minutes(1);  ///< denied_for .. 24 h
};

/// What an administrator or the diagnosis of an exhausted pool wants to know.
struct RecoverySnapshot {
  enum class Phase {
    untried,    ///< no attempt has ended yet
    steady,     ///< up to max_connecting attempts at once
    probing,    ///< recovery: one attempt at a time, with growing pauses, until one succeeds
    slow_start  ///< the endpoint is back or refuses some: 1, 2, 4, ... attempts at once
  };

  Phase phase = Phase::untried;
  std::uint64_t epoch = 0;               ///< counts the recoveries begun
  std::uint32_t failures_in_a_row = 0;   ///< attempts with a verdict since the last success; saturates
  std::optional<ErrorClass> last_error;  ///< of the latest of those
  ConnectGate::time_point failing_since = ConnectGate::time_point::max();  ///< max() while not probing
  ConnectGate::time_point next_probe_at = ConnectGate::time_point::min();  ///< min() while not probing
  /// Until when the last permanent failure is believed; min() when there was none since the last success.
  ConnectGate::time_point denied_until = ConnectGate::time_point::min();
  bool credentials_needed = false;  ///< ask the credential provider before the next attempt
  std::uint32_t in_flight = 0;
  std::uint32_t allowed_in_flight = 1;
  double rate_per_second = 0;
};

/// The name as it appears in logs, metrics and JSON: "slow_start".
std::string_view name_of(RecoverySnapshot::Phase) noexcept;

/// Decides when an endpoint may be connected to. Recovery is a state of its own, not "retry": a fleet that merely
/// retries keeps a server that comes back from coming back.
///
///     untried ── success ──> slow_start ── successes ──> steady
///        └─ failure ─> probing ── success ──> slow_start       steady, slow_start ── failure ──> slow_start
///     any ── failure while none succeeded for steady_for, a permanent failure, lost_all ──> probing
///
/// - probing: one attempt in flight over all pools, also while attempts of before are still under way; pauses with full
///   jitter.
/// - From the first success on 2, 4, ... attempts at once, each success doubling, each failure halving, never less than
///   one nor more than max_connecting.
/// - Every attempt takes a token of ConnectRate. Logins refused while others succeed make it slower.
/// - After steady idleness the first demand connects at once: the bucket is full and nothing else holds it back.
/// - A failure with the classes `capacity` or `cancelled` is our own and no verdict, like an abandoned attempt.
/// - A verdict from before the last recovery began only frees its place.
///
/// A permanent failure (bad password, unknown database, wrong certificate name, protocol version) is believed for
/// denied_for, doubling: until then no attempt is made and credentials_needed() tells the shell to ask the provider
/// first. So an endpoint is an address together with the credentials and the database: pools that differ in these need
/// gates of their own.
///
/// Pure state: no I/O, no clock, no lock, no allocation (SharedRecovery adds the lock). Every ticket must be handed
/// back exactly once; connect time-outs bound how long that takes. noexcept in effect, but for the constructor.
class Recovery final : public ConnectGate {
 public:
  /// Throws belay::Error(request) when an option is out of range.
  Recovery(RecoveryOptions const&, Random);

  Answer try_connect(time_point now) override;
  void connected(ConnectTicket, time_point now) override;
  void failed(ConnectTicket, ErrorClass, bool permanent, time_point now) override;
  void abandoned(ConnectTicket, time_point now) override;
  void lost_all(time_point now) override;

  bool is_recovering() const override { return phase_ == Phase::probing; }
  time_point next_probe_at() const override;
  time_point failing_since() const override { return failing_since_; }

  /// The last failure was permanent: ask the credential provider before the next attempt.
  bool credentials_needed() const noexcept { return credentials_needed_; }
  /// The credentials have changed, so the endpoint may be tried at once. To be told only when they differ from those
  /// that were refused; the next denial is longer all the same.
  void credentials_renewed(time_point now);

  RecoverySnapshot snapshot() const;

 private:
  using Phase = RecoverySnapshot::Phase;

  bool ends_current(ConnectTicket);
  void begin_probing(time_point now);
  void schedule_probe(time_point now);
  void deny(time_point now);
  void allow(std::uint32_t in_flight);

  RecoveryOptions options_;
  Random random_;
  ConnectRate rate_;
  Phase phase_ = Phase::untried;
  std::uint64_t epoch_ = 0;
  std::uint32_t in_flight_ = 0;
  std::uint32_t allowed_ = 1;  ///< one while untried or probing
  std::uint32_t failures_in_a_row_ = 0;
  std::uint32_t probes_failed_ = 0;
  std::uint32_t denials_in_a_row_ = 0;
  std::optional<ErrorClass> last_error_;
  std::optional<time_point> last_success_;
  bool credentials_needed_ = false;
  time_point failing_since_ = time_point::max();
  time_point next_probe_at_ = time_point::min();
  time_point denied_until_ = time_point::min();
};

}  // namespace belay::resilience
