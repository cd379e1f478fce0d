#include "belay/orm/query.hpp"

#include <string>

#include "belay/core/error.hpp"

namespace belay::orm::detail {

namespace {

std::int64_t checked(std::int64_t rows, char const* what) {
  if (rows >= 0) return rows;
  throw Error(ErrorClass::request, SendState::never_sent,
              std::string(what) + " " + std::to_string(rows) + " of a query is negative");
}

}  // namespace

std::int64_t checked_limit(std::int64_t rows) { return checked(rows, "limit"); }
std::int64_t checked_offset(std::int64_t rows) { return checked(rows, "offset"); }

}  // namespace belay::orm::detail
