#pragma once

#include <string>
#include <string_view>

#include "belay/core/error.hpp"

namespace belay::sqlite {

/// What was being done when SQLite refused.
enum class Phase {
  opening,     ///< opening or configuring a connection
  beginning,   ///< taking the write lock: nothing ran yet
  running,     ///< preparing or stepping a statement; what it changed is rolled back before the error is told
  committing,  ///< making a transaction durable
};

struct Verdict {
  ErrorClass error_class;
  SendState send_state;
  friend bool operator==(Verdict, Verdict) = default;
};

/// What a SQLite failure means. `extended_code` is an extended result code other than OK, ROW and DONE; codes that
/// SQLite may add later are judged by their primary code (the low byte), and unknown primary codes as internal.
///
/// The one place that reads result codes. Interrupts are not judged here: who caused one knows why.
Verdict classify(int extended_code, Phase) noexcept;

/// "SQLITE_CONSTRAINT_UNIQUE"; for a code of no known name its primary code's name, and "SQLITE_ERROR" in the last
/// resort.
std::string_view code_name(int extended_code) noexcept;

/// The facts in SQLite's message about a constraint, as error details: {"constraint", "unique"},
/// {"column", "t.a, t.b"} or {"name", …} for a check or index. Empty for other codes.
Error::Details constraint_details(int extended_code, std::string_view message);

/// The failure as callers see it: "<doing>: <message> (<code>) in: <digest>", the last part only with a statement.
/// Literals in message and statement are left out.
Error make_error(int extended_code, Phase, std::string_view doing, std::string_view message, std::string_view sql);

}  // namespace belay::sqlite
