// Structs that are no models, and what is no database: see CMakeLists.txt.
#include <optional>
#include <string>
#include <string_view>

#include <boost/describe.hpp>

#include "belay/orm/orm.hpp"

#ifndef BELAY_CASE
#define BELAY_CASE 0
#endif

enum class Undescribed { a, b };

struct Paper {
#if BELAY_CASE == 1
  std::string id;
#else
  belay::Id<Paper> id;
#endif
#if BELAY_CASE == 2
  Undescribed member = Undescribed::a;
#elif BELAY_CASE == 4
  std::optional<std::optional<int> > member;
#elif BELAY_CASE == 5
  std::string_view member;
#else
  std::string member;
#endif
  int hidden = 0;
};
BOOST_DESCRIBE_STRUCT(Paper, (), (id, member))

template <>
struct belay::orm::Table<Paper> {
#if BELAY_CASE == 3
  static constexpr auto name = "paper; --";
#else
  static constexpr auto name = "paper";
#endif
#if BELAY_CASE == 6
  static constexpr auto indexes = std::tuple{index<&Paper::hidden>};
#endif
};

constexpr auto const& table = belay::orm::table_of<Paper>();

#if BELAY_CASE == 7
auto wrong(int& database) { return belay::orm::from<Paper>().count(database); }
#endif
