// What a user's file costs to compile: the SQLite client, the ORM, one model, one query. See compile_bench.py.
#include <string>
#include <vector>

#include <boost/describe.hpp>

#include "belay/orm/orm.hpp"
#include "belay/orm/sqlite.hpp"
#include "belay/sqlite/client.hpp"

struct Climber {
  belay::Id<Climber> id;
  std::string name;
  int age = 0;
};
BOOST_DESCRIBE_STRUCT(Climber, (), (id, name, age))
template <>
struct belay::orm::Table<Climber> {
  static constexpr auto name = "climber";
};

boost::asio::awaitable<std::vector<Climber>> grown_up(belay::sqlite::Client& db) {
  namespace orm = belay::orm;
  co_return co_await orm::from<Climber>()
      .where(orm::field<&Climber::age> >= 18)
      .order_by(orm::asc<&Climber::name>)
      .limit(20)
      .all(db);
}
