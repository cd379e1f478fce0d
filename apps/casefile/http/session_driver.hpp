#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/casefile/http/server.hpp"
#include "apps/casefile/http/session.hpp"

namespace casefile::http {

/// Plays the owner of a Session in tests: does at once whatever step() says, with time standing where the test puts it.
class SessionDriver {
 public:
  using Respond = std::function<Response(Request&)>;

  explicit SessionDriver(Limits limits = Limits(), Respond respond = echo)
      : limits_(limits), respond_(std::move(respond)), session_(limits_, now) {
    work();
  }

  /// Hands over what fits; what comes after the end of the connection is lost, as on a socket.
  void receive(std::string_view bytes) {
    while (!bytes.empty() && session_.step() == Session::Step::read) {
      auto const room = session_.room();
      auto const count = std::min(room.size(), bytes.size());
      std::copy_n(bytes.data(), count, room.data());
      session_.received(count, now);
      bytes.remove_prefix(count);
      work();
    }
  }
  void end_input() {
    if (session_.step() == Session::Step::read) session_.input_ended(now);
    work();
  }
  void pass(std::chrono::milliseconds time) {
    now += time;
    session_.expire(now);
    work();
  }
  void drain() {
    session_.drain();
    work();
  }

  bool is_closed() const { return session_.step() == Session::Step::close; }
  Session& session() { return session_; }

  /// Answers with what was asked, so that a test sees what the handler saw.
  static Response echo(Request& request) {
    Response response;
    response.content_type = "text/plain";
    response.body = request.method + ' ' + request.path + ' ' + request.body;
    return response;
  }

  Session::time_point now{};
  std::string output;
  std::vector<std::string> requests;  ///< "POST /path body" of each handled one
  std::vector<unsigned> refusals;
  std::vector<std::string> methods;  ///< of all that was answered, handled or refused; empty where none was understood
  bool was_shut_down = false;

 private:
  void work() {
    for (;;) {
      switch (session_.step()) {
        case Session::Step::read:
        case Session::Step::close: return;
        case Session::Step::handle: handle(); break;
        case Session::Step::refuse: refuse(); break;
        case Session::Step::write: write(); break;
        case Session::Step::shut_down:
          was_shut_down = true;
          session_.was_shut_down(now);
          break;
      }
    }
  }

  void handle() {
    auto& request = session_.request();
    methods.push_back(request.method);
    requests.push_back(request.method + ' ' + request.path + ' ' + request.body);
    auto response = respond_(request);
    if (!session_.try_respond(response, "", "today", now)) {
      auto plain = default_plain_error(500, "HTTPException", "refused response");
      (void)session_.try_respond(plain, "", "today", now);
    }
  }

  void refuse() {
    methods.push_back(session_.request().method);
    refusals.push_back(session_.refusal().status);
    auto response = default_plain_error(session_.refusal().status, "HTTPException", session_.refusal().message);
    (void)session_.try_respond(response, "", "today", now);
  }

  /// Three bytes at first, the rest then: as a socket may.
  void write() {
    auto const pieces = session_.output();
    auto const first = pieces[0].empty() ? pieces[1] : pieces[0];
    auto const count = std::min<std::size_t>(first.size(), output.size() % 2 == 0 ? 3 : first.size());
    output += first.substr(0, count);
    session_.written(count, now);
  }

  Limits limits_;
  Respond respond_;
  Session session_;
};

}  // namespace casefile::http
