#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "belay/core/deadline.hpp"
#include "belay/core/random.hpp"
#include "belay/testkit/applied_plan.hpp"
#include "belay/testkit/fault_plan.hpp"

namespace belay::testkit {

/// Decides what happens to one proxied connection: when it is opened to the target, how many bytes may pass when, and
/// how it ends.
///
/// Each direction is a line of bytes that have arrived and not yet passed. The shell reports what arrives and asks
/// next() what to do; it does that at once, reports it, and asks again until the answer is `wait`.
///
///     link.arrived(Direction::up, 100, now);
///     for (auto step = link.next(Direction::up, now); step.action == Action::pass; step = link.next(…))
///       link.passed(Direction::up, write(step.bytes), now);
///     …wait until step.at or until more arrives…
///
/// Pure state: no I/O, no clock, no lock, no bytes; the caller passes the time, never backwards, and serialises access.
class FaultyLink {
 public:
  using time_point = Deadline::time_point;

  enum class Action : std::uint8_t {
    wait,     ///< nothing to do before `at`, unless something arrives or the plan changes
    connect,  ///< opening() only: open the connection to the target
    pass,     ///< write at most `bytes` bytes to the receiver, by one write
    discard,  ///< drop `bytes` bytes: their direction has ended
    finish,   ///< end the direction in good order (FIN), then report finished()
    cut,      ///< close the whole connection in good order
    reset     ///< close the whole connection by a reset
  };

  struct Step {
    Action action = Action::wait;
    std::size_t bytes = 0;
    time_point at = time_point::max();
    /// What made it so: a rule's text, a command's name, "the client", "the target". Valid until the plan is replaced.
    std::string_view cause;
    bool is_by_peer = false;  ///< no fault of ours: a peer ended it
  };

  /// How a peer ended its direction.
  enum class Ending : std::uint8_t { in_order, reset };

  /// number    counted from 1 by the proxy
  /// random    the connection's own stream
  FaultyLink(std::uint64_t number, AppliedPlan plan, Random random, std::size_t buffer_bytes_max, time_point now);

  /// Replaces the plan: bytes that were held back by the old one's delays wait no longer than the new one would have
  /// them wait, and counts of bytes begin anew.
  void apply(AppliedPlan plan, time_point now);
  /// Ends the connection whatever the plan says, or makes nothing pass any more.
  void command(FaultKind, std::string_view cause);

  /// What to do before there is a connection to the target: wait, connect, cut or reset.
  [[nodiscard]] Step opening(time_point now);
  /// What to do next in a direction. Needs the connection to the target.
  [[nodiscard]] Step next(Direction, time_point now);

  void arrived(Direction, std::size_t bytes, time_point now);
  void ended(Direction, Ending, time_point now);
  /// bytes <= those of the last step `pass`; zero when the receiver took none.
  void passed(Direction, std::size_t bytes, time_point now);
  void discarded(Direction, std::size_t bytes);
  void finished(Direction);
  /// The receiver takes no more: what is left of the direction is to be discarded.
  void receiver_gone(Direction);

  /// How much more may be read from the direction's sender; 0: leave it where it is.
  std::size_t room(Direction) const noexcept;
  /// Both directions have ended and all has passed.
  bool is_over() const noexcept;
  /// The next instant at which some rule begins or ends to apply, as of the last question.
  time_point next_change() const noexcept { return next_change_; }
  std::uint64_t bytes_passed(Direction direction) const noexcept { return line_of(direction).passed; }

 private:
  struct Piece {
    std::size_t bytes;
    time_point arrived;
    time_point due;
  };
  struct Line {
    std::deque<Piece> pieces;
    std::size_t waiting = 0;  ///< bytes in pieces
    std::uint64_t arrived = 0;
    std::uint64_t passed = 0;
    std::optional<Ending> ending;  ///< the sender's
    time_point ending_due{};
    bool is_closed = false;  ///< towards the receiver
    time_point paid_until{};
    time_point next_fragment_at{};
    Random jitter;
    explicit Line(Random random) : jitter(random) {}
  };
  /// How a rule stands to this connection.
  struct RuleState {
    bool is_chosen = false;
    std::optional<std::uint64_t> occurrence;
    std::array<std::uint64_t, 2> passed_before{};  ///< bytes when it began to apply, by direction
    std::uint64_t events_before = 0;
  };
  /// What the rules in force allow one direction at this moment.
  struct Limits;

  Line& line_of(Direction direction) noexcept { return lines_[static_cast<std::size_t>(direction)]; }
  Line const& line_of(Direction direction) const noexcept { return lines_[static_cast<std::size_t>(direction)]; }
  void choose_rules();
  void look_at_the_time(time_point now);
  template <class Visit>
  void for_each_fault(Visit) const;
  std::optional<Step> end_of_connection() const;
  Limits limits_of(Direction) const;
  std::chrono::nanoseconds delay_of(Direction, Random*) const;
  std::uint64_t events() const noexcept;

  std::uint64_t number_;
  AppliedPlan plan_;
  Random random_;
  std::size_t buffer_bytes_max_;
  time_point opened_at_;
  std::vector<RuleState> states_;
  time_point next_change_ = time_point::min();  ///< until then states_ are right
  std::array<Line, 2> lines_;
  std::uint64_t endings_ = 0;
  std::optional<Step> commanded_end_;
  bool commanded_blackhole_ = false;
  std::optional<std::uint64_t> forgotten_at_;  ///< events() at the command `forget`
  std::string_view forget_cause_;
};

}  // namespace belay::testkit
