#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include "belay/core/deadline.hpp"
#include "belay/core/random.hpp"
#include "belay/net/time_service.hpp"
#include "belay/testkit/detail/sim_task.hpp"
#include "belay/testkit/sim_trace.hpp"

namespace belay::testkit {

class SimExecutor;

/// A run that cannot be right: what() tells the reason, the seed, the virtual time, what is still alive and the end of
/// the trace.
class SimulationFailure : public std::runtime_error {
 public:
  enum class Reason {
    stuck,           ///< something is awaited and nothing can happen any more: a deadlock
    too_many_steps,  ///< Options::steps_max, or steps_at_once_max without virtual time going on: a livelock
    too_much_time    ///< Options::time_max of virtual time
  };
  SimulationFailure(Reason reason, std::string const& what) : std::runtime_error(what), reason_(reason) {}
  Reason reason() const noexcept { return reason_; }

 private:
  Reason reason_;
};

/// A world on one thread in which everything happens in an order that a seed decides: an executor, and the virtual time
/// its timers run by.
///
/// * Among the tasks that are ready, one is drawn at random. Time stands still while a task is ready; when none is, it
///   jumps to the next timer. Hence a day of waiting costs nothing, and a seed replays a run exactly.
/// * Each step enters a TraceHash: two runs with one seed must end with the same hash. note() adds what the user does.
/// * A task, timer or parked handler is owned by the scheduler. Its destructor destroys them, and with them the frames
///   of coroutines that wait; whatever those refer to must be destroyed later than the scheduler or not depend on it.
///
/// Not thread-safe: everything happens on the thread that calls run(). Code under simulation must read time from the
/// simulation (SimClock, SimTime), never from the machine.
///
///     SimScheduler world(seed);
///     SimTime time(world);
///     int const answer = world.run(ask(time));   // an awaitable<int>; throws what it throws, or SimulationFailure
class SimScheduler final : public boost::asio::execution_context {
 public:
  using executor_type = SimExecutor;
  using time_point = Deadline::time_point;
  using duration = Deadline::duration;
  /// A name that tasks carry in the trace; an index of labels().
  using Label = std::uint32_t;

  struct Options {
    enum class Order { seeded, first_in_first_out };
    Order order = Order::seeded;
    std::uint64_t steps_max = 100'000'000;             ///< of the whole run, >= 1
    std::uint64_t steps_at_once_max = 10'000'000;      ///< at one instant of virtual time, >= 1
    duration time_max = std::chrono::hours(24 * 366);  ///< of virtual time, > 0
    std::size_t tail_length = 40;                      ///< events that a failure shows, >= 1
  };

  explicit SimScheduler(std::uint64_t seed);
  /// Throws belay::Error(request) for an option out of its range.
  SimScheduler(std::uint64_t seed, Options);
  ~SimScheduler();
  SimScheduler(SimScheduler const&) = delete;
  SimScheduler& operator=(SimScheduler const&) = delete;

  std::uint64_t seed() const noexcept { return seed_; }
  /// A stream of its own for a component; the same name gives the same stream whatever others draw.
  Random random(std::string_view component) const noexcept { return root_.fork(component); }

  SimExecutor get_executor() noexcept;
  /// An executor whose tasks carry a name in the trace: "client 7".
  SimExecutor get_executor(std::string_view name);
  Label label(std::string_view name);
  /// That of the task that runs, which new tasks inherit.
  Label current_label() const noexcept { return current_label_; }

  /// Virtual and monotonic. Begins well after the epoch, so that a time_point{} taken for "now" shows.
  time_point now() const noexcept { return now_; }
  static constexpr time_point start_time() noexcept { return time_point(std::chrono::hours(1000)); }

