#pragma once

#include <string>

namespace belay::sqlite {

/// Makes sure that SQLite can open or create the file: throws Error(transport, never_sent) with the reason where SQLite
/// would only say "unable to open database file", and creates a missing file, readable and writable by its owner only.
/// The log and the shared memory inherit the file's mode.
void prepare_database_file(std::string const& path);

}  // namespace belay::sqlite
