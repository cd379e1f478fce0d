#pragma once

#include <string>
#include <string_view>

/// SurrealQL's rules for names, shared by what writes and what reads them. ASCII only, whatever the locale.
namespace belay::detail {

constexpr bool is_name_start(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Whether a table or a member may be written without quotes, reserved words aside.
bool is_plain_name(std::string_view) noexcept;
/// Whether a record's key may be written without quotes: it may begin with a digit, but not be a number as a whole.
bool is_plain_key(std::string_view) noexcept;
/// Whether the name begins a statement, a clause or a literal, in any case.
bool is_reserved(std::string_view name) noexcept;
/// The name between backticks, with backslashes where needed.
std::string in_backticks(std::string_view name);

}  // namespace belay::detail
