#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::testkit {

/// Which way bytes travel through the proxy.
enum class Direction : std::uint8_t {
  up,   ///< from the client to the target
  down  ///< from the target to the client
};

std::string_view name_of(Direction) noexcept;

/// What can go wrong. FaultPlan tells how each is written and what it does.
enum class FaultKind : std::uint8_t {
  latency,
  jitter,
  bandwidth,
  fragment,
  gap,
  cut,
  rst,
  half_close,
  stall,
  blackhole,
  forget,
  hold,
  refuse,
  accept_delay,
  accept_rate,
  accept_limit
};

/// The fault's name as plans spell it: "half_close".
std::string_view name_of(FaultKind) noexcept;

/// One fault with its figures; those that its kind does not use are zero.
struct Fault {
  FaultKind kind = FaultKind::latency;
  bool up = true;    ///< afflicts bytes from the client to the target
  bool down = true;  ///< afflicts bytes from the target to the client
  /// latency, jitter, gap, accept_delay: that long; accept_rate, accept_limit: from one connection to the next.
  std::chrono::nanoseconds duration{};
  /// fragment: at most so many at once; cut, rst, half_close, stall: after so many; bandwidth: so many in a second.
  std::uint64_t bytes = 0;

  bool afflicts(Direction direction) const noexcept { return direction == Direction::up ? up : down; }
};

/// Faults that come and go together, and whom they afflict.
struct FaultRule {
  std::vector<Fault> faults;
  double probability = 1;                                                     ///< in [0, 1], of a connection
  std::uint64_t first_connection = 1;                                         ///< the proxy counts from 1
  std::uint64_t last_connection = std::numeric_limits<std::uint64_t>::max();  ///< >= first_connection
  std::chrono::nanoseconds begins_after{};                                    ///< since the plan was applied
  std::optional<std::chrono::nanoseconds> lasts;                              ///< none: until the plan goes
  std::optional<std::chrono::nanoseconds> period;                             ///< > lasts; none: once
  std::string text;                                                           ///< as it was written

  /// Which time the rule applies, counted from 0, at this time since the plan was applied; none while it does not.
  std::optional<std::uint64_t> occurrence(std::chrono::nanoseconds since_plan) const noexcept;
  /// When that answer changes next, later than since_plan; nanoseconds::max() when it never does.
  std::chrono::nanoseconds next_change(std::chrono::nanoseconds since_plan) const noexcept;
  bool concerns(std::uint64_t connection) const noexcept {
    return connection >= first_connection && connection <= last_connection;
  }
  bool concerns_all() const noexcept {
    return first_connection == 1 && last_connection == std::numeric_limits<std::uint64_t>::max() && probability >= 1;
  }
};

/// What goes wrong with the connections through a proxy, when, and for whom: a value, parsed from a compact text.
///
///     latency=20ms jitter=10ms
///     cut=1024:down connection=1; accept_rate=50/s
///     blackhole=up at=5s for=2s every=1m; latency=1s p=0.05
///
/// A plan is rules separated by `;`, a rule is words separated by blanks; "none", or nothing, is the plan without
/// faults. Rules apply together: delays add up, the smallest bandwidth and fragment win, what ends a connection first
/// ends it. A word is a fault, `name=value:direction`, or says whom and when its rule afflicts. Without a direction
/// (`up`: client to target, `down`: target to client) a fault afflicts both, each on its own account.
///
/// | fault | what it does |
/// |---|---|
/// | latency=20ms | each byte arrives that much later: a round trip takes twice as long. Order is kept |
/// | jitter=10ms | adds to the latency, drawn anew for each piece, uniform in [0, 10ms] |
/// | bandwidth=64KiB/s | bytes pass no faster |
/// | fragment=1 gap=1ms | bytes are passed on one at a time, a millisecond apart; without a gap the receiver's kernel
///   may join them again |
/// | cut=1024:up | closes the connection in good order, both ways, when 1024 bytes have passed; `cut`: at once |
/// | rst=100:down | resets both sides (ECONNRESET) when 100 bytes have passed; `rst`: at once |
/// | half_close=500:down | ends that direction in good order after 500 bytes and drops what follows; the other goes on
/// | | stall=100:down | after 100 bytes nothing more passes, the end neither; nobody is told | | blackhole=both |
/// nothing passes (also up, down). What was held back passes when the rule ends, as retransmissions do | | forget |
/// nothing passes; the next byte or end from either side is answered by a reset, as by a peer that has
///   rebooted |
/// | hold | connections are accepted and left unanswered, the target sees nothing of them |
/// | refuse | connecting fails (ECONNREFUSED). With p= or connection= the connection is accepted and reset instead |
/// | accept_delay=1s | the target sees a new connection that much later |
/// | accept_rate=5/s | connections are taken at that pace, evenly spaced, and wait for it (also 30/m) |
/// | accept_limit=5/s | the same pace, but those that come too early are reset |
///
/// | word | whom and when |
/// |---|---|
/// | p=0.1 | each connection with this probability, decided once by the proxy's seed |
/// | connection=3, 3-5, 3- | connections by number, counted from 1 since the proxy's start |
/// | at=5s | from then on, counted from when the plan was applied |
/// | for=2s | that long |
/// | every=1m | again and again: from one begin to the next |
///
/// Bytes of cut, rst, half_close and stall are those passed since the rule began to apply to the connection, so that
/// a plan applied to a live connection may break its next reply. Sizes: 10, 10B, 64KiB, 1MiB, 1GiB, 64kB, 1MB, 1GB.
/// Durations: 500ms, 2s, 1m30s (units h, m, s, ms, us, ns).
///
/// Immutable, copied cheaply enough, thread-safe like any value.
class FaultPlan {
 public:
  static constexpr std::size_t rules_max = 64;

  /// No faults.
  FaultPlan() = default;
  /// Error(request) whose sentence names what is wrong, its column, and what would be right.
  static FaultPlan parse(std::string_view text);

  std::vector<FaultRule> const& rules() const noexcept { return rules_; }
  bool empty() const noexcept { return rules_.empty(); }
  /// parse() reads it back as an equal plan: "latency=20ms; cut=10:up", "none".
  std::string to_string() const;

 private:
  std::vector<FaultRule> rules_;
};

}  // namespace belay::testkit
