#include "belay/net/connect.hpp"

#include <exception>
#include <optional>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include "belay/net/detail/alarm.hpp"
#include "belay/net/stream_error.hpp"
#include "belay/net/tcp_stream.hpp"

namespace belay::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using Stream = std::unique_ptr<ByteStream>;

namespace {

std::vector<RaceAddress> described(std::vector<tcp::endpoint> const& endpoints) {
  std::vector<RaceAddress> addresses;
  for (auto const& endpoint : endpoints) {
    auto const family = endpoint.address().is_v6() ? AddressFamily::ipv6 : AddressFamily::ipv4;
    addresses.push_back({family, to_string(endpoint)});
  }
  return addresses;
}

/// Performs what an AddressRace decides: one coroutine waits in run(), and each attempt is one that reports to it.
class Contest : public std::enable_shared_from_this<Contest> {
 public:
  Contest(asio::any_io_executor executor, std::string target, std::vector<tcp::endpoint> endpoints,
          ConnectOptions const& options, Hello hello, Deadline deadline)
      : executor_(executor),
        endpoints_(std::move(endpoints)),
        options_(options),
        hello_(std::move(hello)),
        deadline_(deadline),
        race_(std::move(target), described(endpoints_), options.race,
              hello_ ? AddressRace::Hello::required : AddressRace::Hello::none,
              options.memory != nullptr ? *options.memory : forgetful_, deadline),
        alarm_(executor) {}

  /// Ends when the race is over and no attempt runs any more. Must be awaited with throw_if_cancelled(false): a
  /// cancelled caller still waits for its attempts to end.
  asio::awaitable<void> run() {
    auto const before = co_await asio::this_coro::cancellation_state;
    if (before.cancelled() == asio::cancellation_type::none) {
      race_.begin(alarm_.now());
    } else {  // while the resolver's answer was on its way: no wait below would be told any more
      race_.abandon();
    }
    for (;;) {
      perform();
      if (race_.is_over() && running_ == 0) co_return;
      co_await alarm_.wait(race_.wake_at());
      auto const state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) race_.abandon();
      race_.tick(alarm_.now());
    }
  }

  TcpConnection result() {
    if (unforeseen_) std::rethrow_exception(unforeseen_);
    if (!winner_) throw race_.failure();
    TcpConnection connection;
    connection.stream = std::move(attempts_[*winner_]->stream);
    connection.address = endpoints_[attempts_[*winner_]->address];
    return connection;
  }

 private:
  struct Attempt {
    std::size_t address;
    asio::cancellation_signal stop;
    Stream stream;
    bool is_cancelled = false;
  };

  void perform() {
    while (auto const action = race_.next_action()) {
      switch (action->kind) {
        case AddressRace::Action::Kind::start: start(action->attempt, action->address); break;
        case AddressRace::Action::Kind::cancel: cancel(*attempts_[action->attempt]); break;
        case AddressRace::Action::Kind::won: winner_ = action->attempt; break;
        case AddressRace::Action::Kind::lost: break;
      }
    }
  }

  void start(std::size_t attempt, std::size_t address) {
    attempts_.push_back(std::make_unique<Attempt>());
    attempts_.back()->address = address;
    ++running_;
    auto on_end = [contest = shared_from_this(), attempt](std::exception_ptr failure) {
      contest->ended(attempt, failure);
    };
    auto const slot = attempts_.back()->stop.slot();
    asio::co_spawn(executor_, connect(attempt), asio::bind_cancellation_slot(slot, std::move(on_end)));
  }

  void cancel(Attempt& attempt) {
    attempt.is_cancelled = true;
    attempt.stream.reset();
    attempt.stop.emit(asio::cancellation_type::terminal);
  }

  asio::awaitable<void> connect(std::size_t attempt) {
    auto const endpoint = endpoints_[attempts_[attempt]->address];
    auto stream = co_await options_.dialer->dial(endpoint, options_.socket, deadline_);
    race_.connected(attempt, alarm_.now());
    alarm_.ring();
    if (hello_) {
      stream = co_await hello_(std::move(stream), endpoint, deadline_);
      race_.accepted(attempt, alarm_.now());
    }
    // A late winner: cancelled, but too late to be stopped.
    if (!attempts_[attempt]->is_cancelled) attempts_[attempt]->stream = std::move(stream);
  }

  void ended(std::size_t attempt, std::exception_ptr failure) {
    --running_;
    alarm_.ring();
    if (!failure || attempts_[attempt]->is_cancelled) return;
    try {
      std::rethrow_exception(failure);
    } catch (Error const& error) {
      race_.failed(attempt, error, alarm_.now());
    } catch (boost::system::system_error const& error) {
      race_.failed(attempt, to_error(error.code(), SendState::never_sent, "say hello"), alarm_.now());
    } catch (...) {
      unforeseen_ = failure;
      race_.abandon();
    }
  }

  asio::any_io_executor executor_;
  std::vector<tcp::endpoint> endpoints_;
  ConnectOptions options_;
  Hello hello_;
  Deadline deadline_;
  FamilyMemory forgetful_;
  AddressRace race_;
  detail::Alarm alarm_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  std::size_t running_ = 0;
  std::optional<std::size_t> winner_;
  std::exception_ptr unforeseen_;
};

}  // namespace

asio::awaitable<TcpConnection> connect_tcp_with_hello(std::string host, std::string port, ConnectOptions options,
                                                      Hello hello, Deadline deadline) {
  validate(options.race);
  validate(options.socket);
  auto endpoints = co_await options.resolver->resolve(host, port, deadline);
  auto const target = (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
  auto const executor = co_await asio::this_coro::executor;
  auto const contest =
      std::make_shared<Contest>(executor, target, std::move(endpoints), options, std::move(hello), deadline);

  bool const throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await contest->run();
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return contest->result();
}

asio::awaitable<TcpConnection> connect_tcp(std::string host, std::string port, ConnectOptions options,
                                           Deadline deadline) {
  return connect_tcp_with_hello(std::move(host), std::move(port), options, Hello(), deadline);
}

}  // namespace belay::net
