#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/random.hpp"
#include "belay/orm/orm.hpp"
#include "belay/orm/test_coroutine.hpp"
#include "belay/orm/test_database.hpp"
#include "belay/orm/test_models.hpp"
#include "belay/orm/test_recorder.hpp"

/// Random queries, answered by SQLite and by a plain reading of docs/orm-semantics.md over a vector: they must agree.
/// BELAY_QUERIES sets how many (default 600), BELAY_SEED where the randomness starts; a failure prints both.
namespace belay::orm::test {
namespace {

using std::int64_t;
using Predicate = std::function<bool(Item const&)>;

/// A condition and what it means.
struct Claim {
  Condition<Item> condition;
  Predicate holds;
};

// ---- the meaning of text lookups, over code points ------------------------------------------------------------------

using Characters = std::vector<std::string>;

/// For the alphabet of draw_text only.
Characters characters_of(std::string_view text) {
  Characters characters;
  for (char const c : text) {
    bool const continues = (static_cast<unsigned char>(c) & 0xC0u) == 0x80u;
    if (continues) {
      characters.back() += c;
    } else {
      characters.emplace_back(1, c);
    }
  }
  return characters;
}

std::string folded(std::string_view text) {
  static std::map<std::string, std::string> const pairs{{"A", "a"}, {"B", "b"}, {"É", "é"}, {"Σ", "σ"}, {"ς", "σ"}};
  std::string result;
  for (auto const& character : characters_of(text)) {
    auto const pair = pairs.find(character);
    result += pair == pairs.end() ? character : pair->second;
  }
  return result;
}

bool is_like(Characters const& text, std::size_t at, Characters const& pattern, std::size_t next) {
  if (next == pattern.size()) return at == text.size();
  if (pattern[next] == "%") {
    for (auto skipped = at; skipped <= text.size(); ++skipped) {
      if (is_like(text, skipped, pattern, next + 1)) return true;
    }
    return false;
  }
  if (at == text.size()) return false;
  if (pattern[next] == "_") return is_like(text, at + 1, pattern, next + 1);
  bool const is_escape = pattern[next] == "\\" && next + 1 < pattern.size();
  auto const literal = is_escape ? next + 1 : next;
  return text[at] == pattern[literal] && is_like(text, at + 1, pattern, literal + 1);
}

bool is_like(std::string_view text, std::string_view pattern) {
  return is_like(characters_of(text), 0, characters_of(pattern), 0);
}

bool has_part(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// ---- what is drawn
// ---------------------------------------------------------------------------------------------------

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_.below(n)); }
  bool chance(std::size_t one_in) { return below(one_in) == 0; }
  int small_integer() { return static_cast<int>(below(7)) - 2; }
  double small_real() { return static_cast<double>(small_integer()) / 2; }

  /// What can be looked for in a list.
  std::string text_without_nul(std::size_t length_max) {
    auto drawn = text(length_max);
    std::erase(drawn, '\0');
    return drawn;
  }
  std::string text(std::size_t length_max = 4) {
    static std::vector<std::string> const alphabet{"a", "A", "b", "B",  "é", "É",  "σ",    "Σ",
                                                   "ς", "%", "_", "\\", "'", "\"", "🙂", std::string(1, '\0')};
    std::string drawn;
    for (auto left = below(length_max + 1); left > 0; --left) {
      // Mostly few letters, so that texts often share parts.
      drawn += alphabet[chance(3) ? below(alphabet.size()) : below(4)];
    }
    return drawn;
  }
  Status status() { return static_cast<Status>(below(3)); }
  Colour colour() { return static_cast<Colour>(below(3)); }
  Datetime datetime() {
    return Datetime::from_unix(static_cast<int64_t>(below(3)) - 1, static_cast<std::uint32_t>(below(2)));
  }
  Duration duration() { return Duration(static_cast<int64_t>(below(3)), 0); }
  Decimal decimal() {
    static char const* const numbers[]{"-1",   "-0.5", "0",  "0.0", "1",    "1.0",
                                       "1.00", "2",    "10", "1e1", "9.99", "Infinity"};
    return *Decimal::parse(numbers[below(std::size(numbers))]);
  }
  Id<Item> id() {
    switch (below(3)) {
      case 0: return Id<Item>(static_cast<int64_t>(below(4)));
      case 1: return Id<Item>(std::to_string(below(4)));
      default: return Id<Item>(Uuid(Uuid::Octets{static_cast<std::uint8_t>(below(4))}));
    }
  }
  template <class F>
  auto maybe(F const& draw) -> std::optional<decltype(draw())> {
    if (chance(3)) return std::nullopt;
    return draw();
  }
  template <class F>
  auto list(F const& draw, std::size_t length_max = 3) -> std::vector<decltype(draw())> {
    std::vector<decltype(draw())> drawn;
    for (auto left = below(length_max + 1); left > 0; --left) drawn.push_back(draw());
    return drawn;
  }

