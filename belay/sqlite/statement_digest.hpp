#pragma once

#include <string>
#include <string_view>

namespace belay::sqlite {

/// The statement as it may appear in messages and logs: literals become ?, comments vanish, runs of white space become
/// one blank, and what exceeds 200 bytes is cut at a character and ends in "…". Never a value, never a secret.
std::string statement_digest(std::string_view sql);

/// SQLite's own message with the literals it quotes from the statement (near "'secret'") replaced by ?.
std::string without_literals(std::string_view message);

/// The first word of the statement in capitals, after white space, semicolons and comments; empty when there is none.
std::string first_keyword(std::string_view sql);

/// Whether nothing but white space, semicolons and comments is there.
bool holds_no_statement(std::string_view sql);

}  // namespace belay::sqlite
