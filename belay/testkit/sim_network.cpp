#include "belay/testkit/sim_network.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "belay/core/error.hpp"
#include "belay/net/detail/connect_socket.hpp"
#include "belay/net/tcp_stream.hpp"
#include "belay/testkit/detail/sim_connection.hpp"
#include "belay/testkit/sim_time.hpp"

namespace belay::testkit {

namespace asio = boost::asio;
using boost::system::error_code;
using boost::system::system_error;
using detail::SimConnection;
using detail::SimLink;
using std::chrono::nanoseconds;
using Stream = std::unique_ptr<net::ByteStream>;

namespace detail {

/// An address that listens: who is connected and not yet accepted, and who waits to accept.
struct SimListenerState {
  using Handler = asio::any_completion_handler<void(error_code)>;
  struct Waiting {
    Handler handler;
    SimScheduler::Label label;
  };

  SimScheduler* scheduler = nullptr;
  Address address;
  std::size_t backlog_max = 0;
  struct Arrived {
    Stream stream;
    std::shared_ptr<SimConnection> connection;
  };
  std::deque<Arrived> backlog;
  std::deque<SimScheduler::Handle> acceptors;
  bool is_open = true;

  void add(Arrived arrived) {
    backlog.push_back(std::move(arrived));
    wake(error_code());
  }
  /// The longest waiting acceptor that still waits. False when there is none.
  bool wake(error_code error) {
    while (!acceptors.empty()) {
      auto waiting = scheduler->take<Waiting>(acceptors.front());
      acceptors.pop_front();
      if (!waiting) continue;
      complete(*std::move(waiting), error);
      return true;
    }
    return false;
  }
  void complete(Waiting waiting, error_code error) {
    auto slot = asio::get_associated_cancellation_slot(waiting.handler);
    if (slot.is_connected()) slot.clear();
    scheduler->complete(waiting.label, std::move(waiting.handler), error);
  }
  void start_wait(Handler handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto const parked = scheduler->park(Waiting{std::move(handler), scheduler->current_label()});
    acceptors.push_back(parked);
    if (!slot.is_connected()) return;
    // The listener's frame may be gone when the slot is used, the scheduler is not.
    slot.assign([scheduler = this->scheduler, parked](asio::cancellation_type) {
      auto waiting = scheduler->take<Waiting>(parked);
      if (!waiting) return;
      scheduler->complete(waiting->label, std::move(waiting->handler), error_code(asio::error::operation_aborted));
    });
  }
};

class SimNetworkState : public std::enable_shared_from_this<SimNetworkState> {
 public:
  SimNetworkState(SimScheduler& on, LinkOptions const& link_defaults)
      : scheduler(on), time(on), defaults(link_defaults) {}

  SimScheduler& scheduler;
  SimTime time;
  LinkOptions defaults;
  SimTraffic traffic;
  std::map<std::pair<Host, Host>, SimLink> links;
  std::map<Address, std::weak_ptr<SimListenerState>> listeners;
  std::map<Address, Arrival> arrivals;
  FaultPlan plan;

  struct Made {
    std::weak_ptr<SimConnection> connection;
    Host from;
    Address to;
  };
  std::map<std::uint64_t, Made> connections;
  std::uint64_t next_id = 1;

  SimLink& link(Host const& from, Host const& to) {
    return links.try_emplace(std::pair(from, to), SimLink{defaults, false}).first->second;
  }

  std::shared_ptr<SimListenerState> listener(Address const& address) {
    auto const found = listeners.find(address);
    if (found == listeners.end()) return nullptr;
    auto state = found->second.lock();
    return state && state->is_open ? state : nullptr;
  }

  Arrival arrival_at(Address const& address, Arrival planned) const {
    auto const set = arrivals.find(address);
    return set != arrivals.end() && set->second != Arrival::accept ? set->second : planned;
  }

  std::pair<std::shared_ptr<SimConnection>, std::pair<Stream, Stream>> make(Host const& from, Address const& to,
                                                                            ConnectionFaults const& faults) {
    if (faults.link) check(*faults.link);
    forget_closed();
    auto const id = next_id++;
    // Shares ownership of the whole state: the links must outlive the connection.
    std::shared_ptr<SimTraffic> const shared_traffic(shared_from_this(), &traffic);
    auto connection =
        std::make_shared<SimConnection>(scheduler, scheduler.random("connection " + std::to_string(id)), shared_traffic,
                                        id, link(from, to.address()), link(to.address(), from), faults);
    connections.emplace(id, Made{connection, from, to});
    std::pair<Stream, Stream> ends(make_sim_stream(connection, SimConnection::client),
                                   make_sim_stream(connection, SimConnection::server));
    return {std::move(connection), std::move(ends)};
  }

