#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belay/net/time_service.hpp"
#include "belay/pool/connection.hpp"
#include "belay/pool/connector.hpp"

namespace belay::pool {

class Wire;

/// The far side of a Wire, and the truth about it. What the next operations do is set here; everything is on one
/// executor.
struct FakeServer {
  using duration = std::chrono::nanoseconds;

  /// What an operation does.
  struct Manner {
    duration takes{};
    bool hangs = false;            ///< never ends by itself
    bool ignores_the_end = false;  ///< hangs on even when it is cancelled or aborted
    std::optional<Error> fails;
  };

  explicit FakeServer(std::shared_ptr<net::TimeService> of) : time(std::move(of)) {}

  std::shared_ptr<net::TimeService> time;
  Manner connecting;
  Manner signing_in;
  Manner testing;
  Manner resetting;
  Manner rolling_back;
  Manner cleaning_up;
  CleanUp clean_up_reaches = CleanUp::at_boundary;
  Manner closing;
  SessionFate fate_after_abort = SessionFate::gone;

  /// The connections that are open, oldest first.
  std::vector<Wire*> wires;
  std::size_t connects = 0;
  std::size_t tests = 0;
  std::size_t resets = 0;
  std::size_t rollbacks = 0;
  std::size_t clean_ups = 0;
  std::size_t good_byes = 0;
  std::size_t aborts = 0;
  std::size_t most_wires = 0;
  std::size_t connecting_now = 0;

  /// All connections break.
  inline void kill_all();
};

/// A connection to a FakeServer, with one stream or several.
class Wire final : public Connection {
 public:
  using duration = std::chrono::nanoseconds;

  explicit Wire(FakeServer& server) : server_(&server), streams_(64) {
    server.wires.push_back(this);
    server.most_wires = std::max(server.most_wires, server.wires.size());
  }
  ~Wire() override { std::erase(server_->wires, this); }

  // What a borrower does.

  /// A statement that takes so long.
  boost::asio::awaitable<void> query(duration takes, std::uint32_t stream = 0) {
    streams_[stream] = ReleaseCondition::mid_query;
    FakeServer::Manner manner;
    manner.takes = takes;
    co_await pause(manner);
    streams_[stream] = ReleaseCondition::clean;
  }
  void become(ReleaseCondition condition, std::uint32_t stream = 0) { streams_[stream] = condition; }
  bool is_open() const noexcept { return is_open_; }

  // What the server does.

  void kill() {
    if (!is_open_) return;
    end();
    if (auto const handler = std::exchange(lost_, nullptr)) {
      handler(Error(ErrorClass::transport, SendState::unknown, "the server ended the connection", "eof"));
    }
  }

  // Connection.

  boost::asio::awaitable<void> test(Deadline) override {
    ++server_->tests;
    return pause(server_->testing);
  }
  boost::asio::awaitable<void> reset(std::uint32_t stream, Deadline) override {
    ++server_->resets;
    co_await pause(server_->resetting);
    streams_[stream] = ReleaseCondition::clean;
  }
  boost::asio::awaitable<void> rollback(std::uint32_t stream, Deadline) override {
    ++server_->rollbacks;
    co_await pause(server_->rolling_back);
    streams_[stream] = ReleaseCondition::session_changed;
  }
  boost::asio::awaitable<CleanUp> clean_up(CancelledWork& work, Deadline) override {
    ++server_->clean_ups;
    co_await pause(server_->cleaning_up);
    work.cancel_ended();
    streams_[work.stream()] = ReleaseCondition::clean;
    co_return server_->clean_up_reaches;
  }
  boost::asio::awaitable<void> close(Deadline) override {
    ++server_->good_byes;
    co_await pause(server_->closing);
    end();
  }
  bool looks_alive() noexcept override { return is_open_; }
  ReleaseCondition condition(std::uint32_t stream) const noexcept override {
    return is_open_ ? streams_[stream] : ReleaseCondition::broken;
  }
  void cancel() noexcept override {
    auto const pending = pending_;
    for (auto const& operation : pending) operation->emit(boost::asio::cancellation_type::terminal);
  }
  Aborted abort() noexcept override {
    if (is_open_) ++server_->aborts;
    Aborted result;
    result.session = server_->fate_after_abort;
    bool const is_running = std::find(streams_.begin(), streams_.end(), ReleaseCondition::mid_query) != streams_.end();
    if (is_running) result.operation = SendState::unknown;
    end();
    return result;
  }
  void on_lost(LostHandler handler) override { lost_ = std::move(handler); }

  /// One operation of the given manner; ends when cancelled or aborted, if it is not told to ignore that.
  boost::asio::awaitable<void> pause(FakeServer::Manner manner) {
    auto const server = server_;
    auto const time = server->time;
    auto const until = manner.hangs ? Deadline::time_point::max() : time->now() + manner.takes;
    for (;;) {
      auto const operation = std::make_shared<boost::asio::cancellation_signal>();
      pending_.push_back(operation);
      auto slot = (co_await boost::asio::this_coro::cancellation_state).slot();
      if (slot.is_connected()) {
        slot.assign([operation](boost::asio::cancellation_type type) { operation->emit(type); });
      }
      boost::system::error_code error;
      co_await time->async_wait_until(
          until, boost::asio::bind_cancellation_slot(operation->slot(),
                                                     boost::asio::redirect_error(boost::asio::use_awaitable, error)));
      std::erase(pending_, operation);
      if (error && manner.ignores_the_end) {
        co_await boost::asio::this_coro::reset_cancellation_state();
        continue;
      }
      if (!is_open_) throw Error(ErrorClass::transport, SendState::unknown, "the connection is closed");
      if (error) throw Error(ErrorClass::cancelled, SendState::unknown, "the operation was cancelled");
      if (manner.fails) throw *manner.fails;
      co_return;
    }
  }

 private:
  void end() noexcept {
    is_open_ = false;
    std::erase(server_->wires, this);
    cancel();
  }

  FakeServer* server_;
  std::vector<ReleaseCondition> streams_;
  std::vector<std::shared_ptr<boost::asio::cancellation_signal>> pending_;
  LostHandler lost_;
  bool is_open_ = true;
};

inline void FakeServer::kill_all() {
  auto const victims = wires;
  for (auto* wire : victims) wire->kill();
}

/// Makes Wires to a FakeServer.
class FakeConnector final : public Connector {
 public:
  explicit FakeConnector(FakeServer& server) : server_(&server) {}

  boost::asio::awaitable<std::unique_ptr<Connection>> connect(Deadline, AttemptInfo attempt) override {
    struct Count {
      explicit Count(FakeServer& of) : server(&of) { ++server->connecting_now; }
      Count(Count const&) = delete;
      Count& operator=(Count const&) = delete;
      ~Count() { --server->connecting_now; }
      FakeServer* server;
    };
    ++server_->connects;
    Count const count(*server_);
    auto wire = std::make_unique<Wire>(*server_);
    auto const manner = server_->connecting;
    co_await wire->pause(manner);
    attempt.sign_in();
    auto const signing_in = server_->signing_in;
    co_await wire->pause(signing_in);
    co_return wire;
  }

 private:
  FakeServer* server_;
};

}  // namespace belay::pool
