#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "belay/core/datetime.hpp"
#include "belay/core/deadline.hpp"
#include "belay/pool/policy_options.hpp"
#include "belay/sqlite/client.hpp"

namespace casefile {

/// The one database of the process: one client opened at start, used by every request, closed at the end.
///
/// Thread-safe. The client it hands out is a cheap handle.
class Database {
 public:
  /// `url` is a database URL that settings have checked.
  explicit Database(std::string url);
  ~Database();
  Database(Database const&) = delete;
  Database& operator=(Database const&) = delete;

  /// The open client. Throws belay::Error (transport, never_sent) that says why while there is none.
  belay::sqlite::Client client() const;
  bool is_open() const;
  /// Whether an attempt to open it has failed; false while the first one runs.
  bool has_failed() const;

  /// When an operation of that class last failed in a way that its circuit breaker counts.
  std::optional<belay::Datetime> last_failure(belay::pool::OperationClass) const;

  /// Opens the database and prepares its schema. One attempt; throws belay::Error when it fails, and remembers why.
  boost::asio::awaitable<void> open(belay::Deadline);
  /// Finishes what was accepted and closes. Later client() calls fail. Does nothing when it is not open.
  boost::asio::awaitable<void> close(belay::Deadline);

  /// The URL with its secrets masked.
  std::string const& name() const noexcept { return name_; }

 private:
  class Chronicle;

  void remember(std::string why_closed);

  std::shared_ptr<Chronicle> chronicle_;  ///< shared with what the client tells, which may outlast this
  belay::sqlite::Options options_;
  std::string name_;
  mutable std::mutex mutex_;
  std::optional<belay::sqlite::Client> client_;
  std::string why_closed_ = "the database is being opened";
  bool has_failed_ = false;
};

}  // namespace casefile
