#include "belay/sqlite/database.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/this_coro.hpp>
#include <pthread.h>

#include "belay/sqlite/backup.hpp"
#include "belay/sqlite/lease.hpp"

namespace belay::sqlite {

namespace {

using namespace std::chrono_literals;

Error thread_error(std::system_error const& failure) {
  return Error(ErrorClass::capacity, SendState::never_sent, std::string("cannot start a thread: ") + failure.what());
}

class BackupStop final : public StopCheck {
 public:
  BackupStop(DatabaseState& state, Job& job) : state_(state), job_(job) {}
  bool must_stop() noexcept override {
    return state_.stopping.load(std::memory_order_relaxed) || job_.must_stop(Deadline::clock::now());
  }

 private:
  DatabaseState& state_;
  Job& job_;
};

}  // namespace

/// Runs inside the await: the handler is taken first, the job is given away last.
struct Database::Submission {
  Database* database;
  JobPointer const* job;

  template <class Handler>
  void operator()(Handler&& handler) const {
    auto const kept = *job;
    auto on_cancel = [weak_database = database->weak_from_this(),
                      weak_job = std::weak_ptr<Job>(kept)](boost::asio::cancellation_type) {
      auto const alive_database = weak_database.lock();
      auto const alive_job = weak_job.lock();
      if (alive_database && alive_job) alive_database->cancel(alive_job);
    };
    kept->expect_completion(std::forward<Handler>(handler), std::move(on_cancel));
    database->submit(kept);
  }
};

boost::asio::awaitable<void> Database::run(std::shared_ptr<Database> database, JobPointer job) {
  auto const cancellation = co_await boost::asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != boost::asio::cancellation_type::none) {
    throw Error(ErrorClass::cancelled, SendState::never_sent, "cancelled by the caller");
  }
  if (job->deadline.expired()) {
    throw Error(ErrorClass::timeout_local, SendState::never_sent, "the deadline had passed before the call");
  }
  Submission const submission{database.get(), &job};
  co_await boost::asio::async_initiate<boost::asio::deferred_t const, void()>(submission, boost::asio::deferred);
  if (!job->failure) co_return;
  // Taken from the job, which a worker may be the last to release.
  auto const failure = std::move(job->failure);
  failure.raise();
}

Database::Database(Options const& options, Side side, std::size_t readers, std::shared_ptr<Counters> counters)
    : side_(side), state_(options, side == Side::readers ? readers : 0, std::move(counters)) {}

void Database::submit(JobPointer const& job) {
  switch (job->work.kind) {
    case Work::Kind::open: return start(job);
    case Work::Kind::close: return begin_close(job);
    case Work::Kind::backup: return start_backup(job);
    case Work::Kind::transaction: return enqueue(state_, state_.writes, job);
    case Work::Kind::read:
    case Work::Kind::query:
    case Work::Kind::write:
    case Work::Kind::commit: break;
  }
  if (job->work.lease) {
    auto const deadline = job->deadline;
    job->work.lease->submit(job);
    state_.watch.wake_by(deadline.at());
  } else {
    enqueue(state_, queue(), job);
  }
}

void Database::cancel(JobPointer const& job) {
  auto const now = Deadline::clock::now();
  job->request_cancel(now);
  if (job->drop(Error(ErrorClass::cancelled, SendState::never_sent, "cancelled by the caller"))) {
    state_.reads.remove(*job);
    state_.writes.remove(*job);
  } else {
    state_.watch.wake_by(now + stop_grace);
  }
}

template <class Body>
std::thread Database::named_thread(std::string name, Body body) {
  ++state_.counters.threads;
  try {
    return std::thread([this, name = std::move(name), body = std::move(body)] {
      pthread_setname_np(pthread_self(), name.c_str());
      body();
      --state_.counters.threads;
    });
  } catch (...) {
    --state_.counters.threads;
    throw;
  }
}