 private:
  Random random_;
};

Item draw_item(Draw& draw, int number) {
  Item item;
  // Keys of all three kinds, each once.
  switch (number % 3) {
    case 0: item.id = Id<Item>(number); break;
    case 1: item.id = Id<Item>(std::to_string(number)); break;
    default: item.id = Id<Item>(Uuid(Uuid::Octets{static_cast<std::uint8_t>(number)}));
  }
  item.created_at = draw.datetime();
  item.name = draw.text();
  item.note = draw.maybe([&] { return draw.text(); });
  item.quantity = draw.small_integer();
  item.stock = draw.maybe([&] { return int64_t{draw.small_integer()}; });
  item.weight = draw.small_real();
  item.score = draw.maybe([&] { return draw.small_real(); });
  item.pinned = draw.chance(2);
  item.approved = draw.maybe([&] { return draw.chance(2); });
  item.status = draw.status();
  item.previous_status = draw.maybe([&] { return draw.status(); });
  item.colour = draw.colour();
  item.second_colour = draw.colour();
  item.closed_at = draw.maybe([&] { return draw.datetime(); });
  item.effort = draw.duration();
  item.pause = draw.maybe([&] { return draw.duration(); });
  item.price = draw.decimal();
  item.discount = draw.maybe([&] { return draw.decimal(); });
  item.token = Uuid(Uuid::Octets{1, static_cast<std::uint8_t>(number)});
  item.parent = draw.maybe([&] { return draw.id(); });
  item.tags = draw.list([&] { return draw.text(2); });
  item.numbers = draw.maybe([&] { return draw.list([&] { return draw.small_integer(); }); });
  item.history = draw.list([&] { return draw.status(); });
  return item;
}

// ---- claims about one member
// -----------------------------------------------------------------------------------------

template <class V>
V const* value_of(V const& member) {
  return &member;
}
template <class V>
V const* value_of(std::optional<V> const& member) {
  return member ? &*member : nullptr;
}

/// Holds where the member is there and `test` of it is true: the two-valued reading of every lookup.
template <auto member, class Test>
Predicate where_present(Test test) {
  return [test](Item const& item) {
    auto const* value = value_of(item.*member);
    return value != nullptr && test(*value);
  };
}

template <auto member, class V>
Claim draw_equality(Draw& draw, V const& a, V const& b) {
  constexpr auto subject = field<member, Item>;
  switch (draw.below(5)) {
    case 0: return {subject == a, where_present<member>([a](auto const& v) { return v == a; })};
    case 1:
      return {subject != a, [a](Item const& item) {
                auto const* value = value_of(item.*member);
                return value == nullptr || !(*value == a);
              }};
    case 2: return {subject.in(a, b), where_present<member>([a, b](auto const& v) { return v == a || v == b; })};
    case 3: return {subject.in(std::vector<V>()), [](Item const&) { return false; }};
    default:
      return {subject.not_in(std::vector<V>{a, b, a}), [a, b](Item const& item) {
                auto const* value = value_of(item.*member);
                return value == nullptr || !(*value == a || *value == b);
              }};
  }
}

