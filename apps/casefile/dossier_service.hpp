#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "apps/casefile/dossier.hpp"
#include "belay/core/deadline.hpp"
#include "belay/sqlite/client.hpp"

namespace casefile {

/// One page of the list of dossiers, newest first.
struct DossierPage {
  std::optional<std::string> user_id;  ///< only this user's, "user:KEY"
  std::int64_t limit = 50;             ///< 1 to 500
  std::int64_t offset = 0;             ///< >= 0
};

/// What can be done with case files. Cheap: made for each request on the shared client, it does no I/O of its own.
///
/// Every operation throws belay::Error when the database fails and ApiError (404) for an unknown id, which the message
/// quotes as the caller wrote it. What it is given is valid (validate.hpp).
class DossierService {
 public:
  DossierService(belay::sqlite::Client database, belay::Deadline deadline)
      : database_(std::move(database)), deadline_(deadline) {}

  /// Durable when it returns.
  boost::asio::awaitable<Dossier> create(NewDossier const&);
  boost::asio::awaitable<Dossier> get(std::string const& id);
  boost::asio::awaitable<std::vector<Dossier>> list(DossierPage const&);
  /// Writes only what differs, and nothing when nothing does.
  boost::asio::awaitable<Dossier> update(std::string const& id, DossierChanges const&);
  /// Pins what is not pinned and unpins what is.
  boost::asio::awaitable<Dossier> toggle_pin(std::string const& id);
  boost::asio::awaitable<void> remove(std::string const& id);

 private:
  belay::sqlite::Client database_;
  belay::Deadline deadline_;
};

/// Creates the tables that are missing and compares those that exist with the model; a difference is an error that
/// names table and column.
boost::asio::awaitable<void> prepare_schema(belay::sqlite::Client&, belay::Deadline);

/// Runs every query of the service once on a database that holds nothing else; throws at the first that fails.
boost::asio::awaitable<void> try_every_query(belay::sqlite::Client, belay::Deadline);

}  // namespace casefile
