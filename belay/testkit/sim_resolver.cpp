#include "belay/testkit/sim_resolver.hpp"

#include <charconv>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "belay/core/error.hpp"
#include "belay/net/detail/connect_socket.hpp"

namespace belay::testkit {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

std::uint16_t port_number(std::string const& port) {
  std::uint16_t number = 0;
  auto const end = port.data() + port.size();
  if (auto const read = std::from_chars(port.data(), end, number); read.ec != std::errc() || read.ptr != end) {
    throw Error(ErrorClass::request, SendState::never_sent, "a simulated resolver knows ports by number only: " + port);
  }
  return number;
}

}  // namespace

void SimResolver::set(std::string name, std::vector<Host> addresses, std::chrono::nanoseconds ttl) {
  if (ttl < std::chrono::nanoseconds::zero()) {
    throw Error(ErrorClass::request, SendState::never_sent, "SimResolver::set: ttl must not be negative");
  }
  records_[std::move(name)] = Record{std::move(addresses), ttl};
}

void SimResolver::remove(std::string const& name) { records_.erase(name); }

asio::awaitable<std::vector<Address>> SimResolver::resolve(std::string host, std::string port, Deadline deadline) {
  auto const what = "resolve " + host + ":" + port;
  auto const number = port_number(port);
  if (deadline.expired(scheduler_.now())) throw net::detail::late_error(what);
  std::vector<Host> hosts;
  error_code not_numeric;
  auto const numeric = asio::ip::make_address(host, not_numeric);
  auto const cached = cache_.find(host);
  if (!not_numeric) {
    hosts.push_back(numeric);
  } else if (cached != cache_.end() && scheduler_.now() < cached->second.until) {
    hosts = cached->second.hosts;
  } else {
    hosts = co_await ask(host, deadline, what);
  }
  if (hosts.empty()) throw net::detail::connect_error(error_code(), what);
  std::vector<Address> addresses;
  for (auto const& each : hosts) addresses.emplace_back(each, number);
  co_return addresses;
}

asio::awaitable<std::vector<Host>> SimResolver::ask(std::string const& host, Deadline deadline,
                                                    std::string const& what) {
  ++queries_;
  auto const answer_at = delay_ ? Deadline::at(scheduler_.now() + *delay_) : Deadline::never();
  error_code error;
  try {
    co_await time_.wait_until(earlier(answer_at, deadline).at());
  } catch (boost::system::system_error const& cancelled) {
    error = cancelled.code();
  }
  if (error) throw net::detail::connect_error(error, what);
  if (deadline < answer_at) throw net::detail::late_error(what);
  auto const record = records_.find(host);
  if (record == records_.end()) throw net::detail::connect_error(asio::error::host_not_found, what);
  cache_[host] = Cached{record->second.hosts, scheduler_.now() + record->second.ttl};
  co_return record->second.hosts;
}

}  // namespace belay::testkit
