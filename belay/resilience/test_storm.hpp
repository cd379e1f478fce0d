#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <numeric>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "belay/core/error.hpp"
#include "belay/core/random.hpp"
#include "belay/resilience/recovery.hpp"

namespace belay::resilience::test {

/// How a server guards its logins.
enum class LoginLimiter {
  refuses,  ///< beyond the capacity a login is answered at once with "too many connections"
  queues    ///< logins wait their turn; one whose client has given up costs its turn all the same
};

/// A reconnect storm: processes that know nothing of each other lose all connections at once and want them back from a
/// server that can only log in so many per second. The defaults are the miniature; the full size is 40 clients against
/// 50 logins per second.
struct StormOptions {
  std::size_t clients = 50;  ///< processes that know nothing of each other
  std::size_t slots = 25;    ///< connections each of them wants
  LoginLimiter limiter = LoginLimiter::refuses;
  double logins_per_second = 20;
  double login_burst = 20;  ///< logins a refusing server accepts at once after a pause
  std::chrono::nanoseconds round_trip = std::chrono::milliseconds(5);
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10);
  std::chrono::nanoseconds outage = std::chrono::seconds(30);  ///< connections are refused for this long
  std::chrono::nanoseconds give_up_after = std::chrono::minutes(30);
  RecoveryOptions recovery = {};
};

struct StormResult {
  bool recovered = false;
  double seconds = 0;                   ///< from the server's return to the last slot's login
  double ideal_seconds = 0;             ///< all slots at the login capacity
  std::vector<std::uint32_t> attempts;  ///< in each second since the server's return
  std::vector<std::uint32_t> logins;    ///< of those, by the second in which they succeeded
  std::uint64_t attempts_in_outage = 0;
  double logins_per_second = 0;  ///< the capacity

  double recovery_over_ideal() const { return seconds / ideal_seconds; }
  /// Attempts over capacity, as a mean from `from_second`, when each client knows that the server is back, to the ideal
  /// end.
  double steady_attempts_over_capacity(std::size_t from_second) const {
    auto const until = std::min(attempts.size(), static_cast<std::size_t>(ideal_seconds));
    if (from_second >= until) return 0;
    auto const first = attempts.begin() + static_cast<std::ptrdiff_t>(from_second);
    auto const last = attempts.begin() + static_cast<std::ptrdiff_t>(until);
    return std::accumulate(first, last, 0.0) / static_cast<double>(until - from_second) / logins_per_second;
  }
  double attempts_per_login() const {
    return std::accumulate(attempts.begin(), attempts.end(), 0.0) / std::accumulate(logins.begin(), logins.end(), 0.0);
  }
};

/// One storm in virtual time; the seed decides everything.
class Storm {
 public:
  using time_point = ConnectGate::time_point;

  Storm(StormOptions const& options, std::uint64_t seed) : options_(options), tokens_(options.login_burst) {
    Random const random(seed);
    for (std::size_t i = 0; i < options.clients; ++i) {
      clients_.push_back({Recovery(options.recovery, random.fork(std::to_string(i)))});
    }
  }

  StormResult run() {
    for (auto& client : clients_) lose_all(client);
    while (!events_.empty() && missing_ > 0 && now_ < up_at_ + options_.give_up_after) {
      auto event = events_.top();
      events_.pop();
      now_ = event.at;
      event.happens();
    }
    result_.recovered = missing_ == 0;
    result_.logins_per_second = options_.logins_per_second;
    result_.seconds = std::chrono::duration<double>(now_ - up_at_).count();
    result_.ideal_seconds = static_cast<double>(options_.clients * options_.slots) / options_.logins_per_second;
    return result_;
  }

 private:
  struct Client {
    Recovery recovery;
    std::size_t live = 0;
    std::size_t connecting = 0;
    time_point wakes_at = time_point::max();
  };

  struct Event {
    time_point at;
    std::uint64_t order;
    std::function<void()> happens;
    bool operator<(Event const& other) const { return std::pair(other.at, other.order) < std::pair(at, order); }
  };

  void at(time_point when, std::function<void()> happens) { events_.push({when, ++order_, std::move(happens)}); }

  void lose_all(Client& client) {
    missing_ += options_.slots;
    // The slots were connected before the server went away.
    auto const ticket = client.recovery.try_connect(now_ - std::chrono::hours(1)).ticket;
    client.recovery.connected(ticket.value(), now_ - std::chrono::hours(1));
    client.recovery.lost_all(now_);
    ask(client);
  }

  void ask(Client& client) {
    while (client.live + client.connecting < options_.slots) {
      auto const answer = client.recovery.try_connect(now_);
      if (answer.ticket) {
        ++client.connecting;
        connect(client, *answer.ticket);
        continue;
      }
      if (answer.retry_at < client.wakes_at) {
        client.wakes_at = answer.retry_at;
        at(answer.retry_at, [this, &client, at = answer.retry_at] {
          if (client.wakes_at != at) return;
          client.wakes_at = time_point::max();
          ask(client);
        });
      }
      return;
    }
  }

  void connect(Client& client, ConnectTicket ticket) {
    if (now_ < up_at_) {
      ++result_.attempts_in_outage;
      return end_later(options_.round_trip, client, ticket, ErrorClass::transport);
    }
    count(result_.attempts);
    if (options_.limiter == LoginLimiter::refuses) {
      tokens_ = std::min(options_.login_burst, tokens_ + std::chrono::duration<double>(now_ - filled_at_).count() *
                                                             options_.logins_per_second);
      filled_at_ = now_;
      if (tokens_ < 1) return end_later(options_.round_trip, client, ticket, ErrorClass::overload);
      tokens_ -= 1;
      return end_later(options_.round_trip, client, ticket, std::nullopt);
    }
    auto const one_login = std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / options_.logins_per_second));
    queue_free_at_ = std::max(queue_free_at_, now_) + one_login;
    auto const wait = queue_free_at_ - now_ + options_.round_trip;
    if (wait > options_.connect_timeout) {
      return end_later(options_.connect_timeout, client, ticket, ErrorClass::timeout_local);
    }
    end_later(wait, client, ticket, std::nullopt);
  }

  void end_later(std::chrono::nanoseconds wait, Client& client, ConnectTicket ticket, std::optional<ErrorClass> error) {
    at(now_ + wait, [this, &client, ticket, error] {
      --client.connecting;
      if (error) {
        client.recovery.failed(ticket, *error, false, now_);
      } else {
        client.recovery.connected(ticket, now_);
        ++client.live;
        --missing_;
        count(result_.logins);
      }
      ask(client);
    });
  }

  void count(std::vector<std::uint32_t>& per_second) {
    auto const second = static_cast<std::size_t>((now_ - up_at_) / std::chrono::seconds(1));
    if (per_second.size() <= second) per_second.resize(second + 1);
    ++per_second[second];
  }

  StormOptions options_;
  std::deque<Client> clients_;
  std::priority_queue<Event> events_;
  std::uint64_t order_ = 0;
  time_point now_ = time_point() + std::chrono::hours(2);
  time_point up_at_ = now_ + options_.outage;
  double tokens_;
  time_point filled_at_ = now_;
  time_point queue_free_at_ = now_;
  std::size_t missing_ = 0;
  StormResult result_;
};

}  // namespace belay::resilience::test