template <auto member, class V>
Claim draw_comparison(Draw& draw, V const& a, V const& b) {
  constexpr auto subject = field<member, Item>;
  switch (draw.below(6)) {
    case 0: return {subject < a, where_present<member>([a](auto const& v) { return v < a; })};
    case 1: return {subject <= a, where_present<member>([a](auto const& v) { return v <= a; })};
    case 2: return {subject > a, where_present<member>([a](auto const& v) { return v > a; })};
    case 3: return {subject >= a, where_present<member>([a](auto const& v) { return v >= a; })};
    case 4: return {subject.between(a, b), where_present<member>([a, b](auto const& v) { return a <= v && v <= b; })};
    default: return draw_equality<member>(draw, a, b);
  }
}

template <auto member>
Claim draw_presence() {
  return {field<member, Item>.is_null(), [](Item const& item) { return value_of(item.*member) == nullptr; }};
}

template <auto member>
Claim draw_text_claim(Draw& draw) {
  constexpr auto subject = field<member, Item>;
  auto const text = draw.text(3);
  auto const starts = [](std::string_view whole, std::string_view part) {
    return whole.substr(0, part.size()) == part;
  };
  auto const ends = [](std::string_view whole, std::string_view part) {
    return whole.size() >= part.size() && whole.substr(whole.size() - part.size()) == part;
  };
  switch (draw.below(12)) {
    case 0: return {subject.like(text), where_present<member>([text](auto const& v) { return is_like(v, text); })};
    case 1:
      return {subject.ilike(text),
              where_present<member>([text](auto const& v) { return is_like(folded(v), folded(text)); })};
    case 2: return {subject.contains(text), where_present<member>([text](auto const& v) { return has_part(v, text); })};
    case 3:
      return {subject.icontains(text),
              where_present<member>([text](auto const& v) { return has_part(folded(v), folded(text)); })};
    case 4: return {subject.startswith(text), where_present<member>([=](auto const& v) { return starts(v, text); })};
    case 5:
      return {subject.istartswith(text),
              where_present<member>([=](auto const& v) { return starts(folded(v), folded(text)); })};
    case 6: return {subject.endswith(text), where_present<member>([=](auto const& v) { return ends(v, text); })};
    case 7:
      return {subject.iendswith(text),
              where_present<member>([=](auto const& v) { return ends(folded(v), folded(text)); })};
    case 8:
      return {subject.regex("^(a|é)"),
              where_present<member>([=](auto const& v) { return starts(v, "a") || starts(v, "é"); })};
    case 9: return {subject.iregex("é$"), where_present<member>([=](auto const& v) { return ends(folded(v), "é"); })};
    default: return draw_comparison<member>(draw, text, draw.text(3));
  }
}

template <auto left, auto right>
Claim draw_member_comparison(Draw& draw) {
  constexpr auto a = field<left, Item>;
  constexpr auto b = field<right, Item>;
  auto const both = [](auto test) -> Predicate {
    return [test](Item const& item) {
      auto const* x = value_of(item.*left);
      auto const* y = value_of(item.*right);
      return x != nullptr && y != nullptr && test(*x, *y);
    };
  };
  switch (draw.below(4)) {
    case 0: return {a == b, both([](auto const& x, auto const& y) { return x == y; })};
    case 1: return {a < b, both([](auto const& x, auto const& y) { return x < y; })};
    case 2: return {a >= b, both([](auto const& x, auto const& y) { return x >= y; })};
    default: {
      auto const equal = both([](auto const& x, auto const& y) { return x == y; });
      return {a != b, [equal](Item const& item) { return !equal(item); }};
    }
  }
}

