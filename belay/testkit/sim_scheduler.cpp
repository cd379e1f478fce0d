#include "belay/testkit/sim_scheduler.hpp"

#include <algorithm>
#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "belay/core/error.hpp"

namespace belay::testkit {

namespace asio = boost::asio;
using Reason = SimulationFailure::Reason;

namespace {

SimScheduler::Options checked(SimScheduler::Options const& options) {
  auto const refuse = [](std::string const& what) {
    throw Error(ErrorClass::request, SendState::never_sent, "SimScheduler::Options: " + what);
  };
  if (options.steps_max < 1) refuse("steps_max must be at least 1");
  if (options.steps_at_once_max < 1) refuse("steps_at_once_max must be at least 1");
  if (options.time_max <= SimScheduler::duration::zero()) refuse("time_max must be more than 0");
  if (options.time_max > SimScheduler::time_point::max() - SimScheduler::start_time()) refuse("time_max overflows");
  if (options.tail_length < 1) refuse("tail_length must be at least 1");
  return options;
}

}  // namespace

SimScheduler::SimScheduler(std::uint64_t seed) : SimScheduler(seed, Options()) {}

SimScheduler::SimScheduler(std::uint64_t seed, Options options)
    : seed_(seed),
      options_(checked(options)),
      root_(seed),
      order_(root_.fork("order of tasks")),
      labels_(1),
      label_of_{{std::string(), 0}},
      outstanding_by_label_(1),
      trace_(options.tail_length) {}

SimScheduler::~SimScheduler() {
  is_shut_down_ = true;  // what the destroyed tasks post or schedule is dropped
  for (auto const& chunk : chunks_) {
    for (std::size_t i = 0; i < Task::per_chunk; ++i) {
      if (!chunk[i].is_holding()) continue;
      chunk[i].sequence = 0;  // so that no destructor takes what is being destroyed
      chunk[i].destroy();
    }
  }
  shutdown();
  destroy();
}

SimExecutor SimScheduler::get_executor(std::string_view name) { return SimExecutor(this, label(name), 0); }

SimScheduler::Label SimScheduler::label(std::string_view name) {
  auto const [known, is_new] = label_of_.try_emplace(std::string(name), static_cast<Label>(labels_.size()));
  if (is_new) {
    labels_.emplace_back(name);
    outstanding_by_label_.push_back(0);
  }
  return known->second;
}

// Running.

void SimScheduler::run() {
  run_in_thread_context([this] { return do_step(); });
}

void SimScheduler::run_for(duration time) {
  run_until(time >= time_point::max() - now_ ? time_point::max() : now_ + time);
}

void SimScheduler::run_until(time_point end) {
  run_in_thread_context([this, end] {
    if (ready() == 0 && (heap_.empty() || heap_.front().at > end)) return false;
    return do_step();
  });
  if (end == time_point::max() || end <= now_) return;
  if (end - start_time() > options_.time_max) fail(Reason::too_much_time, "asked to run past time_max");
  now_ = end;
  steps_at_once_ = 0;
}

void SimScheduler::run_until(std::function<bool()> const& condition) {
  run_in_thread_context([&] {
    if (condition()) return false;
    if (!do_step()) fail(Reason::stuck, "nothing can happen any more and the condition does not hold");
    return true;
  });
}

void SimScheduler::run(asio::awaitable<void> coroutine) {
  struct End {
    bool is_reached = false;
    std::exception_ptr failure;
  };
  auto const end = std::make_shared<End>();
  asio::co_spawn(get_executor(), std::move(coroutine), [end](std::exception_ptr failure) {
    end->is_reached = true;
    end->failure = std::move(failure);
  });
  run_in_thread_context([&] {
    if (end->is_reached) return false;
    if (!do_step()) fail(Reason::stuck, "deadlock: the coroutine waits and nothing can happen any more");
    return true;
  });
  if (end->failure) std::rethrow_exception(end->failure);
}

bool SimScheduler::step() {
  bool did = false;
  run_in_thread_context([&] {
    if (did) return false;
    return did = do_step();
  });
  return did;
}

/// Asio recycles the memory of frames and handlers per thread, but only inside of an io_context's run(): this gives the
/// simulation the same, at a third of the price of the general allocator.
void SimScheduler::run_in_thread_context(std::function<bool()> const& goes_on) {
  if (is_running_) throw Error(ErrorClass::request, SendState::never_sent, "a SimScheduler cannot run within its run");
  struct Running {
    bool& flag;
    ~Running() { flag = false; }
  } const running{is_running_ = true};
  asio::io_context thread(1);
  asio::post(thread, [&] {
    while (goes_on()) {
    }
  });
  thread.run();
}

bool SimScheduler::do_step() {
  if (ready() == 0) {
    if (heap_.empty()) return false;
    make_due_ready();
  }
  if (++steps_ > options_.steps_max) fail(Reason::too_many_steps, "more than steps_max steps");
  if (++steps_at_once_ > options_.steps_at_once_max) {
    fail(Reason::too_many_steps, "livelock: more than steps_at_once_max steps at one instant");
  }
  run_task(take_ready());
  return true;
}

SimScheduler::Task* SimScheduler::take_ready() noexcept {
  bool const is_drawn = options_.order == Options::Order::seeded && ready() > 1;
  auto* const task = ready_[is_drawn ? order_.below(ready()) : ready_begin_];
  remove_ready(task);
  return task;
}

void SimScheduler::remove_ready(Task* task) noexcept {
  task->place = Task::Place::nowhere;
  if (options_.order == Options::Order::seeded) {
    ready_[task->index] = ready_.back();
    ready_[task->index]->index = task->index;
    ready_.pop_back();
    return;
  }
  if (task == ready_[ready_begin_]) {
    ++ready_begin_;
  } else {
    ready_.erase(std::find(ready_.begin() + static_cast<std::ptrdiff_t>(ready_begin_), ready_.end(), task));
  }
  if (ready_begin_ * 2 >= ready_.size()) {  // amortised: each is moved once for each one that left
    ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(ready_begin_));
    ready_begin_ = 0;
  }
}

