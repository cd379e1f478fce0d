#include "belay/core/error.hpp"

namespace belay {

namespace {

class Category final : public std::error_category {
 public:
  char const* name() const noexcept override { return "belay"; }
  std::string message(int value) const override {
    switch (static_cast<ErrorClass>(value)) {  // no default: the compiler reports a missing enumerator
      case ErrorClass::transport: return "connection failed";
      case ErrorClass::timeout_local: return "deadline passed";
      case ErrorClass::timeout_server: return "the database gave up waiting";
      case ErrorClass::overload: return "the database is overloaded";
      case ErrorClass::capacity: return "a local limit is reached";
      case ErrorClass::auth: return "not authorised";
      case ErrorClass::role: return "the database node cannot do this in its role";
      case ErrorClass::conflict: return "conflict with a concurrent transaction";
      case ErrorClass::request: return "invalid request";
      case ErrorClass::cancelled: return "cancelled by the caller";
      case ErrorClass::protocol: return "protocol violation";
      case ErrorClass::internal: return "internal failure";
    }
    return "unknown belay error";
  }
};

}  // namespace

struct Error::Content {
  ErrorClass error_class;
  SendState send_state;
  std::string message;
  std::string engine_code;
  Details details;
};

std::string_view name_of(ErrorClass error_class) noexcept {
  switch (error_class) {
    case ErrorClass::transport: return "transport";
    case ErrorClass::timeout_local: return "timeout_local";
    case ErrorClass::timeout_server: return "timeout_server";
    case ErrorClass::overload: return "overload";
    case ErrorClass::capacity: return "capacity";
    case ErrorClass::auth: return "auth";
    case ErrorClass::role: return "role";
    case ErrorClass::conflict: return "conflict";
    case ErrorClass::request: return "request";
    case ErrorClass::cancelled: return "cancelled";
    case ErrorClass::protocol: return "protocol";
    case ErrorClass::internal: return "internal";
  }
  return "unknown";
}

std::string_view name_of(SendState send_state) noexcept {
  switch (send_state) {
    case SendState::never_sent: return "never_sent";
    case SendState::refused: return "refused";
    case SendState::unknown: return "unknown";
    case SendState::executed: return "executed";
  }
  return "unknown";
}

std::error_category const& error_category() noexcept {
  static Category const category;
  return category;
}

std::error_code make_error_code(ErrorClass error_class) noexcept {
  return {static_cast<int>(error_class), error_category()};
}

Error::Error(std::shared_ptr<Content const> content)
    : std::system_error(make_error_code(content->error_class)), content_(std::move(content)) {}

Error::Error(ErrorClass error_class, SendState send_state, std::string message)
    : Error(error_class, send_state, std::move(message), std::string()) {}

Error::Error(ErrorClass error_class, SendState send_state, std::string message, std::string engine_code,
             Details details)
    : Error(std::make_shared<Content const>(
          Content{error_class, send_state, std::move(message), std::move(engine_code), std::move(details)})) {}

char const* Error::what() const noexcept { return content_->message.c_str(); }
ErrorClass Error::error_class() const noexcept { return content_->error_class; }
SendState Error::send_state() const noexcept { return content_->send_state; }
std::string const& Error::engine_code() const noexcept { return content_->engine_code; }
Error::Details const& Error::details() const noexcept { return content_->details; }

std::string_view Error::detail(std::string_view name) const noexcept {
  for (auto const& [key, value] : content_->details) {
    if (key == name) return value;
  }
  return {};
}

Error Error::with_context(std::string_view before) const {
  auto content = *content_;
  content.message.insert(0, before);
  return Error(std::make_shared<Content const>(std::move(content)));
}

Error Error::with_send_state(SendState send_state) const {
  auto content = *content_;
  content.send_state = send_state;
  return Error(std::make_shared<Content const>(std::move(content)));
}

}  // namespace belay
