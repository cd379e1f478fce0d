#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/pool/pool_core.hpp"

namespace belay::pool {

/// A cancelled query whose end is to be reached. Lives until the clean-up it belongs to has ended.
class CancelledWork {
 public:
  CancelledWork(CancelledWork const&) = delete;
  CancelledWork& operator=(CancelledWork const&) = delete;

  /// Which of the connection's streams.
  std::uint32_t stream() const noexcept { return stream_; }
  /// Whether a cancel request may be sent on a socket of its own. Without it the answer is read to its end.
  bool may_cancel() const noexcept { return may_cancel_; }
  /// The socket of the cancel request is closed: another connect may take its turn.
  virtual void cancel_ended() noexcept = 0;

 protected:
  CancelledWork(std::uint32_t stream, bool may_cancel) noexcept : stream_(stream), may_cancel_(may_cancel) {}
  ~CancelledWork() = default;

 private:
  std::uint32_t stream_;
  bool may_cancel_;
};

/// Where the clean-up of a cancelled query has led.
enum class CleanUp : std::uint8_t {
  at_boundary,  ///< between two requests, and no late cancel can hit the next borrower
  unknown       ///< not known: the connection is closed by force, its place kept until the server must be done
};

/// What was broken off.
struct Aborted {
  SessionFate session = SessionFate::unknown;  ///< what may be left of it on the server
  std::optional<SendState> operation;          ///< of the borrower's operation under way; nullopt: there was none
};

/// What a pool keeps: one connection to an engine, made by a Connector.
///
/// It lives on one executor and never moves: it is made there, everything below is called there, one after the other,
/// and it is destroyed there; only condition() is called from elsewhere. Operations on different streams, and a test,
/// may overlap; on one stream they do not. The borrower's own operations are called wherever the borrower runs: an
/// engine whose callers live on other executors takes them to its own and back.
///
/// An operation is a coroutine that ends by its deadline, fails by throwing belay::Error, and ends promptly when it is
/// cancelled (terminal) or the connection is aborted, because its end is waited for.
class Connection {
 public:
  /// Told once, when the connection is found broken without having been asked.
  using LostHandler = std::function<void(Error const&)>;

  virtual ~Connection() = default;
  Connection(Connection const&) = delete;
  Connection& operator=(Connection const&) = delete;

  /// One round trip that proves that the peer is there.
  virtual boost::asio::awaitable<void> test(Deadline) = 0;
  /// Undoes what the borrower changed of the session.
  virtual boost::asio::awaitable<void> reset(std::uint32_t stream, Deadline) = 0;
  /// Ends the transaction that is open; the session is reset afterwards, if condition() asks for it.
  virtual boost::asio::awaitable<void> rollback(std::uint32_t stream, Deadline) = 0;
  /// Cancels what still runs and reads to its end.
  virtual boost::asio::awaitable<CleanUp> clean_up(CancelledWork&, Deadline) = 0;
  /// Says good-bye to the server and closes. Nothing else is called afterwards but abort().
  virtual boost::asio::awaitable<void> close(Deadline) = 0;

  /// The free check, without a round trip: false when bytes or an end are there that nobody asked for.
  virtual bool looks_alive() noexcept = 0;
  /// What the stream is like between the borrower's operations, as the protocol tells. Called by whoever returns the
  /// lease, on any thread, after the borrower's last operation on it.
  virtual ReleaseCondition condition(std::uint32_t stream) const noexcept = 0;
  /// Ends what the borrowers have under way with Error(cancelled), so that they return their leases.
  virtual void cancel() noexcept = 0;
  /// Closes at once; whatever is under way fails. Idempotent, like all that follows a close.
  virtual Aborted abort() noexcept = 0;
  /// Arms the idle watch. Called once, before the connection is first lent.
  virtual void on_lost(LostHandler) = 0;

 protected:
  Connection() = default;
};

}  // namespace belay::pool
