#pragma once

#include <string>

#include "belay/core/id.hpp"
#include "belay/orm/table.hpp"

namespace belay::orm::detail {

/// A record in a message: dossier:7f3a, dossier:12, dossier:'odd key', "dossier:" when the key is empty.
std::string record_name(TableInfo const&, ScalarKey const&);

}  // namespace belay::orm::detail
