#include "belay/net/socket_options.hpp"

#include <cstdint>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "belay/core/error.hpp"

namespace belay::net {

namespace asio = boost::asio;

namespace {

void require_range(std::string_view option, std::string_view unit, std::int64_t value, std::int64_t low,
                   std::int64_t high) {
  if (value >= low && value <= high) return;
  auto const in_units = [&](std::int64_t number) { return std::to_string(number) + std::string(unit); };
  throw Error(ErrorClass::request, SendState::never_sent,
              "socket option " + std::string(option) + " is " + in_units(value) + ", it must lie between " +
                  in_units(low) + " and " + in_units(high));
}

template <int name>
using TcpOption = asio::detail::socket_option::integer<IPPROTO_TCP, name>;

}  // namespace

void validate(SocketOptions const& options) {
  if (auto const& keep_alive = options.keep_alive) {
    constexpr std::int64_t kernel_seconds_max = 32'400;  // the kernel takes 32,767; nine hours is what we promise
    require_range("keep_alive.idle", " s", keep_alive->idle.count(), 1, kernel_seconds_max);
    require_range("keep_alive.interval", " s", keep_alive->interval.count(), 1, kernel_seconds_max);
    require_range("keep_alive.probes", "", keep_alive->probes, 1, 127);
  }
  if (options.user_timeout) require_range("user_timeout", " ms", options.user_timeout->count(), 1'000, 86'400'000);
}

void apply(SocketOptions const& options, asio::ip::tcp::socket& socket) {
  socket.set_option(asio::ip::tcp::no_delay(options.no_delay));
  socket.set_option(asio::socket_base::keep_alive(options.keep_alive.has_value()));
  if (auto const& keep_alive = options.keep_alive) {
    socket.set_option(TcpOption<TCP_KEEPIDLE>(static_cast<int>(keep_alive->idle.count())));
    socket.set_option(TcpOption<TCP_KEEPINTVL>(static_cast<int>(keep_alive->interval.count())));
    socket.set_option(TcpOption<TCP_KEEPCNT>(keep_alive->probes));
  }
  if (options.user_timeout) {
    socket.set_option(TcpOption<TCP_USER_TIMEOUT>(static_cast<int>(options.user_timeout->count())));
  }
}

}  // namespace belay::net
