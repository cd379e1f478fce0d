#include "belay/sqlite/options.hpp"

#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

#include "belay/core/error.hpp"
#include "belay/core/url.hpp"

namespace belay::sqlite {

namespace {

constexpr std::string_view accepted =
    "readers, reads_at_once, queue_max, acquire_timeout, group_max, slow_in_company, busy_timeout, statement_timeout, "
    "statement_cache, synchronous, "
    "cache_bytes, result_rows_max, result_bytes_max, vfs";

[[noreturn]] void refuse(std::string sentence) {
  throw Error(ErrorClass::request, SendState::never_sent, std::move(sentence));
}

template <class Number>
void require_range(std::string_view name, Number value, Number low, Number high) {
  if (value >= low && value <= high) return;
  refuse("sqlite option " + std::string(name) + " is " + std::to_string(value) + ", it must lie between " +
         std::to_string(low) + " and " + std::to_string(high));
}

std::uint64_t number_of(std::string_view name, std::string_view text) {
  std::uint64_t value = 0;
  auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() ||
      value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    refuse("sqlite option " + std::string(name) + " wants a whole number, not '" + std::string(text) + "'");
  }
  return value;
}

std::chrono::milliseconds duration_of(std::string_view name, std::string_view text) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(number_of(name, text)));
}

Synchronous synchronous_of(std::string_view text) {
  if (text == "off") return Synchronous::off;
  if (text == "normal") return Synchronous::normal;
  if (text == "full") return Synchronous::full;
  if (text == "extra") return Synchronous::extra;
  refuse("sqlite option synchronous is one of off, normal, full, extra, not '" + std::string(text) + "'");
}

void apply(Options& options, std::string_view name, std::string_view value) {
  if (name == "readers") {
    auto const readers = number_of(name, value);
    options.readers = readers > 64 ? 65 : static_cast<int>(readers);
  } else if (name == "queue_max") {
    options.queue_max = number_of(name, value);
  } else if (name == "reads_at_once") {
    options.reads_at_once = number_of(name, value);
  } else if (name == "acquire_timeout") {
    options.acquire_timeout = duration_of(name, value);
  } else if (name == "group_max") {
    options.group_max = number_of(name, value);
  } else if (name == "slow_in_company") {
    options.slow_in_company = duration_of(name, value);
  } else if (name == "busy_timeout") {
    options.busy_timeout = duration_of(name, value);
  } else if (name == "statement_timeout") {
    options.statement_timeout = duration_of(name, value);
  } else if (name == "statement_cache") {
    options.statement_cache = number_of(name, value);
  } else if (name == "synchronous") {
    options.synchronous = synchronous_of(value);
  } else if (name == "cache_bytes") {
    options.cache_bytes = number_of(name, value);
  } else if (name == "result_rows_max") {
    options.result_rows_max = number_of(name, value);
  } else if (name == "result_bytes_max") {
    options.result_bytes_max = number_of(name, value);
  } else if (name == "vfs") {
    options.vfs = value;
  } else {
    refuse("sqlite has no option '" + std::string(name) + "'; there are: " + std::string(accepted));
  }
}

}  // namespace

void check(Options const& options) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  if (options.path.empty() || options.path == ":memory:") {
    refuse("sqlite option path names no file: in-memory databases have no write-ahead log");
  }
  if (options.path.find('\0') != std::string::npos) refuse("sqlite option path holds a NUL byte");
  constexpr milliseconds::rep hour = milliseconds(hours(1)).count();
  constexpr std::size_t any = std::numeric_limits<std::int64_t>::max();
  require_range("readers", options.readers, 0, 64);
  require_range<std::size_t>("queue_max", options.queue_max, 1, 1'000'000);
  require_range<std::size_t>("reads_at_once", options.reads_at_once, 1, 64);
  require_range("acquire_timeout (ms)", options.acquire_timeout.count(), milliseconds::rep{1}, 24 * hour);
  require_range<std::size_t>("group_max", options.group_max, 1, 64);
  require_range("slow_in_company (ms)", options.slow_in_company.count(), milliseconds::rep{1}, hour);
  require_range("busy_timeout (ms)", options.busy_timeout.count(), milliseconds::rep{0}, hour);
  require_range("statement_timeout (ms)", options.statement_timeout.count(), milliseconds::rep{1}, 24 * hour);
  require_range<std::size_t>("statement_cache", options.statement_cache, 1, 10'000);
  require_range<std::uint64_t>("cache_bytes", options.cache_bytes, 64ULL << 10, 16ULL << 30);
  require_range<std::size_t>("result_rows_max", options.result_rows_max, 1, any);
  require_range<std::size_t>("result_bytes_max", options.result_bytes_max, 1, any);
}

Options options_from(Url const& url) {
  if (url.engine() != ::belay::Engine::sqlite) {
    refuse("the URL names another engine (" + url.scheme() + "), not sqlite:PATH");
  }
  Options options(url.path());
  for (auto const& [name, value] : url.params()) apply(options, name, value);
  check(options);
  return options;
}

}  // namespace belay::sqlite
