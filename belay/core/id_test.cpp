#include "belay/core/id.hpp"

#include <type_traits>
#include <unordered_set>

#include <gtest/gtest.h>

namespace belay {
namespace {

struct Person;  // an id is complete without its model
struct Place;

TEST(Id, IsEmptyUntilItHasAKey) {
  Id<Person> const none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.to_string(), "");
  EXPECT_FALSE(Id<Person>("ann").empty());
  EXPECT_FALSE(Id<Person>(0).empty());
}

TEST(Id, KeepsTheKindOfItsKey) {
  EXPECT_EQ(std::get<std::int64_t>(Id<Person>(5).key()), 5);
  EXPECT_EQ(std::get<std::string>(Id<Person>("5").key()), "5");
  auto const uuid = *Uuid::parse("018e3c3c-1111-7abc-8def-0123456789ab");
  EXPECT_EQ(std::get<Uuid>(Id<Person>(uuid).key()), uuid);
  EXPECT_NE(Id<Person>(5), Id<Person>("5"));
  EXPECT_EQ(Id<Person>(5).to_string(), Id<Person>("5").to_string());
  EXPECT_EQ(Id<Person>(uuid).to_string(), uuid.to_string());
}

TEST(Id, CannotBeMistakenForAnotherTables) {
  EXPECT_FALSE((std::is_convertible_v<Id<Person>, Id<Place>>));
  EXPECT_FALSE((std::is_constructible_v<Id<Person>, Id<Place>>));
  EXPECT_FALSE((std::is_convertible_v<std::string, Id<Person>>)) << "a text becomes an id only explicitly";
  EXPECT_FALSE((std::is_constructible_v<Id<Person>, bool>));
  EXPECT_FALSE((std::is_constructible_v<Id<Person>, std::uint64_t>)) << "it would wrap";
}

TEST(Id, IsOrderedAndHashed) {
  EXPECT_LT(Id<Person>(), Id<Person>(1));
  EXPECT_LT(Id<Person>(1), Id<Person>(2));
  EXPECT_LT(Id<Person>("a"), Id<Person>("b"));
  std::unordered_set<Id<Person>> const ids{Id<Person>("a"), Id<Person>("a"), Id<Person>("b"), Id<Person>(1)};
  EXPECT_EQ(ids.size(), 3u);
}

TEST(Id, ReadsTextAsAStringKey) {
  EXPECT_EQ(TextForm<Id<Person>>::from_text("123"), Id<Person>("123"));
  EXPECT_EQ(TextForm<Id<Person>>::from_text(""), std::nullopt);
  EXPECT_EQ(TextForm<Id<Person>>::to_text(Id<Person>("ann")), "ann");
}

}  // namespace
}  // namespace belay