template <auto member, class V>
Claim draw_list_claim(Draw& draw, std::vector<V> const& parts, V const& part) {
  constexpr auto subject = field<member, Item>;
  auto const has = [](auto const& list, V const& wanted) {
    return std::find(list.begin(), list.end(), wanted) != list.end();
  };
  switch (draw.below(3)) {
    case 0: return {subject.contains(part), where_present<member>([=](auto const& list) { return has(list, part); })};
    case 1:
      return {subject.contains_all(parts), where_present<member>([=](auto const& list) {
                return std::all_of(parts.begin(), parts.end(), [&](V const& each) { return has(list, each); });
              })};
    default:
      return {subject.contains_any(parts), where_present<member>([=](auto const& list) {
                return std::any_of(parts.begin(), parts.end(), [&](V const& each) { return has(list, each); });
              })};
  }
}

Claim draw_lookup(Draw& draw) {
  auto const integer = [&] { return draw.small_integer(); };
  auto const text = [&] { return draw.text_without_nul(2); };
  auto const status = [&] { return draw.status(); };
  switch (draw.below(26)) {
    case 0: return draw_text_claim<&Item::name>(draw);
    case 1:
    case 2: return draw_text_claim<&Item::note>(draw);
    case 3: return draw_comparison<&Item::quantity>(draw, integer(), integer());
    case 4: return draw_comparison<&Item::stock>(draw, int64_t{integer()}, int64_t{integer()});
    case 5: return draw_comparison<&Item::weight>(draw, draw.small_real(), draw.small_real());
    case 6: return draw_comparison<&Item::score>(draw, draw.small_real(), draw.small_real());
    case 7: return draw_equality<&Item::status>(draw, draw.status(), draw.status());
    case 8: return draw_equality<&Item::previous_status>(draw, draw.status(), draw.status());
    case 9: return draw_comparison<&Item::created_at>(draw, draw.datetime(), draw.datetime());
    case 10: return draw_comparison<&Item::closed_at>(draw, draw.datetime(), draw.datetime());
    case 11: return draw_comparison<&Item::effort>(draw, draw.duration(), draw.duration());
    case 12: return draw_comparison<&Item::pause>(draw, draw.duration(), draw.duration());
    case 13: return draw_comparison<&Item::price>(draw, draw.decimal(), draw.decimal());
    case 14: return draw_comparison<&Item::discount>(draw, draw.decimal(), draw.decimal());
    case 15: return draw_comparison<&Item::parent>(draw, draw.id(), draw.id());
    case 16: return draw_comparison<&Item::id>(draw, draw.id(), draw.id());
    case 17: return draw_equality<&Item::approved>(draw, draw.chance(2), draw.chance(2));
    case 18: return draw_member_comparison<&Item::stock, &Item::quantity>(draw);
    case 19: return draw_member_comparison<&Item::price, &Item::discount>(draw);
    case 20: return draw_member_comparison<&Item::note, &Item::name>(draw);
    case 21: return draw_list_claim<&Item::tags>(draw, draw.list(text), text());
    case 22: return draw_list_claim<&Item::numbers>(draw, draw.list(integer), integer());
    case 23: return draw_list_claim<&Item::history>(draw, draw.list(status), status());
    case 24: return draw.chance(2) ? draw_presence<&Item::note>() : draw_presence<&Item::stock>();
    default: return draw.chance(2) ? draw_presence<&Item::numbers>() : draw_presence<&Item::parent>();
  }
}

Claim draw_claim(Draw& draw, int depth) {
  if (depth == 0 || draw.chance(3)) return draw_lookup(draw);
  auto const a = draw_claim(draw, depth - 1);
  if (draw.chance(3)) return {!a.condition, [a](Item const& item) { return !a.holds(item); }};
  auto const b = draw_claim(draw, depth - 1);
  if (draw.chance(2)) {
    return {a.condition && b.condition, [a, b](Item const& item) { return a.holds(item) && b.holds(item); }};
  }
  return {a.condition || b.condition, [a, b](Item const& item) { return a.holds(item) || b.holds(item); }};
}

// ---- orders
// ------------------------------------------------------------------------------------------------------------

using Less = std::function<bool(Item const&, Item const&)>;

template <class V>
bool is_before(V const& a, V const& b) {
  if constexpr (std::is_enum_v<V>) {
    return enum_name(a) < enum_name(b);
  } else {
    return a < b;
  }
}
/// Without a value comes first.
template <class V>
bool is_before(std::optional<V> const& a, std::optional<V> const& b) {
  if (!a || !b) return !a && b.has_value();
  return is_before(*a, *b);
}

