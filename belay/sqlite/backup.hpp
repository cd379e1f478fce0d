#pragma once

#include <string>

#include "belay/sqlite/job.hpp"
#include "belay/sqlite/options.hpp"

namespace belay::sqlite {

/// Copies the database to `path` as it was at one instant, while others read and write it, and returns when the copy
/// is on the disk under its name. Blocks; stops between steps when the check says so.
///
/// The source's read transaction is held throughout: without it every commit of another connection would start the
/// copy anew. Throws Error, or Interrupted; a partial file is removed.
void copy_database(Options const& source, std::string const& path, StopCheck&);

}  // namespace belay::sqlite
