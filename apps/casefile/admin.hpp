#pragma once

#include <string>

#include "apps/casefile/database.hpp"
#include "apps/casefile/http/request.hpp"
#include "apps/casefile/http/response.hpp"

namespace casefile {

/// The operator's view of the database's pools and circuit breakers, and the operator's hand on them. Thread-safe.
///
/// Each throws ApiError (401) unless the request carries the token as `Authorization: Bearer TOKEN`, and belay::Error
/// (transport) while the database is not open.
class Admin {
 public:
  /// `token` is not empty.
  Admin(Database& database, std::string token) : database_(database), token_(std::move(token)) {}

  /// One object for each breaker: what it has counted, and when it will let a probe through.
  http::Response breakers(http::Request const&) const;
  /// Closes them all, and answers what they are like then.
  http::Response reset_breakers(http::Request const&) const;
  /// One object for each pool: sizes, leases, who waits, what was refused, and who holds what for how long.
  http::Response pools(http::Request const&) const;
  /// None of the connections so far is lent again: {invalidated, generation, pools}.
  http::Response invalidate_pools(http::Request const&) const;

 private:
  void authorize(http::Request const&) const;

  Database& database_;
  std::string token_;
};

}  // namespace casefile
