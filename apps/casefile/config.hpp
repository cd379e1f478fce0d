#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace casefile {

/// What to do when the database cannot be opened at start.
enum class StartupPolicy {
  degraded,  ///< listen, answer 503, go on trying in the background
  require    ///< exit with a failure when the start-up time is spent
};

/// Every setting with its default. All values are valid once load() has returned it.
struct Config {
  std::string database =
      "sqlite:casefile.db";  ///< a database URL; may hold a password: print it through belay::Url only
  std::vector<std::string> listen = {"127.0.0.1:8000"};  ///< host:port, port 0 for any free one
  StartupPolicy startup = StartupPolicy::degraded;
  std::chrono::milliseconds startup_timeout = std::chrono::seconds(30);  ///< how long `require` keeps trying
  std::uint32_t threads = 0;                                             ///< HTTP threads, 0 for one a core
  std::uint32_t connections_max = 4096;                                  ///< client connections at once
  std::uint64_t body_max = 1024 * 1024;                                  ///< bytes of a request body
  std::chrono::milliseconds head_timeout = std::chrono::seconds(10);     ///< for a request's head to arrive
  std::chrono::milliseconds body_timeout = std::chrono::seconds(30);     ///< for a request's body to arrive
  std::chrono::milliseconds write_timeout = std::chrono::seconds(30);    ///< for a client to take an answer
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(75);     ///< between two requests of a connection
  std::chrono::milliseconds request_timeout = std::chrono::seconds(30);  ///< deadline of the work behind a request
  std::chrono::milliseconds drain_timeout = std::chrono::seconds(10);    ///< for requests in flight at shutdown
  std::string access_log = "stdout";                                     ///< stdout, off, or a file's path
  std::string log_level = "info";                                        ///< debug, info, warn or error
  std::string admin_token;  ///< who may use /api/admin; empty: nobody, there is no such route
};

/// Where settings come from, in falling precedence: arguments, environment, file, defaults.
struct Sources {
  std::vector<std::string> arguments;  ///< without the program's name
  std::map<std::string, std::string> environment;
};

/// What the command line asked for.
struct Start {
  Config config;
  bool check_only = false;  ///< --check: validate everything, bind nothing
  /// One line per setting: its name, value (secrets masked) and origin.
  std::vector<std::string> explanation;
};
/// --help and --version: text for standard output, then exit 0.
struct Message {
  std::string text;
};

/// Reads the settings from all sources.
///
/// Throws belay::Error (request) with one sentence that names the setting, where its value came from, what is wrong
/// with it and what would be right. Unknown flags, keys of the file and CASEFILE_ variables are errors, as are two
/// names of one setting with different values.
std::variant<Start, Message> load(Sources const&);

}  // namespace casefile
