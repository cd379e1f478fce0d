#include "apps/belay/commands.hpp"

#include <cstdio>
#include <filesystem>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "apps/belay/text_table.hpp"
#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/core/json.hpp"
#include "belay/core/url.hpp"
#include "belay/core/value.hpp"
#include "belay/sqlite/client.hpp"

namespace asio = boost::asio;

namespace belay::cli {

namespace {

[[noreturn]] void refuse(std::string message) {
  throw Error(ErrorClass::request, SendState::never_sent, std::move(message));
}

/// A tool that looks at a database must not leave an empty one behind because a name was mistyped.
sqlite::Options options_of_existing(Url const& url) {
  if (url.engine() != Engine::sqlite) {
    refuse("this version of belay speaks to SQLite only (sqlite:PATH); " + url.to_string() + " is a " +
           std::string(name_of(url.engine())) + " URL");
  }
  auto options = sqlite::options_from(url);
  std::error_code error;
  if (!std::filesystem::exists(options.path, error)) {
    refuse("there is no database file '" + options.path + "'" + (error ? ": " + error.message() : std::string()));
  }
  options.readers = 1;
  return options;
}

asio::awaitable<sqlite::ResultSet> run_statement(sqlite::Options options, std::string sql, Deadline deadline) {
  auto client = co_await sqlite::Client::open(std::move(options), deadline);
  auto result = co_await client.query(sqlite::Statement(std::move(sql)), deadline);
  co_await client.close(deadline);
  co_return result;
}

sqlite::ResultSet run(std::string const& url, std::string sql, std::chrono::milliseconds timeout) {
  asio::io_context context{1};
  auto operation = run_statement(options_of_existing(Url::parse(url)), std::move(sql), Deadline::in(timeout));
  auto result = asio::co_spawn(context, std::move(operation), asio::use_future);
  context.run();
  return result.get();
}

TextTable::Cell cell_of(Value const& value) {
  if (value.is_null()) return {"NULL", TextTable::Align::left};
  if (value.kind() == ValueKind::string) return {value.as_string(), TextTable::Align::left};
  auto const is_number = value.kind() == ValueKind::integer || value.kind() == ValueKind::real;
  return {json::to_json(value), is_number ? TextTable::Align::right : TextTable::Align::left};
}

std::string as_table(sqlite::ResultSet const& result) {
  TextTable table(result.columns());
  for (std::size_t i = 0; i < result.size(); ++i) {
    std::vector<TextTable::Cell> cells;
    for (auto const& value : result.row(i)) cells.push_back(cell_of(value));
    table.add(std::move(cells));
  }
  return table.to_string() + "(" + std::to_string(result.size()) + (result.size() == 1 ? " row)\n" : " rows)\n");
}

std::string as_json(sqlite::ResultSet const& result) {
  std::string out = "[";
  for (std::size_t i = 0; i < result.size(); ++i) {
    out += i == 0 ? "{" : ",{";
    auto const cells = result.row(i);
    for (std::size_t column = 0; column < cells.size(); ++column) {
      if (column > 0) out += ',';
      json::append_json(out, result.columns()[column]);
      out += ':';
      json::append_json(out, cells[column]);
    }
    out += '}';
  }
  return out + "]\n";
}

}  // namespace

std::string ping(std::string const& url, std::chrono::milliseconds timeout) {
  auto const begin = std::chrono::steady_clock::now();
  auto const result = run(url, "SELECT sqlite_version()", timeout);
  auto const took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  char milliseconds[32];
  std::snprintf(milliseconds, sizeof milliseconds, "%.1f", took);
  return Url::parse(url).to_string() + " answers: SQLite " + result.row(0)[0].as_string() + ", opened and asked in " +
         milliseconds + " ms\n";
}

std::string query(std::string const& url, std::string sql, Output output, std::chrono::milliseconds timeout) {
  auto const result = run(url, std::move(sql), timeout);
  if (output == Output::json) return as_json(result);
  if (result.columns().empty()) return "ok\n";
  return as_table(result);
}

}  // namespace belay::cli
