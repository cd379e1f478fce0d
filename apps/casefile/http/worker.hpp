#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "apps/casefile/http/connection.hpp"
#include "apps/casefile/http/service.hpp"

namespace casefile::http {

/// A thread with its executor and the connections that live there.
class Worker {
 public:
  /// `on_last_gone` is called from the thread when the service's last connection has gone.
  Worker(Service&, std::string thread_name, std::function<void()> on_last_gone);
  Worker(Worker const&) = delete;
  Worker& operator=(Worker const&) = delete;
  ~Worker();

  boost::asio::io_context& context() noexcept { return context_; }
  void start();
  void join();

  enum class Welcome { serve, turn_away };
  /// Takes over a socket of this worker's context, already counted in Service::connections. From any thread, as the
  /// following.
  void adopt(boost::asio::ip::tcp::socket, Welcome);
  void drain();
  void stop();

 private:
  void run();
  void open(boost::asio::ip::tcp::socket, Welcome);
  void forget(Connection const*);
  void count_down();
  void sweep_later();

  Service& service_;
  std::string thread_name_;
  std::function<void()> on_last_gone_;
  ThreadService thread_service_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  boost::asio::steady_timer sweeper_{context_};
  std::vector<std::unique_ptr<Connection>> connections_;
  bool is_draining_ = false;
  bool is_stopped_ = false;
  std::thread thread_;
};

}  // namespace casefile::http
