#pragma once

#include <exception>
#include <optional>
#include <utility>

#include "belay/core/error.hpp"

namespace belay::sqlite {

/// Why a call failed, on its way from a worker to its caller: an Error, or whatever the caller's own sink threw.
///
/// An Error travels as a value, so that each of several callers throws one of its own: an exception object that is
/// shared would be freed by whoever comes last, beyond what thread sanitizers can follow.
class Failure {
 public:
  /// None.
  Failure() = default;
  Failure(Error error) : error_(std::move(error)) {}
  /// The exception being handled; call it inside a catch block only.
  static Failure current() {
    Failure failure;
    try {
      throw;
    } catch (Error const& error) {
      failure.error_ = error;
    } catch (...) {
      failure.other_ = std::current_exception();
    }
    return failure;
  }

  explicit operator bool() const noexcept { return error_.has_value() || other_ != nullptr; }
  /// Null when it came from the caller's sink.
  Error const* error() const noexcept { return error_ ? &*error_ : nullptr; }
  [[noreturn]] void raise() const {
    if (error_) throw *error_;
    std::rethrow_exception(other_);
  }

 private:
  std::optional<Error> error_;
  std::exception_ptr other_;
};

}  // namespace belay::sqlite
