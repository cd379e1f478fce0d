#pragma once

#include <chrono>
#include <string>

#include "apps/casefile/database.hpp"
#include "apps/casefile/health.hpp"
#include "apps/casefile/http/router.hpp"

namespace casefile {

/// The API: every route of casefile, bound to the process's database and health.
///
/// Both must outlive the router. `request_timeout` is the deadline of the work behind one request. The routes below
/// /api/admin want `admin_token`, and are absent when it is empty.
http::Router make_router(Database&, Health&, std::chrono::milliseconds request_timeout, std::string admin_token);

}  // namespace casefile