struct Sorting {
  OrderKey<Item> key;
  Less less;
};

template <auto member>
Sorting draw_direction(Draw& draw) {
  if (draw.chance(2)) {
    return {asc<member, Item>, [](Item const& a, Item const& b) { return is_before(a.*member, b.*member); }};
  }
  return {desc<member, Item>, [](Item const& a, Item const& b) { return is_before(b.*member, a.*member); }};
}

Sorting draw_sorting(Draw& draw) {
  switch (draw.below(12)) {
    case 0: return draw_direction<&Item::name>(draw);
    case 1: return draw_direction<&Item::note>(draw);
    case 2: return draw_direction<&Item::quantity>(draw);
    case 3: return draw_direction<&Item::score>(draw);
    case 4: return draw_direction<&Item::approved>(draw);
    case 5: return draw_direction<&Item::previous_status>(draw);
    case 6: return draw_direction<&Item::closed_at>(draw);
    case 7: return draw_direction<&Item::pause>(draw);
    case 8: return draw_direction<&Item::discount>(draw);
    case 9: return draw_direction<&Item::parent>(draw);
    case 10: return draw_direction<&Item::price>(draw);
    default: return draw_direction<&Item::token>(draw);
  }
}

/// A query and the rows it must give, in order.
struct Case {
  Query<Item> query;
  std::vector<Item> expected;
};

Case draw_case(Draw& draw, std::vector<Item> const& items) {
  Case drawn{from<Item>(), items};
  for (auto conditions = draw.below(3); conditions > 0; --conditions) {
    auto const claim = draw_claim(draw, 3);
    drawn.query = drawn.query.where(claim.condition);
    std::erase_if(drawn.expected, [&](Item const& item) { return !claim.holds(item); });
  }
  std::vector<Sorting> sortings;
  for (auto keys = draw.below(3); keys > 0; --keys) sortings.push_back(draw_sorting(draw));
  sortings.push_back(draw_direction<&Item::id>(draw));  // a slice needs an order without ties
  for (auto const& sorting : sortings) drawn.query = drawn.query.order_by(sorting.key);
  std::sort(drawn.expected.begin(), drawn.expected.end(), [&](Item const& a, Item const& b) {
    for (auto const& sorting : sortings) {
      if (sorting.less(a, b)) return true;
      if (sorting.less(b, a)) return false;
    }
    return false;
  });
  if (draw.chance(2)) {
    auto const offset = draw.below(items.size() + 2);
    drawn.query = drawn.query.offset(offset);
    auto const skipped = static_cast<std::ptrdiff_t>(std::min(offset, drawn.expected.size()));
    drawn.expected.erase(drawn.expected.begin(), drawn.expected.begin() + skipped);
  }
  if (draw.chance(2)) {
    auto const limit = draw.below(items.size() / 2);
    drawn.query = drawn.query.limit(limit);
    if (drawn.expected.size() > limit) drawn.expected.resize(limit);
  }
  return drawn;
}

// ---- the comparison
// ----------------------------------------------------------------------------------------------------

std::vector<Id<Item>> ids_of(std::vector<Item> const& items) {
  std::vector<Id<Item>> ids;
  for (auto const& item : items) ids.push_back(item.id);
  return ids;
}

std::string text_of(Query<Item> const& query) {
  Recorder recorder;
  run(query.all(recorder));
  return recorder.last_text();
}

struct Undo : std::runtime_error {
  Undo() : std::runtime_error("undo") {}
};

std::vector<Id<Item>> without(std::vector<Item> const& items, std::vector<Id<Item>> const& removed) {
  std::vector<Id<Item>> left;
  for (auto const& item : items) {
    if (std::find(removed.begin(), removed.end(), item.id) == removed.end()) left.push_back(item.id);
  }
  std::sort(left.begin(), left.end());
  return left;
}