void SimScheduler::run_task(Task* task) {
  current_label_ = task->label;
  trace_.step(now_, task->label, task->sequence);
  task->sequence = 0;  // it cannot be cancelled any more
  struct Done {
    SimScheduler& scheduler;
    Task* task;
    ~Done() {
      scheduler.discard(task);
      scheduler.current_label_ = 0;
    }
  } const done{*this, task};
  task->call();
}

void SimScheduler::make_due_ready() {
  auto const at = heap_.front().at;
  if (at - start_time() > options_.time_max) fail(Reason::too_much_time, "virtual time went past time_max");
  if (at > now_) {
    now_ = at;
    steps_at_once_ = 0;
  }
  while (!heap_.empty() && heap_.front().at <= now_) {
    auto* const task = heap_.front().task;
    remove_timer(task);
    make_ready(task);
  }
}

void SimScheduler::fail(Reason reason, std::string const& what) const {
  throw SimulationFailure(reason, what + "\n" + describe());
}

std::string SimScheduler::describe() const {
  auto text = "seed " + std::to_string(seed_) + ", " +
              std::to_string(std::chrono::duration<double>(elapsed()).count()) + " s virtual, " +
              std::to_string(steps_) + " steps, " + std::to_string(ready()) + " ready, " + std::to_string(timers()) +
              " timers, " + std::to_string(parked()) + " parked";
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    if (outstanding_by_label_[i] == 0) continue;
    text += std::string(", work of ") + (labels_[i].empty() ? "no label" : labels_[i]) + ": " +
            std::to_string(outstanding_by_label_[i]);
  }
  return text + "\n" + trace_tail();
}

// Tasks: cells in chunks that never move.

void SimScheduler::add_chunk() {
  chunks_.push_back(std::make_unique<Task[]>(Task::per_chunk));
  for (std::size_t i = Task::per_chunk; i-- > 0;)
    chunks_.back()[i].next_free = std::exchange(free_, &chunks_.back()[i]);
}

void SimScheduler::discard(Task* task) noexcept {
  task->sequence = 0;  // before the object goes: its destructor may come back
  task->destroy();
  task->next_free = std::exchange(free_, task);
}

void SimScheduler::work_started(Label label) noexcept {
  ++outstanding_;
  ++outstanding_by_label_[label];
}

void SimScheduler::work_finished(Label label) noexcept {
  --outstanding_;
  --outstanding_by_label_[label];
}

bool SimScheduler::is_own(asio::any_completion_executor const& executor) const noexcept {
  if (!executor) return true;
  auto const* const own = executor.target<SimExecutor>();
  return own != nullptr && own->scheduler_ == this;
}

// Timers: a heap that knows where each of them is, so that cancelling is exact.

bool SimScheduler::is_pending(Handle handle) const noexcept {
  return handle.task != nullptr && handle.task->sequence == handle.sequence;
}

bool SimScheduler::cancel(Handle handle) noexcept {
  if (!is_pending(handle)) return false;
  remove_pending(handle.task);
  discard(handle.task);
  return true;
}

void SimScheduler::make_pending(Task* task, time_point at) {
  if (at == time_point::max()) {
    task->place = Task::Place::parked;
    ++parked_;
    return;
  }
  task->place = Task::Place::timer;
  heap_.emplace_back();
  sift_up(heap_.size() - 1, {at, task->sequence, task});
}

void SimScheduler::remove_pending(Task* task) noexcept {
  switch (std::exchange(task->place, Task::Place::nowhere)) {
    case Task::Place::nowhere: break;
    case Task::Place::ready: remove_ready(task); break;
    case Task::Place::timer: remove_timer(task); break;
    case Task::Place::parked: --parked_; break;
  }
}

void SimScheduler::remove_timer(Task* task) noexcept {
  task->place = Task::Place::nowhere;
  auto const index = task->index;
  auto const last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  if (index > 0 && last < heap_[(index - 1) / 4]) {
    sift_up(index, last);
  } else {
    sift_down(index, last);
  }
}

void SimScheduler::place(std::size_t index, Pending pending) noexcept {
  heap_[index] = pending;
  pending.task->index = index;
}

void SimScheduler::sift_up(std::size_t index, Pending pending) noexcept {
  while (index > 0) {
    auto const parent = (index - 1) / 4;
    if (!(pending < heap_[parent])) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, pending);
}

void SimScheduler::sift_down(std::size_t index, Pending pending) noexcept {
  for (;;) {
    auto const first = index * 4 + 1;
    if (first >= heap_.size()) break;
    auto earliest = first;
    for (auto child = first + 1; child < std::min(first + 4, heap_.size()); ++child) {
      if (heap_[child] < heap_[earliest]) earliest = child;
    }
    if (!(heap_[earliest] < pending)) break;
    place(index, heap_[earliest]);
    index = earliest;
  }
  place(index, pending);
}

}  // namespace belay::testkit
