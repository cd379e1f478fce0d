// Belay in one file: a struct is a model, SQLite keeps it, a coroutine asks. The README quotes the middle of it.
#include <cstdio>
#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/describe.hpp>

#include "belay/orm/orm.hpp"
#include "belay/orm/sqlite.hpp"
#include "belay/sqlite/client.hpp"

namespace asio = boost::asio;
namespace orm = belay::orm;

struct Route {
  belay::Id<Route> id;
  std::string name;
  int metres = 0;
};
BOOST_DESCRIBE_STRUCT(Route, (), (id, name, metres))
template <>
struct belay::orm::Table<Route> {
  static constexpr auto name = "route";
};

asio::awaitable<void> climb(belay::sqlite::Options options) {
  auto db = co_await belay::sqlite::Client::open(options);
  co_await orm::create_tables<Route>(db);

  Route spur{.id = {}, .name = "Walker Spur", .metres = 1200};
  co_await orm::insert(db, spur);  // gives it an id

  auto const long_routes = orm::from<Route>()
                               .where(orm::field<&Route::metres> >= 1000 && orm::field<&Route::name>.icontains("spur"))
                               .order_by(orm::asc<&Route::name>)
                               .limit(20);
  for (Route const& route : co_await long_routes.all(db)) std::printf("%s, %d m\n", route.name.c_str(), route.metres);
  co_await db.close();
}

int main(int argc, char** argv) {
  asio::io_context loop;
  std::exception_ptr failure;
  belay::sqlite::Options const options(argc > 1 ? argv[1] : "routes.db");
  asio::co_spawn(loop, climb(options), [&](std::exception_ptr thrown) { failure = thrown; });
  loop.run();
  try {
    if (failure) std::rethrow_exception(failure);
    return 0;
  } catch (std::exception const& error) {  // one sentence: what, where, what would be right
    std::fprintf(stderr, "quickstart: %s\n", error.what());
    return 1;
  }
}