void Database::start(JobPointer const& open) {
  open->start();
  try {
    std::lock_guard const lock(mutex_);
    watch_ = named_thread("belay-sql-watch", [this] { state_.watch.run([this](auto now) { return look(now); }); });
    open_job_ = open;
    workers_alive_ = 1;
    auto const name = side_ == Side::writer ? "belay-sql-w" : "belay-sql-open";
    workers_.push_back(named_thread(name, [this, open] { opening_thread(open); }));
  } catch (std::system_error const& failure) {
    {
      std::lock_guard const lock(mutex_);
      workers_alive_ = 0;
      closing_ = true;
    }
    open->fail(
        Error(ErrorClass::capacity, SendState::never_sent, std::string("cannot start a thread: ") + failure.what()));
  }
  state_.watch.wake_by(open->deadline.at());
}

void Database::opening_thread(JobPointer const& open) {
  if (open_all(*open)) {
    open->succeed(Summary());
    if (writer_) writer_->run();
  } else {
    refuse_new_calls();
  }
  {
    std::lock_guard const lock(mutex_);
    interruptible_ = nullptr;
  }
  if (writer_) writer_->checkpoint();
  writer_.reset();
  worker_ended();
}

bool Database::open_all(Job& open) {
  try {
    if (side_ == Side::writer) writer_ = std::make_unique<Writer>(state_, open);
    for (std::size_t i = 0; i < state_.readers; ++i) readers_.push_back(std::make_unique<Reader>(state_, i));
    std::lock_guard const lock(mutex_);
    open_job_.reset();
    interruptible_ = writer_.get();
    for (std::size_t i = 0; i < state_.readers; ++i) {
      workers_.push_back(named_thread("belay-sql-r" + std::to_string(i), [this, i] { reader_thread(i); }));
      ++workers_alive_;
    }
    return true;
  } catch (Interrupted const&) {
    open.fail(open.stop_reason(Deadline::clock::now(), SendState::never_sent));
  } catch (std::system_error const&) {  // an Error too
    open.fail(Failure::current());
  } catch (std::bad_alloc const&) {
    open.fail(Error(ErrorClass::internal, SendState::never_sent, "out of memory"));
  }
  std::lock_guard const lock(mutex_);
  open_job_.reset();
  return false;
}

void Database::reader_thread(std::size_t index) {
  readers_[index]->run();
  readers_[index].reset();
  worker_ended();
}

void Database::worker_ended() noexcept {
  {
    std::lock_guard const lock(mutex_);
    --workers_alive_;
  }
  state_.watch.wake_now();
}

void Database::start_backup(JobPointer const& job) {
  std::thread previous;
  {
    std::unique_lock lock(mutex_);
    if (closing_ || backup_job_) {
      bool const closed = closing_;
      lock.unlock();
      job->drop(closed ? closed_error()
                       : Error(ErrorClass::capacity, SendState::never_sent, "a backup is already under way"));
      return;
    }
    backup_job_ = job;
    ++workers_alive_;
    previous.swap(backup_);
  }
  // Not with the mutex held: the previous thread has answered its caller, and may still need it to leave.
  if (previous.joinable()) previous.join();
  auto const deadline = job->deadline;
  job->start();
  try {
    std::lock_guard const lock(mutex_);
    backup_ = named_thread("belay-sql-bak", [this, job] { backup_thread(job); });
  } catch (std::system_error const& failure) {
    end_backup(*job, thread_error(failure));
  }
  state_.watch.wake_by(deadline.at());
}

void Database::backup_thread(JobPointer const& job) {
  BackupStop stop_check(state_, *job);
  Failure failure;
  try {
    copy_database(state_.options, job->work.path, stop_check);
  } catch (Interrupted const&) {
    bool const closing = state_.stopping.load(std::memory_order_relaxed);
    failure =
        closing ? closing_error(SendState::refused) : job->stop_reason(Deadline::clock::now(), SendState::refused);
  } catch (...) {
    failure = Failure::current();
  }
  end_backup(*job, failure);
}

void Database::end_backup(Job& job, Failure const& failure) {
  {
    std::lock_guard const lock(mutex_);
    backup_job_.reset();
  }
  failure ? job.fail(failure) : job.succeed(Summary());
  worker_ended();
}

}  // namespace belay::sqlite
