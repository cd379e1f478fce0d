#include "belay/testkit/fault_proxy_report.hpp"

namespace belay::testkit {

std::string to_string(FaultProxyEvent const& event) {
  using Kind = FaultProxyEvent::Kind;
  auto connection = "connection " + std::to_string(event.connection);
  auto const after = " after " + std::to_string(event.bytes_up) + " bytes up, " + std::to_string(event.bytes_down) +
                     " down: " + event.cause;
  switch (event.kind) {  // no default: the compiler reports a missing enumerator
    case Kind::accepted: return connection + " accepted from " + event.cause;
    case Kind::refused: return connection + " refused: " + event.cause;
    case Kind::connected: return connection + " connected to " + event.cause;
    case Kind::target_failed: return connection + " reset, the target cannot be reached: " + event.cause;
    case Kind::half_closed: return connection + " half closed" + after;
    case Kind::cut: return connection + " cut" + after;
    case Kind::reset: return connection + " reset" + after;
    case Kind::closed: return connection + " closed" + after;
    case Kind::listening: return "listening again on " + event.cause;
    case Kind::not_listening: return "not listening: " + event.cause;
    case Kind::accept_troubled: return "cannot accept, trying again: " + event.cause;
  }
  return connection;
}

std::string to_string(FaultProxyCounters const& counters) {
  auto const figure = [](char const* name, std::uint64_t value) { return name + std::to_string(value) + '\n'; };
  return figure("accepted         ", counters.accepted) + figure("refused          ", counters.refused) +
         figure("target failures  ", counters.target_failures) + figure("half closed      ", counters.half_closes) +
         figure("cut              ", counters.cuts) + figure("reset            ", counters.resets) +
         figure("closed           ", counters.closed) + figure("open             ", counters.open) +
         figure("bytes up         ", counters.bytes_up) + figure("bytes down       ", counters.bytes_down) +
         figure("bytes discarded  ", counters.bytes_discarded);
}

}  // namespace belay::testkit
