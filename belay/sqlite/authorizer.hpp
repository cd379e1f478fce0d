#pragma once

#include <string>

namespace belay::sqlite {

/// Why the client refuses an action of a statement that SQLite is about to compile, as a sentence that says what to do
/// instead; empty when it is allowed. Arguments are those of SQLite's authorizer callback (may be null).
///
/// Refused: what would break the group's transaction (BEGIN, COMMIT, SAVEPOINT…), reach other files or code (ATTACH,
/// load_extension), or change how the engine works (pragmas, except those that only read).
std::string refusal(int action, char const* first, char const* second);

}  // namespace belay::sqlite
