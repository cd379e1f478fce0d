#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/pool/connection.hpp"
#include "belay/pool/slot.hpp"

namespace belay::pool {

/// One attempt to connect.
struct AttemptInfo {
  SlotHandle slot;                ///< the place in the pool that the connection is to take
  std::uint64_t generation = 0;   ///< the names are resolved, and the credentials asked for, once in each
  bool is_probe = false;          ///< the attempt that finds out whether the endpoint is back
  std::function<void()> sign_in;  ///< to be called once signed in, before the session is set up; never empty
};

/// Makes a pool's connections.
///
/// connect() runs on the executor the connection is to live on, several attempts at once. What it returns is ready for
/// a borrower. It ends by its deadline, and promptly when it is cancelled (terminal). How its failure is understood is
/// said at connect_failure_of().
///
/// Its pool shares it and calls it from its connections' executors; it must stand that.
class Connector {
 public:
  virtual ~Connector() = default;
  Connector(Connector const&) = delete;
  Connector& operator=(Connector const&) = delete;

  virtual boost::asio::awaitable<std::unique_ptr<Connection>> connect(Deadline, AttemptInfo) = 0;

 protected:
  Connector() = default;
};

}  // namespace belay::pool
