#include "belay/core/await_safe.hpp"

#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace belay {
namespace {

template <class F>
constexpr bool accepts(F&&) {
  return AwaitSafe<F>;
}

TEST(AwaitSafe, AcceptsNamedCallablesWhateverTheyOwn) {
  auto const owning = [text = std::string("x")] { return text; };
  EXPECT_TRUE(accepts(owning));
}

TEST(AwaitSafe, AcceptsTemporariesThatOwnNothing) {
  int number = 0;
  EXPECT_TRUE(accepts([&number] { return number; }));
  EXPECT_TRUE(accepts([number] { return number; }));
}

TEST(AwaitSafe, RefusesOwningTemporariesWhereTheCompilerBreaksThem) {
  EXPECT_EQ(accepts([text = std::string("x")] { return text; }), !temporaries_break_in_co_await);
}

}  // namespace
}  // namespace belay