boost::asio::awaitable<std::vector<Id<Item>>> ids_where(sqlite::Transaction& transaction, Query<Item> query) {
  auto const found = co_await query.order_by(asc<&Item::id>).all(transaction);
  co_return ids_of(found);
}

/// Both write terminals, each undone afterwards.
void expect_writes(sqlite::Client& db, Case const& drawn, std::vector<Item> const& items) {
  auto const expected_ids = ids_of(drawn.expected);
  auto const expected_count = static_cast<int64_t>(expected_ids.size());
  auto const removing = [&](sqlite::Transaction& transaction) -> boost::asio::awaitable<void> {
    auto const removed = co_await drawn.query.delete_many(transaction);
    EXPECT_EQ(removed, expected_count);
    auto const left = co_await ids_where(transaction, from<Item>());
    EXPECT_EQ(left, without(items, expected_ids));
    throw Undo();
  };
  EXPECT_THROW(run(db.transaction(removing)), Undo);
  auto const updating = [&](sqlite::Transaction& transaction) -> boost::asio::awaitable<void> {
    auto const updated =
        co_await drawn.query.update_many(transaction, set<&Item::quantity>(1000), set<&Item::note>(std::nullopt));
    EXPECT_EQ(updated, expected_count);
    auto const changed = co_await ids_where(
        transaction, from<Item>().where(field<&Item::quantity> == 1000 && field<&Item::note>.is_null()));
    auto sorted = expected_ids;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(changed, sorted);
    throw Undo();
  };
  EXPECT_THROW(run(db.transaction(updating)), Undo);
}

void expect_reads(sqlite::Client& db, Case const& drawn) {
  auto const found = run(drawn.query.all(db));
  EXPECT_EQ(ids_of(found), ids_of(drawn.expected));
  EXPECT_EQ(run(drawn.query.count(db)), static_cast<int64_t>(drawn.expected.size()));
  EXPECT_EQ(run(drawn.query.exists(db)), !drawn.expected.empty());
  auto const first = run(drawn.query.first(db));
  ASSERT_EQ(first.has_value(), !drawn.expected.empty());
  if (first) {
    EXPECT_EQ(first->id, drawn.expected.front().id);
  }
  try {
    auto const one = run(drawn.query.one(db));
    ASSERT_EQ(drawn.expected.size(), 1u);
    EXPECT_EQ(one.id, drawn.expected.front().id);
  } catch (Error const& error) {
    EXPECT_EQ(error.engine_code(), drawn.expected.empty() ? "not_found" : "multiple_found") << error.what();
    EXPECT_NE(drawn.expected.size(), 1u);
  }
}

std::uint64_t number_from_environment(char const* name, std::uint64_t otherwise) {
  auto const* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Query, AgreesWithAPlainReadingOfTheSemantics) {
  auto const queries = number_from_environment("BELAY_QUERIES", 600);
  auto const first_seed = number_from_environment("BELAY_SEED", 1);
  constexpr std::uint64_t queries_a_database = 150;
  for (std::uint64_t done = 0; done < queries && !testing::Test::HasFailure(); done += queries_a_database) {
    TestDatabase database;
    auto& db = database.client();
    Draw draw(first_seed + done);
    run(create_tables<Item>(db));
    std::vector<Item> items;
    for (int number = 0; number < 45; ++number) {
      items.push_back(draw_item(draw, number));
      run(insert(db, std::as_const(items.back())));
    }
    // Rows that others wrote under an older name mean the same.
    database.execute("UPDATE item SET status = 'done' WHERE status = 'closed' AND quantity % 2 = 0");
    for (std::uint64_t i = 0; i < std::min(queries_a_database, queries - done); ++i) {
      auto const drawn = draw_case(draw, items);
      SCOPED_TRACE("BELAY_SEED=" + std::to_string(first_seed + done) + " query " + std::to_string(i) + ": " +
                   text_of(drawn.query));
      expect_reads(db, drawn);
      if (draw.chance(3)) expect_writes(db, drawn, items);
      if (testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace belay::orm::test
