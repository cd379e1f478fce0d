#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <boost/asio/any_io_executor.hpp>

#include "belay/core/error.hpp"
#include "belay/pool/connection.hpp"
#include "belay/pool/detail/parked_call.hpp"

namespace belay::pool {

/// What a Lease<C> is for any C. Move-only; its destruction returns the connection, which never throws, never waits and
/// may happen on any thread. A lease may outlive its pool's last handle: it is revoked then. It must not outlive the
/// execution context of its connection, as its connection's sockets must not.
///
/// One thread at a time.
class LeaseBase {
 public:
  LeaseBase(LeaseBase const&) = delete;
  LeaseBase& operator=(LeaseBase const&) = delete;

  /// Whether it is a lease at all: not moved from, not released.
  explicit operator bool() const noexcept { return token_.connection != nullptr; }
  /// Whether the pool took it back, since its connection broke, or it was held for too long, or the pool was closed by
  /// force. What ran on it has failed by itself.
  bool is_revoked() const noexcept;

  /// The end of the lease, as the protocol tells; harmless where there is none.
  void release() noexcept { release(ReleaseCondition::clean); }
  /// The same, when the holder knows worse of the connection than it does itself. The worse of both counts.
  void release(ReleaseCondition) noexcept;
  /// It must not be lent again: it closes when it comes back.
  void taint() noexcept;
  /// A failure of an operation on the connection: what it says about this connection and others is acted upon when the
  /// lease ends. Of several the gravest counts.
  void heed(Error const&) noexcept;

  /// What it is busy with, for the diagnosis. The digest must outlive the statement and the lease.
  void statement_started(std::string_view digest) noexcept;
  void statement_ended() noexcept;

  /// The session must be reset before, or with, the first request (ResetMode::pipelined).
  bool must_reset_first() const noexcept { return token_.grant.reset_first; }
  /// Which stream of the connection is the holder's.
  std::uint32_t stream() const noexcept { return token_.grant.stream; }
  /// Which of the pool's generations the connection is of.
  std::uint64_t generation() const noexcept { return token_.grant.generation; }
  SlotHandle slot() const noexcept { return token_.grant.slot; }
  /// Where the connection lives.
  boost::asio::any_io_executor get_executor() const noexcept;

 protected:
  explicit LeaseBase(detail::LeaseToken token) noexcept : token_(std::move(token)) {}
  LeaseBase(LeaseBase&& other) noexcept
      : token_{std::move(other.token_.keeper), std::exchange(other.token_.connection, nullptr), other.token_.grant},
        signal_(std::exchange(other.signal_, Signal::nothing)) {}
  LeaseBase& operator=(LeaseBase&& other) noexcept;
  ~LeaseBase() {
    if (token_.connection != nullptr) release(ReleaseCondition::clean);
  }

  /// Throws Error for a lease that is over.
  Connection& connection() const;

 private:
  detail::LeaseToken token_;
  Signal signal_ = Signal::nothing;
};

/// A connection of class C, held until the lease ends.
template <class C>
class Lease final : public LeaseBase {
 public:
  explicit Lease(detail::LeaseToken token) noexcept : LeaseBase(std::move(token)) {}

  /// Throws Error(cancelled, never_sent) for a lease that was revoked, Error(request) for one that is none. The check
  /// takes the pool's lock for a moment: once per statement, not per byte.
  C* operator->() const { return &static_cast<C&>(connection()); }
  C& operator*() const { return static_cast<C&>(connection()); }
};

}  // namespace belay::pool
