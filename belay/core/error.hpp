#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace belay {

/// What kind of failure it is. Retry, breaker, pool, health and HTTP status decide from this and from SendState, never
/// from message text.
enum class ErrorClass {
  transport = 1,   ///< the connection broke or could not be made
  timeout_local,   ///< we gave up: the caller's deadline passed
  timeout_server,  ///< the engine gave up: its own statement or lock time-out
  overload,        ///< the engine refuses because it is busy, full or starting
  capacity,        ///< one of our own bounds refused: pool, queue, limiter
  auth,            ///< wrong, expired or insufficient credentials
  role,            ///< the node is read-only or otherwise not the one that may do this
  conflict,        ///< a concurrent transaction won: the same unit may succeed when repeated
  request,         ///< the caller's fault: bad SQL, constraint, not found; repeating it cannot help
  cancelled,       ///< the caller cancelled
  protocol,        ///< the peer sent what the protocol does not allow
  internal         ///< the engine or this library failed in a way nobody should see
};

/// What the engine may have done by the time the failure was noticed.
enum class SendState {
  never_sent,  ///< no byte of the request left us: repeating it is always safe
  refused,     ///< the engine proved that it did not execute it, or rolled it back
  unknown,     ///< it was sent and no verdict came
  executed     ///< the engine answered: the error is the answer
};

/// The class's name as it appears in logs, metrics and JSON: "timeout_local".
std::string_view name_of(ErrorClass) noexcept;
std::string_view name_of(SendState) noexcept;

/// The category of Error::code(); its values are those of ErrorClass.
std::error_category const& error_category() noexcept;
std::error_code make_error_code(ErrorClass) noexcept;

/// A failed operation. what() is one sentence a person can act on; it never holds a secret.
///
/// Copying is cheap and never throws (the content is shared and immutable), so one error may be handed to many waiters.
/// Thread-safe like any immutable value.
class Error : public std::system_error {
 public:
  /// Facts beside the sentence, in order: {"table", "dossier"}, {"field", "statut"}.
  using Details = std::vector<std::pair<std::string, std::string>>;

  Error(ErrorClass, SendState, std::string message);
  Error(ErrorClass, SendState, std::string message, std::string engine_code, Details details = Details());

  char const* what() const noexcept override;
  ErrorClass error_class() const noexcept;
  SendState send_state() const noexcept;
  /// The engine's own code ("SQLITE_FULL", "40001", "-32009"), empty when the engine said nothing.
  std::string const& engine_code() const noexcept;
  Details const& details() const noexcept;
  /// The value of a detail, empty when there is none of that name.
  std::string_view detail(std::string_view name) const noexcept;

  /// The same failure told with more context: "cannot read dossier:12: " + what().
  [[nodiscard]] Error with_context(std::string_view before) const;
  [[nodiscard]] Error with_send_state(SendState) const;

 private:
  struct Content;
  explicit Error(std::shared_ptr<Content const>);
  std::shared_ptr<Content const> content_;
};

}  // namespace belay

template <>
struct std::is_error_code_enum<belay::ErrorClass> : std::true_type {};
