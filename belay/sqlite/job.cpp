#include "belay/sqlite/job.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include "belay/sqlite/completions.hpp"
#include "belay/sqlite/result_set_builder.hpp"

namespace belay::sqlite {

boost::asio::any_io_executor held(boost::asio::any_io_executor const& executor) {
  return boost::asio::prefer(executor, boost::asio::execution::outstanding_work.tracked);
}

bool Job::succeed(Summary result, Completions* later) {
  if (!move(State::running, State::done)) return false;
  summary = result;
  complete(later);
  return true;
}

bool Job::fail(Failure why, Completions* later) {
  if (!move(State::running, State::done)) return false;
  failure = std::move(why);
  complete(later);
  return true;
}

bool Job::drop(Error const& why) {
  if (!move(State::queued, State::done)) return false;
  failure = why;
  complete(nullptr);
  return true;
}

bool Job::abandon(Error const& why) {
  if (!move(State::running, State::done)) return false;
  failure = why;
  complete(nullptr);
  return true;
}

bool Job::settle(Failure why, Completions* later) {
  start();
  return fail(std::move(why), later);
}

void Job::request_cancel(Deadline::time_point now) noexcept {
  cancel_requested_at_.store(now.time_since_epoch().count(), std::memory_order_release);
}

Deadline::time_point Job::cancel_requested_at() const noexcept {
  return Deadline::time_point(Deadline::duration(cancel_requested_at_.load(std::memory_order_acquire)));
}

Error Job::stop_reason(Deadline::time_point now, SendState send_state) const {
  if (expired(now)) return Error(ErrorClass::timeout_local, send_state, "the deadline passed");
  return Error(ErrorClass::cancelled, send_state, "cancelled by the caller");
}

void Job::columns(sqlite3_stmt* statement) {
  if (work.results) work.results->columns(statement);
}

bool Job::row(sqlite3_stmt* statement) {
  if (!move(State::running, State::delivering)) return false;
  if (!work.sink) return move(State::delivering, State::running);
  try {
    work.sink->row(Row(statement));
  } catch (...) {
    is_sink_s_failure = true;
    move(State::delivering, State::running);
    throw;
  }
  return move(State::delivering, State::running) && !cancel_requested();
}

bool Job::restart_rows() {
  if (!move(State::running, State::delivering)) return false;
  try {
    if (work.sink) work.sink->restart();
  } catch (...) {
    is_sink_s_failure = true;
    move(State::delivering, State::running);
    throw;
  }
  return move(State::delivering, State::running);
}

/// On its way to the caller's executor.
class Job::Resumption {
 public:
  explicit Resumption(std::shared_ptr<Job> job) noexcept : job_(std::move(job)) {}
  Resumption(Resumption&&) noexcept = default;
  Resumption& operator=(Resumption&&) = delete;
  ~Resumption() {
    if (job_) job_->forget_caller();
  }
  void operator()() {
    auto const job = std::move(job_);
    job->resume_caller();
  }

 private:
  std::shared_ptr<Job> job_;
};

void Job::complete(Completions* later) {
  if (!handler_) return;  // nobody waits: the lease of a caller that never came to wait for it
  if (later != nullptr) {
    later->add(shared_from_this());
  } else {
    auto const executor = held(executor_);
    boost::asio::post(executor, Resumption(shared_from_this()));
  }
}

void Job::forget_caller() noexcept { handler_.reset(); }

void Job::resume_caller() {
  if (slot_.is_connected()) slot_.clear();
  boost::asio::any_completion_handler<void()> handler(std::move(*handler_));
  handler_.reset();
  std::move(handler)();
}

}  // namespace belay::sqlite
