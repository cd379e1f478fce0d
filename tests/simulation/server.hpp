#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "belay/core/random.hpp"
#include "belay/pool/pool_core.hpp"
#include "belay/resilience/retry.hpp"
#include "plan.hpp"
#include "record.hpp"

namespace belay::simulation {

/// Who opened a connection: a pool by its number, or the health monitor.
inline constexpr std::uint32_t health_owner = 2;
inline constexpr std::size_t owners = 3;
inline constexpr std::size_t streams_most = 8;

struct Request {
  enum class Kind : std::uint8_t { read, write, begin, commit, rollback, reset, ping };
  Kind kind = Kind::ping;
  std::uint64_t nonce = 0;  ///< unique; the reply carries it
  std::uint32_t stream = 0;
  std::uint64_t unit = 0;  ///< whose effect it has
  bool alters_session = false;
  std::uint64_t lease = 0;  ///< which borrowing sent it; 0: the pool itself
};

struct Reply {
  std::uint64_t nonce = 0;
  std::optional<resilience::Failure> failure;
};

/// One connection: the client's end, the way, and the session at the server. It is never destroyed during a run, so
/// that late messages find it.
struct Link {
  /// nullptr for the reply: the connection was lost first.
  using Handler = std::function<void(Reply const*)>;
  struct Expected {
    std::uint64_t nonce = 0;
    std::uint32_t stream = 0;
    Handler handler;  ///< empty: nobody wants it any more
  };
  struct Stream {
    bool in_transaction = false;
    bool is_altered = false;
    std::uint64_t staged = 0;   ///< the unit whose effect the transaction has
    std::deque<Request> inbox;  ///< the first is being executed
  };
  enum class Session : std::uint8_t { none, alive, ended };

  std::uint32_t owner = 0;
  pool::SlotHandle slot;
  std::uint32_t width = 1;

  bool is_open = true;
  std::vector<Expected> expected;
  std::function<void()> lost;  ///< the client notices that the connection is gone
  time_point to_server{};      ///< when the last message arrives
  time_point to_client{};

  Session session = Session::none;
  std::array<Stream, streams_most> streams;
};

/// A database server and the network before it. It knows what really happened: sessions, effects, session states.
class Server {
 public:
  /// What is wrong at the moment, set by the faults under way.
  struct Trouble {
    bool is_dead = false;
    bool refuses = false;
    bool is_read_only = false;
    bool rejects_password = false;
    std::uint32_t login_capacity = 0;  ///< 0: the plan's
    double slowness = 1;
    double delay = 1;
    double conflicts = 0;
    double errors = 0;
    double lost_answers = 0;
    time_point frozen_until{};
    time_point hole_until{};
  };
  struct LoginFailure {
    resilience::Failure failure;
    bool permanent = false;
    bool refused = false;  ///< the connection itself
  };
  using Login = std::function<void(std::optional<LoginFailure> const&)>;

  Server(Plan const&, Timeline&, Record&, Random);

  // ── the client's end ───────────────────────────────────────────────────────────────────────────────────────────
  Link& open(std::uint32_t owner, pool::SlotHandle, std::uint32_t width);
  /// Answers `login` once, unless the link is closed before.
  void log_in(Link&, Login login);
  /// False, and nothing is sent, on a link that is closed.
  bool send(Link&, Request, Link::Handler);
  /// Nobody wants the reply any more.
  void forget(Link&, std::uint64_t nonce);
  /// How many replies of the stream are still to come.
  std::size_t awaited(Link const&, std::uint32_t stream) const;
  /// Says good-bye; `gone` when the server has ended the session.
  void part(Link&, std::function<void()> gone);
  /// Closes the client's end without a word.
  void abandon(Link&);
  /// Stops what runs on the stream, by a socket of its own or in band; `ended` when the request is dealt with. Only
  /// what that borrowing sent may be hit (P12).
  void cancel(Link&, std::uint32_t stream, std::uint64_t lease, std::function<void()> ended);

  // ── faults ─────────────────────────────────────────────────────────────────────────────────────────────────────
  Trouble trouble;
  void kill_all();
  void reset(Link&);
  std::vector<std::unique_ptr<Link>> const& links() const noexcept { return links_; }

  // ── the truth ──────────────────────────────────────────────────────────────────────────────────────────────────
  std::uint32_t sessions(std::uint32_t owner) const noexcept { return sessions_[owner]; }
  std::uint32_t effects(std::uint64_t unit) const noexcept { return unit < effects_.size() ? effects_[unit] : 0; }
  std::uint64_t new_unit() {
    effects_.push_back(0);
    return effects_.size() - 1;
  }
  std::uint64_t new_nonce() noexcept { return ++nonces_; }
  std::uint64_t calls() const noexcept { return calls_; }
  /// Told when a session has ended.
  std::function<void(Link&)> session_ended;

 private:
  duration latency();
  time_point arrival(time_point& last);
  void to_server(Link&, std::function<void()> arrives);
  void to_client(Link&, std::function<void()> arrives);
  void receive(Link&, Request const&);
  void start(Link&, std::uint32_t stream);
  void finish(Link&, std::uint32_t stream, std::uint64_t nonce);
  std::optional<resilience::Failure> execute(Link&, Link::Stream&, Request const&);
  std::optional<resilience::Failure> refusal(Request const&);
  void take_effect(std::uint64_t unit);
  void answer(Link&, Reply const&);
  void deliver(Link&, Reply const&);
  void begin_session(Link&);
  void end_session(Link&);
  std::optional<LoginFailure> judge_login() const;

  Plan const& plan_;
  Timeline& timeline_;
  Record& record_;
  Random random_;
  std::vector<std::unique_ptr<Link>> links_;
  std::array<std::uint32_t, owners> sessions_{};
  std::uint32_t logging_in_ = 0;
  std::vector<std::uint32_t> effects_ = {0};
  std::uint64_t nonces_ = 0;
  std::uint64_t calls_ = 0;
};

}  // namespace belay::simulation
