#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belay::testkit {

/// What a FaultProxy has done since its start. Connections are counted before their peers can see what happened to
/// them, bytes right after they were written.
struct FaultProxyCounters {
  std::uint64_t accepted = 0;         ///< connections taken from the listening socket, refused ones included
  std::uint64_t refused = 0;          ///< of these, reset before the target heard of them: a rule or a bound
  std::uint64_t target_failures = 0;  ///< of these, reset because the target could not be reached
  std::uint64_t half_closes = 0;      ///< directions that a rule ended
  std::uint64_t cuts = 0;             ///< connections that a rule or cut_all() closed in good order
  std::uint64_t resets = 0;           ///< connections that a rule, reset_all() or forget_all() reset
  std::uint64_t closed = 0;           ///< connections that ended without a fault: their peers' doing, or stop()
  std::uint64_t open = 0;             ///< connections at this moment
  std::uint64_t bytes_up = 0;         ///< passed from clients to the target
  std::uint64_t bytes_down = 0;       ///< passed from the target to clients
  std::uint64_t bytes_discarded = 0;  ///< arrived after their direction had ended
};

/// One thing that happened to a connection, or to the listening socket.
struct FaultProxyEvent {
  enum class Kind : std::uint8_t {
    accepted,        ///< cause: the client's address
    refused,         ///< cause: the rule or the bound
    connected,       ///< to the target; cause: its address
    target_failed,   ///< cause: the system's reason
    half_closed,     ///< cause: the rule
    cut,             ///< cause: the rule or the command
    reset,           ///< likewise
    closed,          ///< cause: who ended it
    listening,       ///< again, after `refuse`; connection 0
    not_listening,   ///< because of `refuse`; connection 0
    accept_troubled  ///< cause: the system's reason; tried again soon; connection 0
  };
  Kind kind = Kind::accepted;
  std::uint64_t connection = 0;  ///< counted from 1
  std::uint64_t bytes_up = 0;    ///< passed so far
  std::uint64_t bytes_down = 0;
  std::string cause;
};

/// One line without its end: "connection 3 cut after 1024 bytes up, 10 down: cut=1024:up".
std::string to_string(FaultProxyEvent const&);
/// A few lines, each ended: what a person wants to know at the end.
std::string to_string(FaultProxyCounters const&);

}  // namespace belay::testkit
