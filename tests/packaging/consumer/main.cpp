// What a user's first program does: it must compile against the installed headers alone, link and run.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/describe.hpp>

#include "belay/core/value.hpp"
#include "belay/orm/orm.hpp"
#include "belay/orm/sqlite.hpp"
#include "belay/sqlite/client.hpp"

namespace asio = boost::asio;
namespace orm = belay::orm;

struct Note {
  belay::Id<Note> id;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(Note, (), (id, text))
template <>
struct belay::orm::Table<Note> {
  static constexpr auto name = "note";
};

namespace {

void require(bool holds, char const* what) {
  if (holds) return;
  std::fprintf(stderr, "consumer: %s\n", what);
  std::exit(1);
}

asio::awaitable<void> use_the_library(belay::sqlite::Options options) {
  auto db = co_await belay::sqlite::Client::open(options);
  auto const answer = co_await db.query("SELECT 6 * 7 AS answer");
  require(answer.row(0)[0].as_int64() == 42, "a query answered something else");

  co_await orm::create_tables<Note>(db);
  Note note{.id = {}, .text = "bring the rope"};
  co_await orm::insert(db, note);
  auto const found = co_await orm::get<Note>(db, note.id);
  require(found.text == note.text, "a row came back otherwise than it was stored");
  co_await db.close();
}

}  // namespace

int main() {
  auto const file = std::filesystem::current_path() / "consumer.db";
  std::filesystem::remove(file);
  asio::io_context loop;
  std::exception_ptr failure;
  asio::co_spawn(loop, use_the_library(belay::sqlite::Options(file.string())),
                 [&](std::exception_ptr thrown) { failure = thrown; });
  loop.run();
  if (failure) std::rethrow_exception(failure);
  std::puts("consumer: ok");
}
