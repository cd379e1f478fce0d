#pragma once

#include <memory>

#include <boost/asio/awaitable.hpp>

#include "belay/pool/connection.hpp"
#include "belay/pool/connector.hpp"

namespace belay::bench {

/// Does nothing, at once.
class NullConnection final : public pool::Connection {
 public:
  boost::asio::awaitable<void> test(Deadline) override { co_return; }
  boost::asio::awaitable<void> reset(std::uint32_t, Deadline) override { co_return; }
  boost::asio::awaitable<void> rollback(std::uint32_t, Deadline) override { co_return; }
  boost::asio::awaitable<pool::CleanUp> clean_up(pool::CancelledWork&, Deadline) override {
    co_return pool::CleanUp::at_boundary;
  }
  boost::asio::awaitable<void> close(Deadline) override { co_return; }
  bool looks_alive() noexcept override { return true; }
  pool::ReleaseCondition condition(std::uint32_t) const noexcept override { return pool::ReleaseCondition::clean; }
  void cancel() noexcept override {}
  pool::Aborted abort() noexcept override { return {pool::SessionFate::gone, std::nullopt}; }
  void on_lost(LostHandler) override {}
};

class NullConnector final : public pool::Connector {
 public:
  boost::asio::awaitable<std::unique_ptr<pool::Connection>> connect(Deadline, pool::AttemptInfo) override {
    co_return std::make_unique<NullConnection>();
  }
};

}  // namespace belay::bench
