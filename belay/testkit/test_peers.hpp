#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace belay::testkit {

/// What was read from a socket, and how that ended: 0 for the peer's orderly end, else the errno (EAGAIN: nothing came
/// in time); -1 when enough was read.
struct Reading {
  std::string bytes;
  int error = 0;
};

/// A descriptor that goes with the object.
class OwnedSocket {
 public:
  OwnedSocket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  explicit OwnedSocket(int fd) : fd_(fd) {}
  ~OwnedSocket() { close(); }
  OwnedSocket(OwnedSocket const&) = delete;
  OwnedSocket& operator=(OwnedSocket const&) = delete;
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// A blocking client. Waits at most its patience for anything.
class TestClient {
 public:
  explicit TestClient(std::uint16_t port, std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    be_patient(patience);
    auto const address = loopback(port);
    if (connect(socket_.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0) {
      connect_error_ = errno;
    }
  }
  /// 0, or the errno.
  int connect_error() const { return connect_error_; }
  int fd() const { return socket_.get(); }

  void be_patient(std::chrono::milliseconds patience) {
    timeval const time{patience.count() / 1000, (patience.count() % 1000) * 1000};
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  }
  /// 0, or the errno.
  int send(std::string_view bytes) {
    while (!bytes.empty()) {
      auto const sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return 0;
  }
  void end_sending() { shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.close(); }
  void close_by_reset() {
    linger const at_once{1, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.close();
  }

  Reading read(std::size_t count) {
    Reading reading;
    reading.error = -1;
    std::vector<char> buffer(64 * 1024);
    while (reading.bytes.size() < count) {
      auto const got = recv(socket_.get(), buffer.data(), std::min(buffer.size(), count - reading.bytes.size()), 0);
      if (got <= 0) {
        reading.error = got == 0 ? 0 : errno;
        break;
      }
      reading.bytes.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return reading;
  }
  Reading read_to_end() { return read(std::string::npos); }
  /// One exchange with an echo.
  std::string ask(std::string const& question) {
    if (send(question) != 0) return "cannot send";
    return read(question.size()).bytes;
  }

 private:
  OwnedSocket socket_;
  int connect_error_ = 0;
};

/// A server with a thread for each connection: sends back what it receives until the client ends, then ends too, and
/// remembers all of it.
class EchoServer {
 public:
  enum class Manner { echoes, only_listens };

  explicit EchoServer(Manner manner = Manner::echoes) : manner_(manner) {
    int const yes = 1;
    setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_.get(), 1024) != 0 ||
        getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("the echo server cannot listen");
    }
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~EchoServer() {
    shutdown(listener_.get(), SHUT_RDWR);
    accepting_.join();
    {
      std::lock_guard const lock(mutex_);
      for (auto const& session : sessions_) {
        if (!session.is_over) shutdown(session.fd, SHUT_RDWR);
      }
    }
    for (auto& session : sessions_) session.thread.join();
  }
  EchoServer(EchoServer const&) = delete;
  EchoServer& operator=(EchoServer const&) = delete;

  std::uint16_t port() const { return port_; }
  /// How many connections there were.
  std::size_t sessions() {
    std::lock_guard const lock(mutex_);
    return sessions_.size();
  }
  /// Waits until the session, counted from 0, has come and is over: what it received and how that ended.
  Reading ending_of(std::size_t index) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [&] { return sessions_.size() > index && sessions_[index].is_over; })) {
      return {"", EAGAIN};
    }
    return sessions_[index].received;
  }
  /// Waits until the session has received so many bytes.
  bool has_received(std::size_t index, std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(
        lock, patience, [&] { return sessions_.size() > index && sessions_[index].received.bytes.size() >= count; });
  }
  bool is_over(std::size_t index) {
    std::lock_guard const lock(mutex_);
    return sessions_.size() > index && sessions_[index].is_over;
  }
  /// Sends to the client of a session that has come, whatever its manner.
  void say(std::size_t index, std::string_view bytes) {
    std::lock_guard const lock(mutex_);
    (void)!::send(sessions_[index].fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

 private:
  static constexpr std::chrono::seconds patience{20};

  struct Session {
    int fd = -1;
    Reading received;
    bool is_over = false;
    std::thread thread;
  };

  void accept_all() {
    for (;;) {
      int const fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      std::lock_guard const lock(mutex_);
      auto& session = sessions_.emplace_back();  // a deque: it stays where it is
      session.fd = fd;
      session.thread = std::thread([this, &session, fd] { serve(session, fd); });
      changed_.notify_all();
    }
  }
  void serve(Session& session, int fd) {
    std::vector<char> buffer(64 * 1024);
    int error = 0;
    for (;;) {
      auto const got = recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        error = got == 0 ? 0 : errno;
        break;
      }
      {
        std::lock_guard const lock(mutex_);
        session.received.bytes.append(buffer.data(), static_cast<std::size_t>(got));
      }
      changed_.notify_all();
      if (manner_ == Manner::only_listens) continue;
      for (ssize_t sent = 0; sent < got;) {
        auto const some = ::send(fd, buffer.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
        if (some < 0) break;
        sent += some;
      }
    }
    std::lock_guard const lock(mutex_);
    session.received.error = error;
    session.is_over = true;
    ::close(fd);
    changed_.notify_all();
  }

  Manner manner_;
  OwnedSocket listener_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Session> sessions_;
  std::thread accepting_;
};

}  // namespace belay::testkit
