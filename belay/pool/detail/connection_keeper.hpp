#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "belay/pool/actions.hpp"
#include "belay/pool/connection.hpp"
#include "belay/pool/detail/context_link.hpp"

namespace belay::pool::detail {

class PoolShell;

/// One connection from its opening to its end: performs what the pool's core wants done to it, as coroutines on the
/// connection's executor, and reports each once.
///
/// Held by the pool while it has a place there, by the leases on it and by the coroutines under way; the connection
/// dies with it. All but the constructor and what is marked otherwise: on the connection's executor.
class ConnectionKeeper : public std::enable_shared_from_this<ConnectionKeeper> {
 public:
  ConnectionKeeper(std::shared_ptr<PoolShell>, SlotHandle, boost::asio::any_io_executor, std::shared_ptr<ContextLink>);
  ~ConnectionKeeper();
  ConnectionKeeper(ConnectionKeeper const&) = delete;
  ConnectionKeeper& operator=(ConnectionKeeper const&) = delete;

  /// Starts what the action asks for.
  void perform(SlotAction const&) noexcept;
  /// For close_force, and when there is no time left for whatever is under way.
  void break_off() noexcept;

  // On any thread.
  SlotHandle slot() const noexcept { return slot_; }
  boost::asio::any_io_executor const& executor() const noexcept { return executor_; }
  std::shared_ptr<ContextLink> const& context() const noexcept { return context_; }
  std::shared_ptr<PoolShell> const& shell() const noexcept { return shell_; }
  /// Null until the connection is made; with the pool's lock held, or by who has a lease on it.
  Connection* connection() const noexcept { return connection_.get(); }
  /// Whether the pool has given up the place: with the pool's lock held.
  bool is_dismissed = false;

 private:
  enum class End : std::uint8_t { none, polite, forced };
  /// A coroutine under way on the connection.
  struct Running {
    boost::asio::cancellation_signal signal;
  };
  class Cancelled;
  using Self = std::shared_ptr<ConnectionKeeper>;
  using Operation = boost::asio::awaitable<void> (*)(Self, SlotAction);

  bool start(Operation, SlotAction const&) noexcept;
  void ended(Running const&) noexcept;
  void cancel_running() noexcept;
  void look(SlotAction const&) noexcept;
  void close_politely(SlotAction const&) noexcept;
  void say_good_bye() noexcept;
  void finish() noexcept;
  void adopt(std::unique_ptr<Connection>, SlotAction const&);

  static boost::asio::awaitable<void> open(Self, SlotAction);
  static boost::asio::awaitable<void> ask(Self, SlotAction);
  static boost::asio::awaitable<void> reset(Self, SlotAction);
  static boost::asio::awaitable<void> undo(Self, SlotAction);
  static boost::asio::awaitable<void> roll_back(Self, SlotAction);
  static boost::asio::awaitable<void> clean_up(Self, SlotAction);
  static boost::asio::awaitable<void> depart(Self, SlotAction);

  std::shared_ptr<PoolShell> shell_;
  SlotHandle slot_;
  boost::asio::any_io_executor executor_;
  std::shared_ptr<ContextLink> context_;
  std::unique_ptr<Connection> connection_;
  std::vector<std::shared_ptr<Running>> running_;
  End end_ = End::none;
  SlotAction good_bye_;
  bool has_said_good_bye_ = false;
  bool is_finished_ = false;
  bool is_lost_ = false;
  SessionFate fate_ = SessionFate::gone;  ///< of what is not, or no longer, connected
  std::optional<SendState> broken_operation_;
};

}  // namespace belay::pool::detail
