#include "apps/casefile/settings.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "belay/core/duration.hpp"
#include "belay/core/error.hpp"
#include "belay/core/url.hpp"

namespace casefile {

namespace {

using namespace std::chrono_literals;

[[noreturn]] void refuse(std::string message) {
  throw belay::Error(belay::ErrorClass::request, belay::SendState::never_sent, std::move(message));
}

std::chrono::milliseconds to_duration(std::string const& text, std::chrono::milliseconds min,
                                      std::chrono::milliseconds max) {
  auto const range =
      " (from " + belay::Duration::from(min).to_string() + " to " + belay::Duration::from(max).to_string() + ")";
  auto const parsed = belay::Duration::parse(text);
  if (!parsed) refuse("'" + text + "' is not a duration; write for example 500ms, 30s or 1m30s" + range);
  auto const exact = parsed->nanoseconds();
  if (!exact || *exact < min || *exact > max) refuse("'" + text + "' is out of range" + range);
  return std::chrono::ceil<std::chrono::milliseconds>(*exact);
}

template <class Integer>
Integer to_integer(std::string_view text, Integer min, Integer max) {
  Integer value{};
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    refuse("'" + std::string(text) + "' is not a whole number from " + std::to_string(min) + " to " +
           std::to_string(max));
  }
  return value;
}

std::uint64_t to_bytes(std::string const& text) {
  static constexpr std::pair<std::string_view, std::uint64_t> units[] = {
      {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {"kB", 1000}, {"MB", 1000 * 1000}, {"B", 1}};
  std::string_view number = text;
  std::uint64_t unit = 1;
  for (auto const& [suffix, size] : units) {
    if (number.ends_with(suffix)) {
      number.remove_suffix(suffix.size());
      unit = size;
      break;
    }
  }
  while (number.ends_with(' ')) number.remove_suffix(1);
  std::uint64_t const max = 1024ull * 1024 * 1024;
  auto const value = to_integer<std::uint64_t>(number, 1, max);
  if (value > max / unit) refuse("'" + text + "' is more than 1GiB");
  return value * unit;
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes % (1024 * 1024) == 0) return std::to_string(bytes / (1024 * 1024)) + "MiB";
  if (bytes % 1024 == 0) return std::to_string(bytes / 1024) + "KiB";
  return std::to_string(bytes) + "B";
}

std::string one_of(std::string const& text, std::initializer_list<char const*> choices) {
  std::string list;
  for (auto const* choice : choices) {
    if (text == choice) return text;
    list += (list.empty() ? "" : ", ") + std::string(choice);
  }
  refuse("'" + text + "' is not one of " + list);
}

void check_address(std::string const& address) {
  auto const colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    refuse("'" + address + "' is not an address; write host:port, for example 127.0.0.1:8000 or [::1]:8000");
  }
  (void)to_integer<std::uint16_t>(std::string_view(address).substr(colon + 1), 0, 65535);
}

void check_database(std::string const& text) {
  auto const url = belay::Url::parse(text);  // throws with a sentence of its own
  if (url.engine() != belay::Engine::sqlite) {
    refuse("'" + url.to_string() +
           "' names an engine that this version does not serve case files from; use sqlite:PATH");
  }
}

/// What a header can carry: the characters of RFC 6750's b64token.
void check_token(std::string const& text) {
  constexpr std::size_t least = 16;
  constexpr std::size_t most = 512;
  auto const is_allowed = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("-._~+/=").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (text.size() < least || text.size() > most || !std::all_of(text.begin(), text.end(), is_allowed)) {
    refuse("the token is not 16 to 512 letters, digits or -._~+/= (for example the output of `openssl rand -hex 32`)");
  }
}

std::string milliseconds_text(std::chrono::milliseconds value) { return belay::Duration::from(value).to_string(); }

Setting duration_setting(char const* name, char const* environment, char const* help,
                         std::chrono::milliseconds Config::*member, std::chrono::milliseconds min,
                         std::chrono::milliseconds max) {
  return {name,
          environment,
          "DURATION",
          help,
          [=](Config& config, std::string const& text) { config.*member = to_duration(text, min, max); },
          [=](Config const& config) { return milliseconds_text(config.*member); }};
}

}  // namespace

std::vector<std::string> split(std::string const& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    auto const end = std::min(text.find(',', begin), text.size());
    auto part = text.substr(begin, end - begin);
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    if (part.empty()) refuse("'" + text + "' has an empty item");
    parts.push_back(std::move(part));
    begin = end + 1;
  }
  return parts;
}

