#include "tests/integration/http_client.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace belay::tests {

namespace {

[[noreturn]] void fail(std::string const& what) {
  throw std::runtime_error(what + (errno ? std::string(": ") + std::strerror(errno) : std::string()));
}

}  // namespace

/// A socket and what was read from it beyond the last answer.
struct HttpClient::Connection {
  int socket = -1;
  std::string unread;

  explicit Connection(std::uint16_t port, int patience_ms = 10000) {
    socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval const patience{patience_ms / 1000, (patience_ms % 1000) * 1000};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int const on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      auto const why = errno;
      close(socket);
      errno = why;
      fail("cannot connect");
    }
  }
  ~Connection() { close(socket); }
  Connection(Connection const&) = delete;
  Connection& operator=(Connection const&) = delete;

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      auto const n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) fail("cannot send");
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// Reads some more; false at the end of the stream.
  bool read() {
    char buffer[16384];
    errno = 0;
    auto const n = ::recv(socket, buffer, sizeof buffer, 0);
    if (n < 0) fail("cannot receive");
    unread.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }

  Answer answer(bool has_body) {
    Answer answer;
    std::size_t end;
    while ((end = unread.find("\r\n\r\n")) == std::string::npos) {
      if (!read()) fail("the server closed the connection before an answer");
    }
    auto head = unread.substr(0, end + 2);
    unread.erase(0, end + 4);
    answer.status = std::stoi(head.substr(9, 3));
    for (auto begin = head.find("\r\n") + 2; begin < head.size();) {
      auto const line_end = head.find("\r\n", begin);
      auto const colon = head.find(": ", begin);
      answer.headers.emplace_back(head.substr(begin, colon - begin), head.substr(colon + 2, line_end - colon - 2));
      begin = line_end + 2;
    }
    auto const length = answer.header("content-length");
    if (!has_body || length.empty()) return answer;
    auto const bytes = std::stoul(length);
    while (unread.size() < bytes) {
      if (!read()) fail("the server closed the connection inside an answer");
    }
    answer.body = unread.substr(0, bytes);
    unread.erase(0, bytes);
    return answer;
  }
};

std::string Answer::header(std::string const& name) const {
  for (auto const& [key, value] : headers) {
    if (strcasecmp(key.c_str(), name.c_str()) == 0) return value;
  }
  return {};
}

boost::json::value Answer::json() const { return boost::json::parse(body); }

HttpClient::HttpClient(std::uint16_t port) : port_(port) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

Answer HttpClient::send(std::string const& method, std::string const& target, std::string const& body,
                        std::vector<std::pair<std::string, std::string>> const& headers) {
  if (!connection_) connection_ = std::make_unique<Connection>(port_);
  auto request = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n";
  if (!body.empty() || method == "POST" || method == "PUT") {
    request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  for (auto const& [name, value] : headers) request += name + ": " + value + "\r\n";
  request += "\r\n" + body;
  try {
    connection_->write(request);
    auto answer = connection_->answer(method != "HEAD" && method != "CONNECT");
    if (answer.header("connection") == "close") connection_.reset();
    return answer;
  } catch (...) {
    connection_.reset();
    throw;
  }
}

std::string HttpClient::raw(std::uint16_t port, std::string const& bytes, int patience_ms) {
  Connection connection(port, patience_ms);
  try {
    connection.write(bytes);
    while (connection.read()) {
    }
  } catch (std::runtime_error const&) {
    // A refused or silent connection ends the answer: what came until then is the result.
  }
  return connection.unread;
}

}  // namespace belay::tests