  /// Runs until nothing is ready and no timer is pending. What is awaited then may wait for ever: see outstanding().
  void run();
  /// Runs everything due within the time, then stands at its end.
  void run_for(duration);
  void run_until(time_point);
  /// Runs until the condition, asked after each step, holds; stuck when it cannot any more.
  void run_until(std::function<bool()> const& condition);
  /// Runs a coroutine to its end and returns or throws what it does; stuck when it cannot end. What else there is to do
  /// at that moment is left undone: run() does it.
  void run(boost::asio::awaitable<void>);
  template <class T>
  T run(boost::asio::awaitable<T> coroutine) {
    auto const result = std::make_shared<std::optional<T>>();  // the frame outlives a failed run
    run(keep_result(std::move(coroutine), result));
    return std::move(**result);
  }
  /// One task, after moving time on if none is ready. False when there is nothing to do.
  bool step();

  /// Runs f() as a task of its own.
  template <class F>
  void post(F&& f) {
    post(current_label_, std::forward<F>(f));
  }
  template <class F>
  void post(Label label, F&& f) {
    if (is_shut_down_) return;
    make_ready(make_task(label, std::forward<F>(f)));
  }

  /// What is scheduled or parked, for cancel() and take(). Goes stale by itself.
  struct Handle {
    detail::SimTask* task = nullptr;
    std::uint64_t sequence = 0;
  };
  /// Runs f() as a task once now() >= instant; never for time_point::max(), which parks it.
  template <class F>
  Handle schedule_at(time_point instant, F&& f) {
    if (is_shut_down_) return {};
    auto* const task = make_task(current_label_, std::forward<F>(f));
    Handle const handle{task, task->sequence};
    make_pending(task, instant);
    return handle;
  }
  template <class F>
  Handle schedule_in(duration pause, F&& f) {
    return schedule_at(pause >= time_point::max() - now_ ? time_point::max() : now_ + pause, std::forward<F>(f));
  }
  /// Keeps an object until it is taken: how a simulated device holds the handler of an operation. What is parked is
  /// destroyed with the scheduler, so that a frame and the handler it waits by cannot keep each other alive.
  template <class F>
  Handle park(F&& f) {
    return schedule_at(time_point::max(), std::forward<F>(f));
  }
  /// Whether it still waits; false once it runs or has been cancelled or taken. What is due and has not run yet waits.
  bool is_pending(Handle) const noexcept;
  /// Destroys what is pending: it will not run. False when it is not pending any more.
  bool cancel(Handle) noexcept;
  /// Gives back what is pending; F is the decayed type that was scheduled or parked.
  template <class F>
  std::optional<F> take(Handle handle) {
    if (!is_pending(handle)) return std::nullopt;
    remove_pending(handle.task);
    std::optional<F> taken(std::move(*static_cast<F*>(handle.task->object())));
    discard(handle.task);
    return taken;
  }

  /// Completes an operation: invokes the handler with the values, on its own executor, in a task of its own.
  template <class Handler, class... Values>
  void complete(Label label, Handler&& handler, Values... values) {
    post(label, [this, handler = std::forward<Handler>(handler), ... values = std::move(values)]() mutable {
      deliver(std::move(handler), std::move(values)...);
    });
  }
  /// The same from within a task of the scheduler, at once.
  template <class Handler, class... Values>
  void deliver(Handler&& handler, Values... values) {
    if (is_own(boost::asio::get_associated_executor(handler, boost::asio::any_completion_executor()))) {
      std::forward<Handler>(handler)(std::move(values)...);
    } else {
      boost::asio::dispatch(boost::asio::append(std::forward<Handler>(handler), std::move(values)...));
    }
  }

  /// An event of the user's, for the hash and the trace's tail.
  void note(std::string_view text) { trace_.note(now_, current_label_, text); }
  /// The same as numbers, cheap enough for every packet. `kind` is a literal.
  void note(char const* kind, std::uint64_t first, std::uint64_t second) {
    trace_.note(now_, current_label_, kind, first, second);
  }
  std::uint64_t trace_hash() const noexcept { return trace_.hash(); }
  /// The last events, one a line.
  std::string trace_tail() const { return trace_.tail(start_time(), labels_); }