std::vector<Setting> const& settings() {
  static std::vector<Setting> const table = {
      {"database", "CASEFILE_DATABASE_URL", "URL", "where case files are kept: sqlite:PATH",
       [](Config& config, std::string const& text) {
         check_database(text);
         config.database = text;
       },
       [](Config const& config) { return belay::Url::parse(config.database).to_string(); }},
      {"listen", "CASEFILE_LISTEN", "HOST:PORT",
       "address to serve on; several are separated by commas, port 0 is any free one",
       [](Config& config, std::string const& text) {
         config.listen = split(text);
         for (auto const& address : config.listen) check_address(address);
       },
       [](Config const& config) {
         std::string joined;
         for (auto const& address : config.listen) joined += (joined.empty() ? "" : ",") + address;
         return joined;
       }},
      {"startup", "CASEFILE_STARTUP", "POLICY",
       "when the database is down at start: 'degraded' serves 503 and keeps trying, 'require' exits with a failure",
       [](Config& config, std::string const& text) {
         auto const policy = one_of(text, {"degraded", "require"});
         config.startup = policy == "require" ? StartupPolicy::require : StartupPolicy::degraded;
       },
       [](Config const& config) {
         return std::string(config.startup == StartupPolicy::require ? "require" : "degraded");
       }},
      duration_setting("startup-timeout", "CASEFILE_STARTUP_TIMEOUT", "how long --startup=require keeps trying",
                       &Config::startup_timeout, 0ms, 10min),
      {"threads", "CASEFILE_THREADS", "N", "HTTP threads; 0 is one a core",
       [](Config& config, std::string const& text) { config.threads = to_integer<std::uint32_t>(text, 0, 256); },
       [](Config const& config) { return std::to_string(config.threads); }},
      {"connections-max", "CASEFILE_CONNECTIONS_MAX", "N", "client connections at once",
       [](Config& config, std::string const& text) {
         config.connections_max = to_integer<std::uint32_t>(text, 1, 1000000);
       },
       [](Config const& config) { return std::to_string(config.connections_max); }},
      {"body-max", "CASEFILE_BODY_MAX", "BYTES", "largest request body, for example 512KiB or 1MiB",
       [](Config& config, std::string const& text) { config.body_max = to_bytes(text); },
       [](Config const& config) { return bytes_text(config.body_max); }},
      duration_setting("head-timeout", "CASEFILE_HEAD_TIMEOUT", "for a request's head to arrive", &Config::head_timeout,
                       100ms, 10min),
      duration_setting("body-timeout", "CASEFILE_BODY_TIMEOUT", "for a request's body to arrive", &Config::body_timeout,
                       100ms, 60min),
      duration_setting("write-timeout", "CASEFILE_WRITE_TIMEOUT", "for a client to take an answer",
                       &Config::write_timeout, 100ms, 60min),
      duration_setting("idle-timeout", "CASEFILE_IDLE_TIMEOUT", "between two requests of one connection",
                       &Config::idle_timeout, 100ms, 60min),
      duration_setting("request-timeout", "CASEFILE_REQUEST_TIMEOUT",
                       "deadline of the work behind one request; 504 when it passes", &Config::request_timeout, 10ms,
                       10min),
      duration_setting("drain-timeout", "CASEFILE_DRAIN_TIMEOUT", "for requests in flight to finish at shutdown",
                       &Config::drain_timeout, 0ms, 10min),
      {"access-log", "CASEFILE_ACCESS_LOG", "WHERE", "one JSON line per request to 'stdout', a file's path, or 'off'",
       [](Config& config, std::string const& text) {
         if (text.empty()) refuse("it is empty; write stdout, off or a file's path");
         config.access_log = text;
       },
       [](Config const& config) { return config.access_log; }},
      {"log-level", "CASEFILE_LOG_LEVEL", "LEVEL", "debug, info, warn or error",
       [](Config& config, std::string const& text) {
         config.log_level = one_of(text, {"debug", "info", "warn", "error"});
       },
       [](Config const& config) { return config.log_level; }},
      {"admin-token", "CASEFILE_ADMIN_TOKEN", "TOKEN",
       "bearer token of the routes below /api/admin; without it there are none",
       [](Config& config, std::string const& text) {
         check_token(text);
         config.admin_token = text;
       },
       [](Config const& config) { return std::string(config.admin_token.empty() ? "none" : "***"); }, true},
  };
  return table;
}

}  // namespace casefile
