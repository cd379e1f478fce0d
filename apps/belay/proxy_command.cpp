#include "apps/belay/proxy_command.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "belay/core/deadline.hpp"
#include "belay/core/duration.hpp"
#include "belay/core/error.hpp"
#include "belay/testkit/fault_proxy.hpp"

namespace belay::cli {

using testkit::FaultPlan;
using testkit::FaultProxy;

char const* const proxy_teaching = R"(
A fault plan is rules separated by ';' or given by several --fault. A rule is faults, and words that say whom and when:
  latency=20ms jitter=10ms    each byte arrives later, each way       cut=1024:up         close after 1024 bytes, both ways
  bandwidth=64KiB/s           bytes pass no faster                    rst=100:down        reset (ECONNRESET) after 100 bytes
  fragment=1 gap=1ms          one byte at a time                      half_close=500:down end one direction only
  blackhole=up                nothing passes, nobody is told          stall=100:down      black hole after 100 bytes
  forget                      the next byte is answered by a reset    hold                accept and never answer
  refuse                      connecting fails (ECONNREFUSED)         accept_delay=1s     answer new connections late
  accept_rate=5/s             new connections wait for their turn     accept_limit=5/s    those that come too early are reset
  p=0.1 connection=3-5        whom: with that probability; the third to the fifth
  at=5s for=2s every=1m       when, counted from when the plan was given
':up' is from the client to the target, ':down' back; without either a fault is for both.

While it runs, a line on standard input is a new plan (latency=100ms; 'none' for no faults) or a command: cut or reset
closes the live connections, counters and plan tell, quit ends.

Examples:
  belay proxy --to 127.0.0.1:5432 --listen 127.0.0.1:6000 --fault "latency=20ms jitter=10ms"
  belay proxy --to 127.0.0.1:8000 --fault "cut=1024:down connection=1" --verbose
  belay proxy --to db.example:5432 --fault "blackhole=both at=10s for=5s every=1m" --for 10m
  belay proxy --to 127.0.0.1:5432 --fault "rst p=0.05" --fault "accept_rate=50/s" --seed 7

Exit status: 0 after an orderly end, 1 when it cannot listen or find the target, 2 for a wrong command line.)";

namespace {

constexpr std::size_t line_bytes_max = 4096;

[[noreturn]] void refuse(std::string message) {
  throw Error(ErrorClass::request, SendState::never_sent, std::move(message));
}

void say(std::string const& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);  // whoever waits for a line behind a pipe gets it now
}

void complain(std::exception const& error) { std::fprintf(stderr, "belay: %s\n", error.what()); }

std::pair<std::string, std::uint16_t> host_and_port(char const* option, std::string const& text, int least_port) {
  auto const colon = text.rfind(':');
  auto host = text.substr(0, colon);
  int port = -1;
  if (colon != std::string::npos) {
    auto const* const end = text.data() + text.size();
    auto const [parsed, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc() || parsed != end) port = -1;
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty() || port < least_port || port > 65535) {
    refuse(std::string(option) + " '" + text + "' is not host:port with a port from " + std::to_string(least_port) +
           " to 65535; write for example 127.0.0.1:5432 or [::1]:5432");
  }
  return {std::move(host), static_cast<std::uint16_t>(port)};
}

FaultPlan plan_of(std::vector<std::string> const& faults) {
  std::string all;
  for (auto const& fault : faults) {
    try {
      auto const plan = FaultPlan::parse(fault);
      if (!plan.empty()) all += plan.to_string() + "; ";
    } catch (Error const& error) {
      throw error.with_context("--fault '" + fault + "': ");
    }
  }
  return FaultPlan::parse(all);
}

Deadline end_of(std::string const& lasts) {
  if (lasts.empty()) return Deadline::never();
  auto const duration = Duration::parse(lasts);
  auto const exact = duration ? duration->nanoseconds() : std::nullopt;
  if (!exact || *exact <= std::chrono::nanoseconds::zero()) {
    refuse("--for '" + lasts + "' is not a duration; write for example 500ms, 30s or 10m");
  }
  return Deadline::in(*exact);
}

