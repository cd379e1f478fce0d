#include "apps/casefile/routes.hpp"

#include <memory>
#include <utility>

#include "apps/casefile/admin.hpp"
#include "apps/casefile/api_error.hpp"
#include "apps/casefile/docs_page.hpp"
#include "apps/casefile/dossier_service.hpp"
#include "apps/casefile/validate.hpp"
#include "apps/casefile/version.hpp"

namespace asio = boost::asio;

namespace casefile {

namespace {

/// Members that a dossier does not have are null, so that its shape is always the same.
constexpr belay::json::WriteOptions with_nulls{belay::json::EmptyMembers::write_null};

http::Response ok(Dossier const& dossier, unsigned status = 200) {
  http::Response response;
  response.status = status;
  response.body.reserve(384);
  belay::json::append_json(response.body, dossier, with_nulls);
  return response;
}

/// The handlers. Each reads its request, calls the service under the request's deadline, and writes the answer; what
/// fails on the way is thrown and becomes an answer in api_error.cpp.
class Api {
 public:
  Api(Database& database, Health& health, std::chrono::milliseconds request_timeout, std::string admin_token)
      : database_(database),
        health_(health),
        request_timeout_(request_timeout),
        admin_(database, std::move(admin_token)) {}

  asio::awaitable<http::Response> describe(http::Request&) {
    http::Response response;
    response.body = R"({"message":"casefile keeps case files","version":")";
    response.body += version;
    response.body += R"(","status":"running","docs":"/docs","endpoints":)"
                     R"(["/health","/health/live","/health/ready","/health/db","/api/dossiers","/api/dossiers/{id}",)"
                     R"("/api/dossiers/{id}/pin"]})";
    co_return response;
  }

  asio::awaitable<http::Response> docs(http::Request&) {
    http::Response response;
    response.content_type = "text/html; charset=utf-8";
    response.headers.emplace_back("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    response.body = docs_page();
    co_return response;
  }

  asio::awaitable<http::Response> health(http::Request&) { return health_.report(); }
  asio::awaitable<http::Response> database_health(http::Request&) { return health_.database_report(); }
  asio::awaitable<http::Response> live(http::Request&) {
    http::Response response;
    response.body = R"({"status":"alive"})";
    co_return response;
  }
  asio::awaitable<http::Response> ready(http::Request&) { co_return health_.readiness(); }

  asio::awaitable<http::Response> create(http::Request& request) {
    auto const given = read_new_dossier(request);
    auto dossiers = service();
    auto const dossier = co_await dossiers.create(given);
    co_return ok(dossier, 201);
  }

  asio::awaitable<http::Response> list(http::Request& request) {
    auto const page = read_dossier_page(request);
    auto dossiers = service();
    auto const found = co_await dossiers.list(page);
    http::Response response;
    belay::json::append_json(response.body, found, with_nulls);
    co_return response;
  }

  asio::awaitable<http::Response> get(http::Request& request) {
    auto dossiers = service();
    auto const dossier = co_await dossiers.get(request.parameter("id"));
    co_return ok(dossier);
  }

  asio::awaitable<http::Response> update(http::Request& request) {
    auto const changes = read_dossier_changes(request);
    auto dossiers = service();
    auto const dossier = co_await dossiers.update(request.parameter("id"), changes);
    co_return ok(dossier);
  }

  asio::awaitable<http::Response> toggle_pin(http::Request& request) {
    auto dossiers = service();
    auto const dossier = co_await dossiers.toggle_pin(request.parameter("id"));
    co_return ok(dossier);
  }

  asio::awaitable<http::Response> remove(http::Request& request) {
    auto dossiers = service();
    co_await dossiers.remove(request.parameter("id"));
    http::Response response;
    response.status = 204;
    co_return response;
  }

  asio::awaitable<http::Response> breakers(http::Request& request) { co_return admin_.breakers(request); }
  asio::awaitable<http::Response> reset_breakers(http::Request& request) { co_return admin_.reset_breakers(request); }
  asio::awaitable<http::Response> pools(http::Request& request) { co_return admin_.pools(request); }
  asio::awaitable<http::Response> invalidate_pools(http::Request& request) {
    co_return admin_.invalidate_pools(request);
  }

 private:
  DossierService service() const { return {database_.client(), belay::Deadline::in(request_timeout_)}; }

  Database& database_;
  Health& health_;
  std::chrono::milliseconds request_timeout_;
  Admin admin_;
};

using Action = asio::awaitable<http::Response> (Api::*)(http::Request&);

}  // namespace

http::Router make_router(Database& database, Health& health, std::chrono::milliseconds request_timeout,
                         std::string admin_token) {
  auto const has_admin = !admin_token.empty();
  auto const api = std::make_shared<Api>(database, health, request_timeout, std::move(admin_token));
  http::Router router(plain_error);
  auto const add = [&](char const* method, char const* pattern, Action action) {
    router.add(method, pattern, [api, action](http::Request& request) { return (api.get()->*action)(request); });
  };
  add("GET", "/", &Api::describe);
  add("GET", "/docs", &Api::docs);
  add("GET", "/health", &Api::health);
  add("GET", "/health/live", &Api::live);
  add("GET", "/health/ready", &Api::ready);
  add("GET", "/health/db", &Api::database_health);
  add("GET", "/api/dossiers", &Api::list);
  add("POST", "/api/dossiers", &Api::create);
  add("GET", "/api/dossiers/{id}", &Api::get);
  add("PUT", "/api/dossiers/{id}", &Api::update);
  add("DELETE", "/api/dossiers/{id}", &Api::remove);
  add("PATCH", "/api/dossiers/{id}/pin", &Api::toggle_pin);
  if (has_admin) {
    add("GET", "/api/admin/circuit-breaker", &Api::breakers);
    add("POST", "/api/admin/circuit-breaker/reset", &Api::reset_breakers);
    add("GET", "/api/admin/pool", &Api::pools);
    add("POST", "/api/admin/pool/invalidate", &Api::invalidate_pools);
  }
  return router;
}

}  // namespace casefile