  std::uint64_t steps() const noexcept { return steps_; }
  /// Virtual time since the start.
  duration elapsed() const noexcept { return now_ - start_time(); }
  std::size_t ready() const noexcept { return ready_.size() - ready_begin_; }
  std::size_t timers() const noexcept { return heap_.size(); }
  std::size_t parked() const noexcept { return parked_; }
  /// Executors that track outstanding work: two per coroutine that co_spawn started and that has not ended.
  std::uint64_t outstanding() const noexcept { return outstanding_; }
  /// Nothing is ready, pending, parked or awaited.
  bool is_empty() const noexcept { return ready() == 0 && timers() == 0 && parked() == 0 && outstanding() == 0; }

  /// seed, time and steps, what is alive by label, and the trace's tail: the end of every failure report.
  std::string describe() const;

 private:
  friend class SimExecutor;
  using Task = detail::SimTask;
  struct Pending {
    time_point at;
    std::uint64_t sequence;
    Task* task;
    bool operator<(Pending const& other) const noexcept {
      return at != other.at ? at < other.at : sequence < other.sequence;
    }
  };

  template <class T>
  static boost::asio::awaitable<void> keep_result(boost::asio::awaitable<T> coroutine,
                                                  std::shared_ptr<std::optional<T>> result) {
    result->emplace(co_await std::move(coroutine));
  }

  template <class F>
  Task* make_task(Label label, F&& f) {
    auto* const task = new_task();
    task->label = label;
    task->sequence = next_sequence_++;
    task->hold(std::forward<F>(f));
    return task;
  }
  void make_ready(Task* task) {
    task->place = Task::Place::ready;
    task->index = ready_.size();
    ready_.push_back(task);
  }
  void make_pending(Task*, time_point);
  void remove_pending(Task*) noexcept;
  void remove_ready(Task*) noexcept;
  void remove_timer(Task*) noexcept;
  void discard(Task*) noexcept;
  Task* new_task() {
    if (free_ == nullptr) add_chunk();
    return std::exchange(free_, free_->next_free);
  }
  void add_chunk();
  Task* take_ready() noexcept;
  void run_task(Task*);
  void make_due_ready();
  void place(std::size_t index, Pending) noexcept;
  void sift_up(std::size_t index, Pending) noexcept;
  void sift_down(std::size_t index, Pending) noexcept;
  bool is_own(boost::asio::any_completion_executor const&) const noexcept;
  void work_started(Label) noexcept;
  void work_finished(Label) noexcept;
  void run_in_thread_context(std::function<bool()> const& goes_on);
  bool do_step();
  [[noreturn]] void fail(SimulationFailure::Reason, std::string const& what) const;

  std::uint64_t seed_;
  Options options_;
  Random root_;
  Random order_;
  time_point now_ = start_time();
  std::uint64_t steps_ = 0;
  std::uint64_t steps_at_once_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t outstanding_ = 0;
  std::size_t parked_ = 0;
  Label current_label_ = 0;
  bool is_running_ = false;
  bool is_shut_down_ = false;
  std::vector<Task*> ready_;
  std::size_t ready_begin_ = 0;
  std::vector<Pending> heap_;  ///< of four children each, the earliest first
  std::vector<std::unique_ptr<Task[]>> chunks_;
  Task* free_ = nullptr;
  std::vector<std::string> labels_;
  std::unordered_map<std::string, Label> label_of_;
  std::vector<std::uint32_t> outstanding_by_label_;
  SimTrace trace_;
};

/// The scheduler as Asio's executor: light, copyable, converts to any_io_executor.
///
/// post and defer make a task; dispatch runs at once from within a task. All executors of a scheduler are equal,
/// whatever their label.
class SimExecutor {
 public:
  SimExecutor(SimExecutor const& other) noexcept : SimExecutor(other.scheduler_, other.label_, other.flags_) {}
  SimExecutor(SimExecutor&& other) noexcept
      : scheduler_(other.scheduler_),
        label_(other.label_),
        flags_(std::exchange(other.flags_, other.flags_ & ~tracked)) {}
  ~SimExecutor() {
    if ((flags_ & tracked) != 0) scheduler_->work_finished(label_);
  }
  SimExecutor& operator=(SimExecutor other) noexcept {
    std::swap(scheduler_, other.scheduler_);
    std::swap(label_, other.label_);
    std::swap(flags_, other.flags_);
    return *this;
  }

