#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "belay/pool/pool_core.hpp"
#include "connect_watch.hpp"
#include "coverage.hpp"
#include "server.hpp"

namespace belay::simulation {

/// What a borrower has while it has a lease.
struct Borrowing {
  pool::Grant grant;
  Link* link = nullptr;
  std::uint64_t tag = 0;  ///< unique over the run
};

class Borrower {
 public:
  virtual void granted(Borrowing const&) = 0;
  virtual void turned_away(pool::Refusal, ErrorClass) = 0;
  /// The pool wants what runs on the connection to stop, and the lease back.
  virtual void told_to_stop() = 0;

 protected:
  ~Borrower() = default;
};

/// What the shells of the endpoint's pools tell others.
struct PoolNews {
  std::function<void()> transport_failure;
  std::function<void()> connected;
  std::function<void(Server::LoginFailure const&)> connect_failed;
};

/// Everything around one PoolCore: performs its actions on the server model, keeps callers and connections apart, and
/// compares the pool after each input with what callers and server know. Each check names its invariant.
class PoolShell {
 public:
  struct Ask;

  PoolShell(Plan const&, std::uint32_t number, Timeline&, Record&, Server&, ConnectWatch&, Coverage&, PoolNews const&,
            Random);

  void start();
  /// Answers the borrower now or later. Null when it did so at once.
  Ask* acquire(Borrower&, pool::LeaseRequest const&);
  void withdraw(Ask&);
  /// Whether the lease was still the borrower's.
  bool release(Borrowing const&, pool::Release);
  bool holds(Borrowing const& borrowing) const { return core_.holds(borrowing.grant.lease); }
  void statement(Borrowing const&, bool starts);

  time_point next_timer() const noexcept { return core_.next_timer(); }
  void advance();
  void permission_changed();
  void invalidate(pool::GenerationReason, pool::Invalidation);
  void set_refill(pool::Refill);
  void set_health(pool::EndpointHealth health) { core_.set_endpoint_health(health); }
  void suspect_idle();
  void pause(bool on);
  void resize(pool::PoolSize);
  void close(pool::WaitersAtClose);
  void session_ended(Link&);

  double stale_reports = 0;  ///< share of reports that come once more, late

  pool::PoolCore const& core() const noexcept { return core_; }
  std::uint32_t live() const { return core_.snapshot(timeline_.now()).live(); }
  bool is_closing() const noexcept { return is_closing_; }
  time_point closes_by() const noexcept { return closes_by_; }
  /// After the drain nothing may be left (P19), and the counters must add up.
  void check_end();
  /// Everybody who could be served has been, and idle connections are as many as they should be (P6, P17).
  void check_calm();

 private:
  using Input = SlotInput;
  struct Holder {
    Borrower* borrower;
    std::uint64_t task;
  };

  template <class Make>
  void perform(Make make);
  template <class Make>
  void report(Input, pool::SlotHandle, duration wait, Make make);
  void cover(Input, pool::SlotHandle);
  void cover_all(Input);
  void carry_out(pool::SlotAction const&);
  void connect(pool::SlotAction const&);
  void set_up(pool::SlotHandle);
  void test(pool::SlotAction const&);
  void clean(pool::SlotAction const&);
  void await_end(pool::SlotAction const&, Link&);
  void close_link(pool::SlotAction const&);
  void link_lost(Link&);
  void resume(Ask&);
  void conclude(Ask&, pool::Acquired const&);
  void fail(Ask&);
  Link* link_of(pool::SlotHandle) const;
  duration soon();

  // Checks, in pool_checks.cpp.
  void check();
  void check_counts(pool::Snapshot const&);
  void check_slots(pool::Snapshot const&);
  void check_progress(pool::Snapshot const&);
  void check_expiries();
  void check_offer(Ask const&);
  void check_lending(Ask const&, pool::Grant const&, Link const&);
  void check_refusal(Ask const&);
  bool every_holder_waits() const;

  Plan const& plan_;
  std::uint32_t const number_;
  Timeline& timeline_;
  Record& record_;
  Server& server_;
  ConnectWatch& gate_;
  Coverage& coverage_;
  PoolNews const& news_;
  Random random_;
  pool::PoolCore core_;

  std::list<Ask> asks_;
  std::array<std::map<std::uint64_t, Ask*>, pool::lanes> waiting_;  ///< by arrival, as a reference for the queue
  std::map<std::uint64_t, Holder> holders_;                         ///< by lease
  std::map<std::uint64_t, std::uint64_t> tags_;                     ///< of all leases so far
  std::vector<Link*> links_;
  std::uint64_t arrivals_ = 0;
  std::uint64_t given_ = 0;
  std::uint64_t returned_ = 0;
  std::uint64_t withdrawn_ = 0;
  std::array<std::uint64_t, pool::refusals> refused_{};
  std::uint32_t taken_before_ = 0;
  std::size_t allowed_to_wait_ = 0;
  std::uint64_t inputs_ = 0;
  int idle_advances_ = 0;
  bool is_closing_ = false;
  bool has_resized_ = false;
  bool everybody_waited_ = false;
  time_point closes_by_ = time_point::max();
};

struct PoolShell::Ask {
  Ask(Borrower& who, pool::LeaseRequest const& what) : waiter(what), borrower(&who) {}
  pool::Waiter waiter;
  Borrower* borrower;  ///< null: it has left
  std::uint64_t arrival = 0;
  Deadline deadline = Deadline::never();
  std::list<Ask>::iterator self;
};

}  // namespace belay::simulation
