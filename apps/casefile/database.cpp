#include "apps/casefile/database.hpp"

#include "apps/casefile/dossier_service.hpp"
#include "belay/core/error.hpp"
#include "belay/core/url.hpp"

namespace asio = boost::asio;

namespace casefile {

Database::Database(std::string url)
    : options_(belay::sqlite::options_from(belay::Url::parse(url))), name_(belay::Url::parse(url).to_string()) {}

belay::sqlite::Client Database::client() const {
  std::lock_guard const lock(mutex_);
  if (client_) return *client_;
  throw belay::Error(belay::ErrorClass::transport, belay::SendState::never_sent, why_closed_);
}

bool Database::is_open() const {
  std::lock_guard const lock(mutex_);
  return client_.has_value();
}

bool Database::has_failed() const {
  std::lock_guard const lock(mutex_);
  return has_failed_;
}

void Database::remember(std::string why_closed) {
  std::lock_guard const lock(mutex_);
  has_failed_ = true;
  why_closed_ = std::move(why_closed);
}

asio::awaitable<void> Database::open(belay::Deadline deadline) {
  try {
    auto client = co_await belay::sqlite::Client::open(options_, deadline);
    co_await prepare_schema(client, deadline);
    std::lock_guard const lock(mutex_);
    client_ = std::move(client);
  } catch (std::exception const& error) {
    remember(error.what());
    throw;
  }
}

asio::awaitable<void> Database::close(belay::Deadline deadline) {
  std::optional<belay::sqlite::Client> closing;
  {
    std::lock_guard const lock(mutex_);
    closing.swap(client_);
    why_closed_ = "the server is shutting down";
  }
  if (closing) co_await closing->close(deadline);
}

}  // namespace casefile
