#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace casefile::http {

/// One answered request, as it is told to the access log. Views are valid during the call only.
struct AccessRecord {
  std::string_view id;      ///< the request's id
  std::string_view method;  ///< empty when the head was never understood
  std::string_view target;  ///< path and query as sent
  std::string_view route;   ///< the pattern that matched; empty when none did
  std::string_view peer;
  unsigned status = 0;
  std::uint64_t body_bytes = 0;          ///< of the answer
  std::chrono::nanoseconds duration{0};  ///< from the request's complete arrival to its answer, without the sending
};

/// Called once per answer, from the connection's thread; must be thread-safe and must not block. Empty: no log.
using AccessLog = std::function<void(AccessRecord const&)>;

/// The record as one compact JSON object without a line end: {"ts":…,"id":…,"method":…,"target":…,"route":…,
/// "status":…,"bytes":…,"duration_us":…,"peer":…}. Control characters and bytes that are no UTF-8 are escaped, so that
/// one record is one line whatever a client sent. `time` is when the answer was made.
std::string to_json_line(AccessRecord const&, std::chrono::system_clock::time_point time);

/// An access log that writes JSON lines from a thread of its own.
///
/// The queue between is bounded: when the disk is slower than the requests, the oldest lines are dropped and counted.
/// Copies share one log; the last to go writes what is queued and closes it. A line is in the file as soon as it leaves
/// the queue: nothing is buffered beyond it.
class JsonAccessLog {
 public:
  enum class Target { standard_output, file };
  /// `path` is read for Target::file only; lines are appended. Throws belay::Error when the file cannot be opened.
  JsonAccessLog(Target, std::string const& path, std::size_t queue_max = 8192);

  void operator()(AccessRecord const&) const;
  /// Lines that were dropped because the queue was full.
  std::uint64_t dropped() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// "off" gives an empty hook, "stdout" and a file's path a JsonAccessLog.
AccessLog open_access_log(std::string const& target);

}  // namespace casefile::http