  void changed(Host const& a, Host const& b) {
    for (auto const& [id, made] : connections) {
      auto const uses = (made.from == a && made.to.address() == b) || (made.from == b && made.to.address() == a);
      if (!uses) continue;
      if (auto const connection = made.connection.lock()) connection->links_changed();
    }
  }

  template <class Act>
  void for_connection(std::uint64_t id, Act act) {
    auto const found = connections.find(id);
    if (found == connections.end()) return;
    if (auto const connection = found->second.connection.lock()) act(*connection);
  }

  asio::awaitable<Stream> connect(Host from, Address to, Deadline deadline);

 private:
  void forget_closed() {
    if (connections.size() < forget_at_) return;
    std::erase_if(connections, [](auto const& entry) { return entry.second.connection.expired(); });
    forget_at_ = 64 + 2 * connections.size();
  }
  asio::awaitable<void> pass(nanoseconds, Deadline, std::string const& what);
  nanoseconds travel(SimLink const&);

  std::size_t forget_at_ = 64;
};

/// Waits, but not past the deadline: throws timeout_local there.
asio::awaitable<void> SimNetworkState::pass(nanoseconds pause, Deadline deadline, std::string const& what) {
  auto const until = Deadline::at(scheduler.now() + pause);
  error_code error;
  try {
    co_await time.wait_until(earlier(until, deadline).at());
  } catch (system_error const& cancelled) {
    error = cancelled.code();
  }
  if (error) throw net::detail::connect_error(error, what);
  if (deadline < until) throw net::detail::late_error(what);
}

nanoseconds SimNetworkState::travel(SimLink const& link) {
  if (link.options.jitter == nanoseconds::zero()) return link.options.latency;
  auto random = scheduler.random("handshake " + std::to_string(traffic.counts.syns));
  return link.options.latency + nanoseconds(random.below(static_cast<std::uint64_t>(link.options.jitter.count()) + 1));
}

asio::awaitable<Stream> SimNetworkState::connect(Host from, Address to, Deadline deadline) {
  auto const self = shared_from_this();
  auto const what = "connect to " + net::to_string(to);
  if (deadline.expired(scheduler.now())) throw net::detail::late_error(what);

  ConnectAttempt attempt;
  attempt.number = ++traffic.counts.attempts;
  attempt.from = from;
  attempt.to = to;
  auto const faults = plan ? plan(attempt) : ConnectionFaults();
  auto& out = link(from, to.address());
  auto& back = link(to.address(), from);

  constexpr int syns_max = 7;  // as Linux: the first and 6 more, 127 s
  nanoseconds pause = std::chrono::seconds(1);
  for (int syn = 0; syn < syns_max; ++syn, pause *= 2) {
    auto const next_syn_at = scheduler.now() + pause;
    ++traffic.counts.syns;
    auto arrival = arrival_at(to, faults.arrival);
    if (arrival == Arrival::unreachable) {
      throw net::detail::connect_error(asio::error::host_unreachable, what);
    }
    if (!out.is_partitioned && arrival != Arrival::black_hole) {
      co_await pass(travel(out), deadline, what);
      arrival = arrival_at(to, faults.arrival);
      bool const has_listener = listener(to) != nullptr;
      bool const is_dropped =
          has_listener && arrival == Arrival::accept && listener(to)->backlog.size() >= listener(to)->backlog_max;
      if (!is_dropped && !back.is_partitioned && arrival != Arrival::black_hole) {
        co_await pass(travel(back), deadline, what);
        auto const listens = listener(to);  // it may have closed meanwhile
        if (arrival == Arrival::refuse || (arrival == Arrival::accept && !listens)) {
          ++traffic.counts.refused;
          scheduler.note("refused attempt", attempt.number, to.port());
          throw net::detail::connect_error(asio::error::connection_refused, what);
        }
        auto made = make(from, to, faults);
        ++traffic.counts.established;
        scheduler.note("connected attempt, as", attempt.number, made.first->id());
        auto& [client, server] = made.second;
        if (arrival == Arrival::accept) listens->add({std::move(server), made.first});
        if (arrival == Arrival::accept_then_reset) made.first->reset_from(SimConnection::server);
        co_return std::move(client);  // accept_then_close: the server's end goes here
      }
    }
    co_await pass(std::max(next_syn_at - scheduler.now(), nanoseconds::zero()), deadline, what);
  }
  throw net::detail::connect_error(asio::error::timed_out, what);
}

}  // namespace detail

SimListener::SimListener(std::shared_ptr<detail::SimListenerState> state) : state_(std::move(state)) {}

SimListener::~SimListener() {
  if (state_) close();
}

Address SimListener::address() const noexcept { return state_->address; }

asio::awaitable<Stream> SimListener::accept() {
  auto const state = state_;
  while (state->backlog.empty()) {
    if (!state->is_open) throw system_error(asio::error::operation_aborted);
    auto const initiate = [&state](auto handler) { state->start_wait(std::move(handler)); };
    co_await asio::async_initiate<asio::use_awaitable_t<> const, void(error_code)>(initiate, asio::use_awaitable);
  }
  auto stream = std::move(state->backlog.front().stream);
  state->backlog.pop_front();
  co_return stream;
}

void SimListener::close() noexcept {
  if (!std::exchange(state_->is_open, false)) return;
  for (auto const& arrived : state_->backlog) arrived.connection->reset_from(SimConnection::server);
  state_->backlog.clear();
  while (state_->wake(asio::error::operation_aborted)) {
  }
}

SimNetwork::SimNetwork(SimScheduler& scheduler, LinkOptions defaults) {
  check(defaults);
  state_ = std::make_shared<detail::SimNetworkState>(scheduler, defaults);
}

SimNetwork::~SimNetwork() = default;

SimListener SimNetwork::listen(Address address, std::size_t backlog) {
  if (backlog < 1) throw Error(ErrorClass::request, SendState::never_sent, "listen: the backlog must be at least 1");
  if (state_->listener(address)) {
    throw Error(ErrorClass::request, SendState::never_sent, net::to_string(address) + " is listened to already");
  }
  auto const listener = std::make_shared<detail::SimListenerState>();
  listener->scheduler = &state_->scheduler;
  listener->address = address;
  listener->backlog_max = backlog;
  state_->listeners[address] = listener;
  return SimListener(listener);
}

asio::awaitable<Stream> SimNetwork::connect(Host from, Address to, Deadline deadline) {
  return state_->connect(std::move(from), std::move(to), deadline);
}

std::pair<Stream, Stream> SimNetwork::make_pair(Host from, Address to, ConnectionFaults faults) {
  return std::move(state_->make(from, to, faults).second);
}

void SimNetwork::set_link(Host from, Host to, LinkOptions options) {
  check(options);
  state_->link(from, to).options = options;
}

void SimNetwork::set_links_between(Host a, Host b, LinkOptions options) {
  set_link(a, b, options);
  set_link(b, a, options);
}

void SimNetwork::partition(Host from, Host to) {
  state_->link(from, to).is_partitioned = true;
  state_->changed(from, to);
}

void SimNetwork::partition_both_ways(Host a, Host b) {
  partition(a, b);
  partition(b, a);
}

void SimNetwork::heal(Host from, Host to) {
  state_->link(from, to).is_partitioned = false;
  state_->changed(from, to);
}

void SimNetwork::heal_both_ways(Host a, Host b) {
  heal(a, b);
  heal(b, a);
}

void SimNetwork::heal_all() {
  for (auto& [hosts, link] : state_->links) {
    if (std::exchange(link.is_partitioned, false)) state_->changed(hosts.first, hosts.second);
  }
}

void SimNetwork::set_arrival(Address address, Arrival arrival) { state_->arrivals[address] = arrival; }

void SimNetwork::set_plan(FaultPlan plan) { state_->plan = std::move(plan); }

std::vector<SimNetwork::Connection> SimNetwork::connections() const {
  std::vector<Connection> open;
  for (auto const& [id, made] : state_->connections) {
    auto const connection = made.connection.lock();
    if (!connection) continue;
    if (!connection->is_open(SimConnection::client) && !connection->is_open(SimConnection::server)) continue;
    open.push_back({id, made.from, made.to, connection->arrived_from(SimConnection::client),
                    connection->arrived_from(SimConnection::server)});
  }
  return open;
}

void SimNetwork::end(std::uint64_t id, Ending how) {
  state_->for_connection(id, [&](SimConnection& connection) { connection.end(how); });
}

void SimNetwork::end_all(Address to, Ending how) {
  for (auto const& [id, made] : state_->connections) {
    if (made.to == to) end(id, how);
  }
}

void SimNetwork::cut(std::uint64_t id, Flow flow, Cut cut) {
  auto const side = flow == Flow::to_server ? SimConnection::client : SimConnection::server;
  state_->for_connection(id, [&](SimConnection& connection) { connection.set_cut(side, cut); });
}

SimNetwork::Counts SimNetwork::counts() const noexcept { return state_->traffic.counts; }

}  // namespace belay::testkit
