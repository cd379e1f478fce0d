#include "belay/pool/lease.hpp"

#include <algorithm>

#include "belay/pool/detail/connection_keeper.hpp"
#include "belay/pool/detail/pool_shell.hpp"
#include "belay/pool/failure_signal.hpp"

namespace belay::pool {

LeaseBase& LeaseBase::operator=(LeaseBase&& other) noexcept {
  if (this == &other) return *this;
  release();
  token_ = {std::move(other.token_.keeper), std::exchange(other.token_.connection, nullptr), other.token_.grant};
  signal_ = std::exchange(other.signal_, Signal::nothing);
  return *this;
}

bool LeaseBase::is_revoked() const noexcept {
  return token_.connection != nullptr && !token_.keeper->shell()->holds(token_.grant.lease);
}

void LeaseBase::release(ReleaseCondition told) noexcept {
  auto* const connection = std::exchange(token_.connection, nullptr);
  if (connection == nullptr) return;
  Release how;
  how.condition = std::max(told, connection->condition(token_.grant.stream));
  how.signal = std::exchange(signal_, Signal::nothing);
  auto* const shell = token_.keeper->shell().get();
  shell->release(token_, how);
}

void LeaseBase::taint() noexcept { signal_ = std::max(signal_, Signal::taint); }

void LeaseBase::heed(Error const& error) noexcept { signal_ = std::max(signal_, signal_of(error)); }

void LeaseBase::statement_started(std::string_view digest) noexcept {
  if (token_.connection != nullptr) token_.keeper->shell()->statement_started(token_.grant.lease, digest);
}

void LeaseBase::statement_ended() noexcept {
  if (token_.connection != nullptr) token_.keeper->shell()->statement_ended(token_.grant.lease);
}

boost::asio::any_io_executor LeaseBase::get_executor() const noexcept {
  return token_.keeper ? token_.keeper->executor() : boost::asio::any_io_executor();
}

Connection& LeaseBase::connection() const {
  if (token_.connection == nullptr) {
    throw Error(ErrorClass::request, SendState::never_sent, "the lease has been released or moved from");
  }
  if (is_revoked()) {
    throw Error(ErrorClass::cancelled, SendState::never_sent,
                "the lease was revoked: its connection broke, it was held for too long, or the pool was closed");
  }
  return *token_.connection;
}

}  // namespace belay::pool
