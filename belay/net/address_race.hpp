#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/net/family_memory.hpp"

namespace belay::net {

/// Which of a host's addresses may be used.
enum class FamilyChoice {
  automatic,  ///< both; the family that last won goes first
  ipv4,
  ipv6
};

/// How the addresses of one host are tried. Checked by AddressRace: a value out of range is Error(request).
struct RaceOptions {
  FamilyChoice family = FamilyChoice::automatic;
  /// Between the starts of two attempts; one that fails starts the next at once. 10 ms…2 s.
  std::chrono::nanoseconds stagger = std::chrono::milliseconds(250);
  /// For one address, from its start to its verdict, the hello included. 1 s…10 min: a busy but healthy server may take
  /// hundreds of milliseconds to accept, and a shorter time would declare it dead.
  std::chrono::nanoseconds attempt_timeout = std::chrono::seconds(10);
  /// How long a connected address may take over its hello before the next address is tried beside it. 1 s…10 min:
  /// a login that is merely slow should not cost the server a second session.
  std::chrono::nanoseconds hello_patience = std::chrono::seconds(2);
};

/// Error(request) that names the first option out of its range, and the range.
void validate(RaceOptions const&);

/// One address of a host; `text` is how it is told and recognised: "[::1]:5432".
struct RaceAddress {
  AddressFamily family = AddressFamily::ipv4;
  std::string text;
};

/// Decides which addresses of a host are tried, when, and which connection is kept: "happy eyeballs".
///
///     waiting ── start ──> connecting ── connected ──> greeting ── accepted ──> won
///                              └── failed, too late ──────┴── rejected, too late ──> failed
///
/// The families alternate, beginning with the one that won lately, else with that of the resolver's first address. An
/// attempt begins `stagger` after the one before, or at once when one fails. With Hello::required an address that has
/// connected is not yet good: TLS or the protocol must still accept it. Meanwhile nothing else is tried, for
/// `hello_patience`; attempts that had not connected are put back. The first to be good wins; all others are cancelled,
/// and so is one that connects too late.
///
/// Pure state: no I/O, no clock, no lock. Call begin() once; after every call perform next_action() until there is
/// none, and call tick() at wake_at().
///
/// Source: RFC 8305, sections 4, 5 and 8. Its separate A and AAAA queries (section 3) are the resolver's affair.
class AddressRace {
 public:
  using time_point = Deadline::time_point;
  enum class Hello { none, required };

  struct Action {
    enum class Kind {
      start,   ///< connect to `address`, and report as `attempt`
      cancel,  ///< give `attempt` up and close its socket, connected or not; reports of it are ignored from now on
      won,     ///< keep the connection of `attempt`; nothing follows but cancellations
      lost     ///< failure() says why; nothing follows but cancellations of attempts that connect too late
    };
    Kind kind = Kind::start;
    std::size_t attempt = 0;  ///< counts the starts; no meaning with `lost`
    std::size_t address = 0;  ///< index into the addresses given; no meaning with `lost`
  };

  /// `target` is the host as the caller knows it, for the sentence of a failure: "db.example.com:5432". `memory` must
  /// outlive the race.
  AddressRace(std::string target, std::vector<RaceAddress> addresses, RaceOptions, Hello, FamilyMemory& memory,
              Deadline);

  void begin(time_point now);
  void tick(time_point now);
  /// What became of an attempt. Of one that was cancelled everything is ignored, but a connection is told to be closed.
  void connected(std::size_t attempt, time_point now);
  void failed(std::size_t attempt, Error reason, time_point now);
  /// The verdict on a connected one, with Hello::required.
  void accepted(std::size_t attempt, time_point now);
  void rejected(std::size_t attempt, Error reason, time_point now);
  /// The caller wants no connection any more: cancels all, and is lost with Error(cancelled). Nothing once it is over.
  void abandon();

  std::optional<Action> next_action();
  /// The instant at which tick() is due; never() when only a report can change anything.
  Deadline wake_at() const noexcept;
  bool is_over() const noexcept { return is_over_; }

  /// After `lost`: one sentence that names every address and what happened to it, the same as details, all never_sent.
  ///
  /// Class transport, or that of the last address that connected and was then rejected (it tells more than those that
  /// could not be reached), timeout_local at the deadline, cancelled after abandon(). The engine's code is that of the
  /// same address, or of the last that failed.
  Error failure() const;

 private:
  enum class State { connecting, greeting, won, failed, cancelled };
  enum class Ending { none, exhausted, deadline, abandoned };
  struct Attempt {
    std::size_t address;
    State state;
    time_point started_at;
    time_point connected_at;
  };

  void line_up(time_point now);
  void advance(time_point now);
  void start_next(time_point now);
  void put_back_connecting();
  void fail(std::size_t attempt, Error reason, time_point now);
  void win(std::size_t attempt, time_point now);
  void lose(Ending);
  void cancel(std::size_t attempt);
  bool is_active(Attempt const&) const noexcept;
  bool has_active() const noexcept;
  time_point held_until() const noexcept;
  time_point times_out_at(Attempt const&) const noexcept;
  std::string fate_of(std::size_t address) const;
  bool needs_ipv6_that_is_missing() const;

  std::string target_;
  std::vector<RaceAddress> addresses_;
  RaceOptions options_;
  Hello hello_;
  FamilyMemory& memory_;
  Deadline deadline_;
  std::deque<std::size_t> waiting_;
  std::vector<Attempt> attempts_;
  std::vector<std::optional<Error>> fates_;   ///< by address: why it was of no use
  std::optional<std::size_t> last_rejected_;  ///< addresses
  std::optional<std::size_t> last_failed_;
  std::deque<Action> actions_;
  time_point next_start_at_{};
  bool is_over_ = false;
  Ending ending_ = Ending::none;
};

/// Whether an address could not be reached at all, by the system's code in Error::engine_code: no route, no such
/// family.
bool is_unreachable(Error const&) noexcept;

}  // namespace belay::net
