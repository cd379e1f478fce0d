// Braced structs inside a co_await expression, which g++ before 13 destroys twice: see CMakeLists.txt.
#include <array>
#include <optional>
#include <string>

#include <boost/describe.hpp>

#include "belay/orm/orm.hpp"

#ifndef BELAY_CASE
#define BELAY_CASE 0
#endif

struct Address {
  std::string street;
};
BOOST_DESCRIBE_STRUCT(Address, (), (street))

struct Paper {
  belay::Id<Paper> id;
  std::string title;
  Address address;
};
BOOST_DESCRIBE_STRUCT(Paper, (), (id, title, address))

template <>
struct belay::orm::Table<Paper> {
  static constexpr auto name = "paper";
};

struct Database {};
std::unique_ptr<belay::orm::Session> session_of(Database&);

namespace orm = belay::orm;

boost::asio::awaitable<void> right(Database& db, Paper const& before) {
  Paper paper{.title = "a"};
  co_await orm::insert(db, paper);
  Paper const fixed{.title = "b"};
  co_await orm::insert(db, fixed);
  co_await orm::update(db, before, paper);
  Address address{.street = "rue A"};
  co_await orm::from<Paper>().update_many(db, orm::set<&Paper::address>(address));
  co_await orm::from<Paper>().where(orm::field<&Paper::title>.in("a", "b")).all(db);
}

#if BELAY_CASE == 1
boost::asio::awaitable<void> wrong(Database& db) { co_await orm::insert(db, Paper{.title = "a"}); }
#elif BELAY_CASE == 2
boost::asio::awaitable<void> wrong(Database& db, Paper const& before) {
  co_await orm::update(db, before, Paper{.title = "a"}, belay::Deadline::never());
}
#elif BELAY_CASE == 3
boost::asio::awaitable<void> wrong(Database& db) {
  co_await orm::from<Paper>().update_many(db, orm::set<&Paper::address>(Address{.street = "rue A"}));
}
#elif BELAY_CASE == 4
boost::asio::awaitable<void> wrong(Database& db) {
  co_await orm::from<Paper>().where(orm::field<&Paper::title>.in(std::array<std::string, 2>{"a", "b"})).all(db);
}
#endif