  SimScheduler& scheduler() const noexcept { return *scheduler_; }
  SimScheduler::Label label() const noexcept { return label_; }

  SimExecutor require(boost::asio::execution::blocking_t::never_t) const noexcept { return with(flags_ | never); }
  SimExecutor require(boost::asio::execution::blocking_t::possibly_t) const noexcept { return with(flags_ & ~never); }
  SimExecutor require(boost::asio::execution::outstanding_work_t::tracked_t) const noexcept {
    return with(flags_ | tracked);
  }
  SimExecutor require(boost::asio::execution::outstanding_work_t::untracked_t) const noexcept {
    return with(flags_ & ~tracked);
  }
  SimExecutor require(boost::asio::execution::relationship_t::fork_t) const noexcept {
    return with(flags_ & ~continuation);
  }
  SimExecutor require(boost::asio::execution::relationship_t::continuation_t) const noexcept {
    return with(flags_ | continuation);
  }

  static constexpr boost::asio::execution::mapping_t query(boost::asio::execution::mapping_t) noexcept {
    return boost::asio::execution::mapping.thread;
  }
  SimScheduler& query(boost::asio::execution::context_t) const noexcept { return *scheduler_; }
  boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) const noexcept {
    if ((flags_ & never) != 0) return boost::asio::execution::blocking.never;
    return boost::asio::execution::blocking.possibly;
  }
  boost::asio::execution::outstanding_work_t query(boost::asio::execution::outstanding_work_t) const noexcept {
    if ((flags_ & tracked) != 0) return boost::asio::execution::outstanding_work.tracked;
    return boost::asio::execution::outstanding_work.untracked;
  }
  boost::asio::execution::relationship_t query(boost::asio::execution::relationship_t) const noexcept {
    if ((flags_ & continuation) != 0) return boost::asio::execution::relationship.continuation;
    return boost::asio::execution::relationship.fork;
  }

  template <class F>
  void execute(F&& f) const {
    if ((flags_ & never) == 0 && scheduler_->is_running_) {
      auto const caller = scheduler_->current_label_;
      if (label_ != 0) scheduler_->current_label_ = label_;
      std::decay_t<F> function(std::forward<F>(f));
      std::move(function)();
      scheduler_->current_label_ = caller;
      return;
    }
    scheduler_->post(label_ == 0 ? scheduler_->current_label_ : label_, std::forward<F>(f));
  }

  friend bool operator==(SimExecutor const& a, SimExecutor const& b) noexcept { return a.scheduler_ == b.scheduler_; }
  friend bool operator!=(SimExecutor const& a, SimExecutor const& b) noexcept { return !(a == b); }

 private:
  friend class SimScheduler;
  static constexpr unsigned never = 1;
  static constexpr unsigned tracked = 2;
  static constexpr unsigned continuation = 4;

  SimExecutor(SimScheduler* scheduler, SimScheduler::Label label, unsigned flags) noexcept
      : scheduler_(scheduler), label_(label), flags_(flags) {
    if ((flags_ & tracked) != 0) scheduler_->work_started(label_);
  }
  SimExecutor with(unsigned flags) const noexcept { return SimExecutor(scheduler_, label_, flags); }

  SimScheduler* scheduler_;
  SimScheduler::Label label_;
  unsigned flags_;
};

inline SimExecutor SimScheduler::get_executor() noexcept { return SimExecutor(this, 0, 0); }

}  // namespace belay::testkit