testkit::FaultProxyOptions options_of(ProxyArguments const& arguments) {
  testkit::FaultProxyOptions options;
  std::tie(options.listen_address, options.listen_port) = host_and_port("--listen", arguments.listen, 0);
  std::tie(options.target_host, options.target_port) = host_and_port("--to", arguments.to, 1);
  options.seed = arguments.seed;
  if (arguments.is_verbose) {
    options.on_event = [](testkit::FaultProxyEvent const& event) { say(to_string(event) + "\n"); };
  }
  return options;
}

/// SIGINT and SIGTERM as something to read, so that one poll() waits for them, for lines, and for the end of --for.
class StopSignals {
 public:
  StopSignals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads started later inherit it
    fd_ = signalfd(-1, &signals, SFD_CLOEXEC);
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "cannot wait for signals");
  }
  ~StopSignals() { close(fd_); }
  StopSignals(StopSignals const&) = delete;
  StopSignals& operator=(StopSignals const&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// Obeys what is typed while the proxy runs.
class Console {
 public:
  explicit Console(FaultProxy& proxy) : proxy_(proxy) {}

  /// False when it said `quit`.
  bool take(std::string_view bytes) {
    for (char const c : bytes) {
      if (c == '\n') {
        if (!take_line()) return false;
        line_.clear();
      } else if (line_.size() <= line_bytes_max) {
        line_ += c;
      }
    }
    return true;
  }

  /// Standard input has ended; what stands there without its end of line counts too.
  bool end() { return take_line(); }

 private:
  bool take_line() {
    auto const first = line_.find_first_not_of(" \t\r");
    if (first == std::string::npos) return true;
    auto const line = line_.substr(first, line_.find_last_not_of(" \t\r") - first + 1);
    if (line == "quit") return false;
    try {
      say(obey(line));
    } catch (Error const& error) {
      complain(error);
    }
    return true;
  }

  std::string obey(std::string const& line) {
    if (line.size() > line_bytes_max) refuse("a line has at most " + std::to_string(line_bytes_max) + " bytes");
    if (line == "cut") {
      proxy_.cut_all();
      return "live connections are cut\n";
    }
    if (line == "reset") {
      proxy_.reset_all();
      return "live connections are reset\n";
    }
    if (line == "counters") return to_string(proxy_.counters());
    if (line == "help") return std::string(proxy_teaching) + "\n";
    if (line != "plan") proxy_.set_plan(line);
    return "plan: " + proxy_.plan().to_string() + "\n";
  }

  FaultProxy& proxy_;
  std::string line_;
};

int milliseconds_until(Deadline deadline) {
  if (deadline.is_never()) return -1;
  auto const left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining());
  return static_cast<int>(std::min<std::chrono::milliseconds>(left, std::chrono::hours(1)).count());
}

void run_until_the_end(FaultProxy& proxy, StopSignals const& signals, Deadline deadline) {
  Console console(proxy);
  pollfd waits[2] = {{signals.fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  while (!deadline.expired()) {
    if (poll(waits, 2, milliseconds_until(deadline)) < 0) {
      if (errno == EINTR) continue;
      throw std::system_error(errno, std::generic_category(), "cannot wait for input");
    }
    if (waits[0].revents != 0) return;
    if (waits[1].revents == 0) continue;
    char bytes[4096];
    auto const count = read(STDIN_FILENO, bytes, sizeof bytes);
    if (count > 0) {
      if (!console.take({bytes, static_cast<std::size_t>(count)})) return;
    } else if (count == 0 || errno != EINTR) {
      if (!console.end()) return;
      waits[1].fd = -1;  // a proxy in the background has no standard input, and runs on
      waits[1].revents = 0;
    }
  }
}

void run(ProxyArguments const& arguments) {
  auto const options = options_of(arguments);
  auto const deadline = end_of(arguments.lasts);
  StopSignals const signals;
  FaultProxy proxy(options, plan_of(arguments.faults));
  say("listening on " + proxy.address() + ", forwarding to " + arguments.to + "\nplan: " + proxy.plan().to_string() +
      " (seed " + std::to_string(arguments.seed) + ")\n");
  run_until_the_end(proxy, signals, deadline);
  proxy.stop();
  say(to_string(proxy.counters()));
}

}  // namespace

int proxy(ProxyArguments const& arguments) {
  try {
    run(arguments);
    return 0;
  } catch (Error const& error) {
    complain(error);
    return error.error_class() == ErrorClass::request ? 2 : 1;
  } catch (std::exception const& error) {
    complain(error);
    return 1;
  }
}

}  // namespace belay::cli
