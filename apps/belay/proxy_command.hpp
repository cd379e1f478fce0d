#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace belay::cli {

/// What stands on the command line of `belay proxy`.
struct ProxyArguments {
  std::string listen = "127.0.0.1:0";
  std::string to;
  std::vector<std::string> faults;
  std::uint64_t seed = 1;
  std::string lasts;  ///< a duration; empty: until told to stop
  bool is_verbose = false;
};

/// What `belay proxy --help` teaches below its options.
extern char const* const proxy_teaching;

/// `belay proxy`: forwards TCP connections and makes them fail, until SIGINT, SIGTERM, `quit` on standard input, or the
/// end of --for. Prints where it listens, and the counters at the end.
///
/// Returns the exit code; what went wrong is told on standard error. Blocks SIGINT and SIGTERM for the process: it is
/// the last thing that a program does.
int proxy(ProxyArguments const&);

}  // namespace belay::cli
