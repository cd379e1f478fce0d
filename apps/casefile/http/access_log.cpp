#include "apps/casefile/http/access_log.hpp"

#include <cerrno>
#include <mutex>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include "apps/casefile/http/target.hpp"
#include "belay/core/datetime.hpp"
#include "belay/core/error.hpp"

namespace casefile::http {

namespace {

void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  bool const is_text = is_utf8(text);
  out += '"';
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !is_text)) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_text(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  out += name;
  out += "\":";
  append_escaped(out, value);
}

void append_number(std::string& out, std::string_view name, std::int64_t value) {
  out += ",\"";
  out += name;
  out += "\":";
  out += std::to_string(value);
}

/// Writes each line at once to a descriptor: a crash loses what is queued and nothing more.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineSink(int descriptor, bool is_owner) : descriptor_(descriptor), is_owner_(is_owner) {}
  ~LineSink() override {
    if (is_owner_) ::close(descriptor_);
  }

 private:
  void sink_it_(spdlog::details::log_msg const& message) override {
    line_.assign(message.payload.data(), message.payload.size());
    line_ += '\n';
    std::string_view rest = line_;
    while (!rest.empty()) {
      auto const count = ::write(descriptor_, rest.data(), rest.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return;  // a full disk must not stop the service
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  void flush_() override {}

  int descriptor_;
  bool is_owner_;
  std::string line_;
};

int open_for_appending(std::string const& path) {
  constexpr mode_t owner_writes_group_reads = 0640;
  auto const descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, owner_writes_group_reads);
  if (descriptor < 0) {
    throw belay::Error(belay::ErrorClass::request, belay::SendState::never_sent,
                       "cannot open the access log '" + path + "': " + std::generic_category().message(errno));
  }
  return descriptor;
}

}  // namespace

std::string to_json_line(AccessRecord const& record, std::chrono::system_clock::time_point time) {
  std::string line;
  line.reserve(256);
  line += "{\"ts\":\"";
  line += belay::Datetime::from(std::chrono::floor<std::chrono::milliseconds>(time)).to_string();
  line += '"';
  append_text(line, "id", record.id);
  append_text(line, "method", record.method);
  append_text(line, "target", record.target);
  append_text(line, "route", record.route);
  append_number(line, "status", record.status);
  append_number(line, "bytes", static_cast<std::int64_t>(record.body_bytes));
  append_number(line, "duration_us", std::chrono::duration_cast<std::chrono::microseconds>(record.duration).count());
  append_text(line, "peer", record.peer);
  line += '}';
  return line;
}

/// Goes from below: no more lines are taken, the pool's thread writes what is queued and ends, the file is closed.
struct JsonAccessLog::State {
  State(int descriptor, bool is_owner, std::size_t queue_max)
      : sink(std::make_shared<LineSink>(descriptor, is_owner)),
        pool(std::make_shared<spdlog::details::thread_pool>(queue_max, 1)),
        logger(std::make_shared<spdlog::async_logger>("access", sink, pool,
                                                      spdlog::async_overflow_policy::overrun_oldest)) {}

  std::shared_ptr<LineSink> sink;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

JsonAccessLog::JsonAccessLog(Target target, std::string const& path, std::size_t queue_max)
    : state_(std::make_shared<State>(target == Target::file ? open_for_appending(path) : STDOUT_FILENO,
                                     target == Target::file, queue_max)) {}

void JsonAccessLog::operator()(AccessRecord const& record) const {
  state_->logger->log(spdlog::level::info,
                      spdlog::string_view_t(to_json_line(record, std::chrono::system_clock::now())));
}

std::uint64_t JsonAccessLog::dropped() const { return state_->pool->overrun_counter(); }

AccessLog open_access_log(std::string const& target) {
  if (target == "off") return AccessLog();
  if (target == "stdout") return JsonAccessLog(JsonAccessLog::Target::standard_output, "");
  return JsonAccessLog(JsonAccessLog::Target::file, target);
}

}  // namespace casefile::http
