#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/pool/lease.hpp"
#include "belay/sqlite/job.hpp"
#include "belay/sqlite/link.hpp"

namespace belay::sqlite {

struct ClientState;

/// The writer, held by one transaction: statements go in here, the writer's thread takes them out until the lease ends
/// by commit, release, deadline or shutdown. Thread-safe.
class Lease {
 public:
  /// `place` is the exclusive lease of the writer's link in its pool; it goes back when this lease ends, whatever ends
  /// it. Throws Error for one that was revoked.
  Lease(std::shared_ptr<ClientState> client, pool::Lease<Link> place, Deadline deadline)
      : client_(std::move(client)), database_(place->database()), deadline_(deadline), place_(std::move(place)) {}

  /// Gives a statement, or the commit, to the writer. After the end, the job fails at once with what ended it.
  void submit(std::shared_ptr<Job>);
  /// The body is done with it: roll back what is not committed.
  void release() noexcept;

  /// For the writer: the next job; null when released, past the deadline, or interrupted.
  std::shared_ptr<Job> next();
  /// For the writer: fails what is queued and all that still comes. The first reason counts.
  void end(Error const& reason);
  /// Ends next() although the deadline is far: the client shuts down.
  void interrupt() noexcept;

  Deadline deadline() const noexcept { return deadline_; }
  std::shared_ptr<Database> const& database() const noexcept { return database_; }
  ClientState& client() const noexcept { return *client_; }

 private:
  std::shared_ptr<ClientState> client_;  ///< outlives the place, whose connection lives on its thread
  std::shared_ptr<Database> database_;
  Deadline const deadline_;
  std::mutex mutex_;
  std::optional<pool::Lease<Link>> place_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;  ///< at most one per coroutine that uses the transaction: one
  std::optional<Error> ended_;
  bool released_ = false;
  bool interrupted_ = false;
};

}  // namespace belay::sqlite
