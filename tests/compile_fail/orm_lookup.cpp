// Lookups that do not fit their member: see CMakeLists.txt.
#include <optional>
#include <string>
#include <vector>

#include <boost/describe.hpp>

#include "belay/orm/orm.hpp"

#ifndef BELAY_CASE
#define BELAY_CASE 0
#endif

enum class Status { open, closed };
BOOST_DESCRIBE_ENUM(Status, open, closed)

struct Paper {
  belay::Id<Paper> id;
  std::string title;
  std::optional<std::string> summary;
  int pages = 0;
  Status status = Status::open;
  std::vector<std::string> tags;
  int hidden = 0;
};
BOOST_DESCRIBE_STRUCT(Paper, (), (id, title, summary, pages, status, tags))

template <>
struct belay::orm::Table<Paper> {
  static constexpr auto name = "paper";
};

namespace orm = belay::orm;

auto right() {
  return orm::from<Paper>()
      .where(orm::field<&Paper::title>.icontains("a") && orm::field<&Paper::summary>.is_null() &&
             orm::field<&Paper::pages> > 5 && orm::field<&Paper::status> == Status::open &&
             orm::field<&Paper::tags>.contains("x") && orm::field<&Paper::summary> == orm::field<&Paper::title>)
      .order_by(orm::asc<&Paper::status>);
}
auto right_assignment() { return orm::set<&Paper::summary>(std::nullopt); }

#if BELAY_CASE == 1
auto wrong() { return orm::field<&Paper::pages>.icontains("a"); }
#elif BELAY_CASE == 2
auto wrong() { return orm::field<&Paper::summary> == std::nullopt; }
#elif BELAY_CASE == 3
auto wrong() { return orm::field<&Paper::title>.is_null(); }
#elif BELAY_CASE == 4
auto wrong() { return orm::field<&Paper::pages> == "five"; }
#elif BELAY_CASE == 5
auto wrong() { return orm::field<&Paper::status> < Status::closed; }
#elif BELAY_CASE == 6
auto wrong() { return orm::field<&Paper::tags> == std::vector<std::string>(); }
#elif BELAY_CASE == 7
auto wrong() { return orm::field<&Paper::tags>.contains(5); }
#elif BELAY_CASE == 8
auto wrong() { return orm::field<&Paper::hidden> == 5; }
#elif BELAY_CASE == 9
auto wrong() { return orm::field<&Paper::title> == orm::field<&Paper::pages>; }
#elif BELAY_CASE == 10
auto wrong() { return orm::set<&Paper::id>(belay::Id<Paper>("a")); }
#elif BELAY_CASE == 11
auto wrong() { return orm::asc<&Paper::tags>; }
#elif BELAY_CASE == 12
auto wrong(std::optional<std::string> const& maybe) { return orm::field<&Paper::title>.in(maybe); }
#endif
