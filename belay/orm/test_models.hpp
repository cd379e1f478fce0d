#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/describe.hpp>

#include "belay/core/bytes.hpp"
#include "belay/core/datetime.hpp"
#include "belay/core/decimal.hpp"
#include "belay/core/duration.hpp"
#include "belay/core/enum_names.hpp"
#include "belay/core/id.hpp"
#include "belay/core/uuid.hpp"
#include "belay/orm/orm.hpp"

/// Models that the ORM's tests share.
namespace belay::orm::test {

enum class Status { open, in_work, closed };
BOOST_DESCRIBE_ENUM(Status, open, in_work, closed)

enum class Colour { red, green, blue };
BOOST_DESCRIBE_ENUM(Colour, red, green, blue)

struct Address {
  std::string street;
  int number = 0;
  std::optional<std::string> city;
  friend bool operator==(Address const&, Address const&) = default;
};
BOOST_DESCRIBE_STRUCT(Address, (), (street, number, city))

struct Stamped {
  Datetime created_at;
};
BOOST_DESCRIBE_STRUCT(Stamped, (), (created_at))

/// A member of every kind, required and optional; the id is neither first nor the only id.
struct Item : Stamped {
  std::string name;
  Id<Item> id;
  std::optional<std::string> note;
  int quantity = 0;
  std::optional<std::int64_t> stock;
  double weight = 0;
  std::optional<double> score;
  bool pinned = false;
  std::optional<bool> approved;
  Status status = Status::open;
  std::optional<Status> previous_status;
  Colour colour = Colour::red;
  Colour second_colour = Colour::red;
  std::optional<Datetime> closed_at;
  Duration effort;
  std::optional<Duration> pause;
  Decimal price;
  std::optional<Decimal> discount;
  Uuid token;
  std::optional<Id<Item>> parent;
  std::vector<std::string> tags;
  std::optional<std::vector<int>> numbers;
  std::vector<Status> history;
  std::optional<Address> address;
  Bytes content;
};
BOOST_DESCRIBE_STRUCT(Item, (Stamped),
                      (name, id, note, quantity, stock, weight, score, pinned, approved, status, previous_status,
                       colour, second_colour, closed_at, effort, pause, price, discount, token, parent, tags, numbers,
                       history, address, content))

/// The least a model can be.
struct Note {
  Id<Note> id;
  std::string text;
  std::optional<int> rank;
};
BOOST_DESCRIBE_STRUCT(Note, (), (id, text, rank))

}  // namespace belay::orm::test

template <>
struct belay::EnumAliases<belay::orm::test::Status> {
  static constexpr std::pair<std::string_view, belay::orm::test::Status> values[] = {
      {"done", belay::orm::test::Status::closed}, {"finished", belay::orm::test::Status::closed}};
};

template <>
struct belay::orm::Table<belay::orm::test::Item> {
  static constexpr auto name = "item";
  static constexpr auto indexes =
      std::tuple{index<&test::Item::quantity>, index<&test::Item::status, &test::Item::quantity>,
                 index<&test::Item::name>, unique_index<&test::Item::token>};
};

template <>
struct belay::orm::Table<belay::orm::test::Note> {
  static constexpr auto name = "note";
};
