#pragma once

struct sqlite3;

namespace belay::sqlite {

/// Registers on a connection what the ORM's conditions are rendered with, the same meaning on every engine:
///
/// belay_fold(text)                         Unicode simple case folding, character by character ("É" and "é", "Σ", "σ"
///                                          and "ς" become equal); no normalisation: "é" as one code point and as two
///                                          stay different.
/// belay_regexp(pattern, text, ignore_case) RE2 syntax, anywhere in the text. 1 or 0. A pattern that does not compile
///                                          or is longer than 4096 bytes fails the statement with a sentence that does
///                                          not repeat it. Linear time; compiled patterns are cached per connection.
/// belay_like(text, pattern, ignore_case)   The whole text against '%' any run, '_' one character, '\' the next
///                                          character itself. Linear memory, time at most text times pattern.
/// COLLATE belay_decimal                    Numeric order of Decimal's text ("-1.5" < "9" < "10.00" = "10"), any
///                                          number of digits, exponents; -Infinity first, then numbers, Infinity, NaN,
///                                          and last what is no number, in byte order.
///
/// NULL in, NULL out. Text may hold NUL bytes; a byte that is not UTF-8 counts as one character equal only to itself.
/// All are deterministic, hence usable in indexes. Throws Error(internal) when SQLite is out of memory.
void register_functions(sqlite3* connection);

}  // namespace belay::sqlite
