#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/sqlite/connection.hpp"
#include "belay/sqlite/failure.hpp"
#include "belay/sqlite/group_commit.hpp"
#include "belay/sqlite/row.hpp"
#include "belay/sqlite/statement.hpp"

namespace belay::sqlite {

class Completions;
class Lease;
class ResultSetBuilder;

/// What a call asks of a worker.
struct Work {
  enum class Kind { open, read, write, query, transaction, commit, backup, close };

  Kind kind;
  std::shared_ptr<std::vector<Statement> const> statements;  ///< shared by the attempts of a call
  std::shared_ptr<RowSink> sink;                             ///< of the only statement; may be null
  std::shared_ptr<ResultSetBuilder> results;                 ///< for query: the sink, as what it is
  std::shared_ptr<Lease> lease;                              ///< of a transaction and of all that is asked within one
  std::string path;                                          ///< for backup
  Company company = Company::shared;                         ///< on the writer
};

/// The executor with outstanding work counted while the result lives. Posting to another thread's context needs it: the
/// posted handler may end the last coroutine there, and the context may then be destroyed while post() is still in it.
boost::asio::any_io_executor held(boost::asio::any_io_executor const&);

/// One call on its way: created by the awaiting coroutine, shared with a queue, a worker and the watch thread.
///
///     queued ── start ──> running <──> delivering a row
///     queued ── drop ──> done          running ── succeed, fail, abandon ──> done
///
/// Each move is one atomic exchange, so exactly one side completes the call, whoever comes first; only that side
/// writes the result, and no row is delivered once it is done. The completion handler is posted to the caller's
/// executor, whose work is counted by the coroutine that waits: co_spawn() holds it until the coroutine ends.
class Job : public std::enable_shared_from_this<Job>, public RowDelivery {
 public:
  Job(Work what, Deadline until) : work(std::move(what)), deadline(until) {}
  virtual ~Job() = default;

  Work work;
  Deadline const deadline;
  std::uint64_t ticket = 0;  ///< its number in the queue; guarded by the queue, like the next
  Deadline::time_point pushed_at{};

  /// The result, for the awaiting coroutine once the handler has run.
  Summary summary;
  Failure failure;
  bool is_sink_s_failure = false;  ///< the failure is what the caller's sink threw, not the engine's
  bool wants_writer = false;       ///< of a query that a reader was given: it writes, nothing was done

  /// Takes the caller's completion handler, void(), before the job is given to a queue. `on_cancel` runs on the
  /// caller's executor when its cancellation slot fires.
  template <class Handler, class OnCancel>
  void expect_completion(Handler&& handler, OnCancel on_cancel) {
    slot_ = boost::asio::get_associated_cancellation_slot(handler);
    executor_ = boost::asio::get_associated_executor(handler);
    handler_.emplace(std::forward<Handler>(handler));
    if (slot_.is_connected()) slot_.assign(std::move(on_cancel));
  }

  bool start() noexcept { return move(State::queued, State::running); }
  bool is_queued() const noexcept { return state_.load(std::memory_order_acquire) == State::queued; }
  bool is_done() const noexcept { return state_.load(std::memory_order_acquire) == State::done; }

  /// Each completes the call and returns true, or returns false when it is not in the state that allows it. With
  /// `later`, the caller is resumed when that is flushed.
  bool succeed(Summary, Completions* later = nullptr);
  bool fail(Failure, Completions* later = nullptr);
  bool drop(Error const&);
  bool abandon(Error const&);
  /// From whatever state, by the thread that runs it or before anyone else knows it.
  bool settle(Failure, Completions* later = nullptr);

  void request_cancel(Deadline::time_point now) noexcept;
  /// time_point::max() when nobody asked.
  Deadline::time_point cancel_requested_at() const noexcept;
  bool cancel_requested() const noexcept { return cancel_requested_at() != Deadline::time_point::max(); }
  bool expired(Deadline::time_point now) const noexcept { return deadline.expired(now); }

  /// Whether its worker should end it.
  bool must_stop(Deadline::time_point now) const noexcept { return is_done() || cancel_requested() || expired(now); }
  /// Why it was ended, as its caller shall read it.
  Error stop_reason(Deadline::time_point now, SendState) const;

  void columns(sqlite3_stmt*) override;
  bool row(sqlite3_stmt*) override;
  /// Tells the sink to forget its rows; false when nobody wants them any more.
  bool restart_rows();

 private:
  enum class State : std::uint8_t { queued, running, delivering, done };

  bool move(State from, State to) noexcept {
    return state_.compare_exchange_strong(from, to, std::memory_order_acq_rel);
  }
  friend class Completions;
  class Resumption;
  void complete(Completions*);
  void resume_caller();
  /// The caller's context ends before it was resumed: its frame, which holds this job, goes.
  void forget_caller() noexcept;

  std::atomic<State> state_{State::queued};
  std::atomic<Deadline::time_point::rep> cancel_requested_at_{Deadline::time_point::max().time_since_epoch().count()};
  boost::asio::any_io_executor executor_;
  boost::asio::cancellation_slot slot_;
  std::optional<boost::asio::any_completion_handler<void()>> handler_;  ///< Boost 1.81: emplaced only, never assigned
};

}  // namespace belay::sqlite
