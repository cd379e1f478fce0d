#include "belay/core/enum_names.hpp"

#include <boost/describe/enum.hpp>
#include <gtest/gtest.h>

namespace belay {
namespace {

enum class Phase { fresh, running = 7, done };
BOOST_DESCRIBE_ENUM(Phase, fresh, running, done)

enum class Colour { red, green };
BOOST_DESCRIBE_ENUM(Colour, red, green)

}  // namespace

template <>
struct EnumAliases<Phase> {
  static constexpr std::pair<std::string_view, Phase> values[] = {{"finished", Phase::done}, {"complete", Phase::done}};
};

namespace {

TEST(EnumNames, NamesEachEnumerator) {
  EXPECT_EQ(enum_name(Phase::fresh), "fresh");
  EXPECT_EQ(enum_name(Phase::running), "running");
  EXPECT_EQ(enum_name(Phase::done), "done");
  static_assert(enum_name(Phase::running) == "running");
}

TEST(EnumNames, HasNoNameForOtherValues) {
  EXPECT_EQ(enum_name(static_cast<Phase>(1)), "");
  EXPECT_EQ(enum_name(static_cast<Phase>(-1)), "");
}

TEST(EnumNames, FindsEnumeratorsByTheirVeryName) {
  EXPECT_EQ(enum_from_name<Phase>("running"), Phase::running);
  for (auto const* name : {"", "Running", "runnin", "running ", "Phase::running", "7"}) {
    EXPECT_EQ(enum_from_name<Phase>(name), std::nullopt) << name;
  }
}

TEST(EnumNames, AcceptsAliasesOnInputOnly) {
  EXPECT_EQ(enum_from_name<Phase>("finished"), Phase::done);
  EXPECT_EQ(enum_from_name<Phase>("complete"), Phase::done);
  EXPECT_EQ(enum_name(Phase::done), "done");
  EXPECT_EQ(enum_from_name<Colour>("finished"), std::nullopt);
  EXPECT_EQ(enum_from_name<Colour>("green"), Colour::green);
}

TEST(EnumNames, ListsThemInTheOrderOfTheDescription) {
  ASSERT_EQ(enumerators_of<Phase>.size(), 3u);
  EXPECT_EQ(enumerators_of<Phase>[1].first, "running");
  EXPECT_EQ(enumerators_of<Phase>[2].second, Phase::done);
}

}  // namespace
}  // namespace belay
