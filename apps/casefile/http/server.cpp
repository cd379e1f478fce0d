#include "apps/casefile/http/server.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "apps/casefile/http/listener.hpp"
#include "apps/casefile/http/service.hpp"
#include "apps/casefile/http/worker.hpp"
#include "belay/core/error.hpp"
#include "belay/net/tcp_stream.hpp"

namespace casefile::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

class Server::Implementation {
 public:
  Implementation(Options options, Handler handler, ErrorHandler error_handler, PlainError plain_error,
                 AccessLog access_log) {
    service_.options = std::move(options);
    service_.handler = std::move(handler);
    service_.error_handler = std::move(error_handler);
    service_.plain_error = plain_error ? std::move(plain_error) : PlainError(default_plain_error);
    service_.access_log = std::move(access_log);
    auto const threads = service_.options.threads;
    make_workers(threads > 0 ? threads : std::max(1u, std::thread::hardware_concurrency()));
  }

  void start() {
    for (auto const& listen : service_.options.listen) bind(listen);
    if (listeners_.empty()) {
      throw belay::Error(belay::ErrorClass::request, belay::SendState::never_sent,
                         "the server has no address to listen on");
    }
    for (auto const& listener : listeners_) addresses_.push_back(belay::net::to_string(listener->address()));
    for (auto const& listener : listeners_) listener->start();
    for (auto const& worker : workers_) worker->start();
  }

  std::vector<std::string> const& addresses() const noexcept { return addresses_; }
  std::size_t connections() const noexcept { return service_.connections.load(); }

  void drain(belay::Deadline deadline) {
    close_listeners();
    for (auto const& worker : workers_) worker->drain();
    std::unique_lock lock(mutex_);
    auto const is_empty = [this] { return service_.connections.load() == 0; };
    if (deadline.is_never()) {
      last_gone_.wait(lock, is_empty);
    } else {
      last_gone_.wait_until(lock, deadline.at(), is_empty);
    }
    lock.unlock();
    stop();
  }

  void stop() {
    close_listeners();
    for (auto const& worker : workers_) worker->stop();
  }

  void join() {
    std::lock_guard const lock(join_mutex_);
    for (auto const& worker : workers_) worker->join();
  }

 private:
  void make_workers(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      workers_.push_back(std::make_unique<Worker>(service_, "http-" + std::to_string(i), [this] {
        std::lock_guard const lock(mutex_);
        last_gone_.notify_all();
      }));
    }
  }

  /// Binds all addresses of a name. One that the machine does not have (IPv6 where it is switched off) is passed over
  /// as long as another can be had.
  void bind(std::string const& listen) {
    auto const endpoints = endpoints_of(listen);
    std::size_t bound = 0;
    for (auto const& endpoint : endpoints) {
      try {
        listeners_.push_back(std::make_unique<Listener>(service_, endpoint, *workers_.front(),
                                                        [this]() -> Worker& { return next_worker(); }));
        ++bound;
      } catch (boost::system::system_error const& error) {
        bool const is_last_hope = bound == 0 && endpoint == endpoints.back();
        if (!is_missing(error.code()) || is_last_hope) throw cannot_listen(endpoint, error.code());
      }
    }
  }

  static bool is_missing(error_code error) noexcept {
    return error == boost::system::errc::address_not_available || error == asio::error::address_family_not_supported;
  }

  static belay::Error cannot_listen(tcp::endpoint const& endpoint, error_code error) {
    std::string advice;
    if (error == asio::error::address_in_use) advice = "; stop what listens there or choose another port";
    if (error == asio::error::access_denied) advice = "; ports below 1024 need a privilege: choose a higher one";
    if (is_missing(error)) advice = "; this machine has no such address: choose one it has, or 0.0.0.0 for all";
    return {belay::ErrorClass::request, belay::SendState::never_sent,
            "cannot listen on " + belay::net::to_string(endpoint) + ": " + error.message() + advice};
  }

  /// In turn; all listeners live on one thread.
  Worker& next_worker() { return *workers_[next_worker_++ % workers_.size()]; }

  void close_listeners() {
    asio::post(workers_.front()->context(), [this] {
      for (auto const& listener : listeners_) listener->close();
    });
  }

  Service service_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::string> addresses_;
  std::size_t next_worker_ = 0;
  std::mutex mutex_;
  std::condition_variable last_gone_;
  std::mutex join_mutex_;
};

Server::Server(Options options, Handler handler)
    : Server(std::move(options), std::move(handler), ErrorHandler(), PlainError(), AccessLog()) {}

Server::Server(Options options, Handler handler, ErrorHandler error_handler, PlainError plain_error,
               AccessLog access_log)
    : implementation_(std::make_unique<Implementation>(std::move(options), std::move(handler), std::move(error_handler),
                                                       std::move(plain_error), std::move(access_log))) {}

Server::~Server() {
  stop();
  join();
}

void Server::start() { implementation_->start(); }
std::vector<std::string> const& Server::addresses() const { return implementation_->addresses(); }
std::size_t Server::connections() const { return implementation_->connections(); }
void Server::drain(belay::Deadline deadline) { implementation_->drain(deadline); }
void Server::stop() { implementation_->stop(); }
void Server::join() { implementation_->join(); }

}  // namespace casefile::http
