#include "apps/casefile/http/worker.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <pthread.h>

#include "belay/net/tcp_stream.hpp"

namespace casefile::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

std::uint64_t seed_from_entropy() {
  std::random_device entropy;
  return std::uint64_t{entropy()} << 32 | entropy();
}

}  // namespace

Worker::Worker(Service& service, std::string thread_name, std::function<void()> on_last_gone)
    : service_(service),
      thread_name_(std::move(thread_name)),
      on_last_gone_(std::move(on_last_gone)),
      thread_service_(seed_from_entropy()) {}

Worker::~Worker() = default;

void Worker::start() {
  sweep_later();
  thread_ = std::thread([this] { run(); });
}

void Worker::run() {
  pthread_setname_np(pthread_self(), thread_name_.c_str());
  context_.run();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::adopt(tcp::socket socket, Welcome welcome) {
  asio::post(context_, [this, accepted = std::move(socket), welcome]() mutable { open(std::move(accepted), welcome); });
}

void Worker::open(tcp::socket socket, Welcome welcome) {
  if (is_stopped_) return count_down();
  error_code error;
  auto const endpoint = socket.remote_endpoint(error);
  if (error) return count_down();  // gone before it was looked at
  auto& connection = *connections_.emplace_back(
      std::make_unique<Connection>(service_, thread_service_, belay::net::make_tcp_stream(std::move(socket)),
                                   belay::net::to_string(endpoint), std::chrono::steady_clock::now()));
  if (welcome == Welcome::turn_away) connection.turn_away();
  if (is_draining_) connection.drain();
  asio::co_spawn(context_, connection.serve(),
                 asio::bind_cancellation_slot(connection.stop_slot(),
                                              [this, &connection](std::exception_ptr) { forget(&connection); }));
}

void Worker::forget(Connection const* gone) {
  auto const place = std::find_if(connections_.begin(), connections_.end(),
                                  [gone](auto const& connection) { return connection.get() == gone; });
  std::swap(*place, connections_.back());
  connections_.pop_back();
  count_down();
}

void Worker::count_down() {
  if (service_.connections.fetch_sub(1) == 1) on_last_gone_();
}

void Worker::sweep_later() {
  sweeper_.expires_after(service_.options.sweep_interval);
  sweeper_.async_wait([this](error_code error) {
    if (error || is_stopped_) return;  // the timer may have fired just before it was cancelled
    auto const now = std::chrono::steady_clock::now();
    for (auto const& connection : connections_) connection->sweep(now);
    sweep_later();
  });
}

void Worker::drain() {
  asio::post(context_, [this] {
    is_draining_ = true;
    // Once around the loop first: requests that have arrived but were not read yet count as in flight.
    asio::post(context_, [this] {
      for (auto const& connection : connections_) connection->drain();
    });
  });
}

void Worker::stop() {
  asio::post(context_, [this] {
    is_stopped_ = true;
    sweeper_.cancel();
    work_.reset();
    for (auto const& connection : connections_) connection->stop();
  });
}

}  // namespace casefile::http
