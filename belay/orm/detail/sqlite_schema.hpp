#pragma once

#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/orm/session.hpp"

namespace belay::orm::detail {

/// How the table in this SQLite database differs from what the model expects, one sentence each.
boost::asio::awaitable<std::vector<std::string>> sqlite_schema_problems(Session&, TableInfo const&, Deadline);

}  // namespace belay::orm::detail
