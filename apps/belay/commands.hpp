#pragma once

#include <chrono>
#include <string>

namespace belay::cli {

enum class Output { table, json };

/// `belay ping URL`: opens the database, asks it one question, tells how long that took.
///
/// Returns the line to print. Throws belay::Error; a SQLite file that does not exist is one, nothing is created.
std::string ping(std::string const& url, std::chrono::milliseconds timeout);

/// `belay query URL SQL`: runs one statement and returns its rows as a table, or as one JSON array of objects.
///
/// A statement without columns answers "ok". Throws belay::Error.
std::string query(std::string const& url, std::string sql, Output, std::chrono::milliseconds timeout);

}  // namespace belay::cli
