#include "belay/core/decimal.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/random.hpp"

namespace belay {
namespace {

constexpr auto int64_min = std::numeric_limits<std::int64_t>::min();
constexpr auto int64_max = std::numeric_limits<std::int64_t>::max();

Decimal decimal(std::string_view text) { return Decimal::parse(text).value(); }

std::string reprinted(std::string_view text) {
  auto const parsed = Decimal::parse(text);
  return parsed ? parsed->to_string() : "refused";
}

TEST(Decimal, KeepsTheDigitsItWasGiven) {
  for (auto const* text : {"0", "1", "-1", "1.50", "-0.001", "0.00", "1000", "123456789012345678901234567890.123456789",
                           "0.10", "100.0", "NaN", "Infinity", "-Infinity"}) {
    EXPECT_EQ(reprinted(text), text);
  }
}

TEST(Decimal, WritesExponentsAndSparseFormsAsPlainDigits) {
  EXPECT_EQ(reprinted("1e3"), "1000");
  EXPECT_EQ(reprinted("1.5E+2"), "150");
  EXPECT_EQ(reprinted("1.50e1"), "15.0");
  EXPECT_EQ(reprinted("12e-3"), "0.012");
  EXPECT_EQ(reprinted("12345e-2"), "123.45");
  EXPECT_EQ(reprinted(".5"), "0.5");
  EXPECT_EQ(reprinted("5."), "5");
  EXPECT_EQ(reprinted("+007.10"), "7.10");
  EXPECT_EQ(reprinted("-0.0"), "0.0");
  EXPECT_EQ(reprinted("0e5"), "0");
  EXPECT_EQ(reprinted("0e-3"), "0.000");
  EXPECT_EQ(reprinted("nan"), "NaN");
  EXPECT_EQ(reprinted("-INF"), "-Infinity");
  EXPECT_EQ(reprinted("+infinity"), "Infinity");
}

TEST(Decimal, RefusesEverythingElse) {
  for (auto const* text :
       {"",     " ",     ".",    "-",     "+",   "e5",  ".e5",   "1e",   "1e+",  "1e-",     "1 ",     " 1",      "1,5",
        "0x10", "1_000", "1..2", "1.2.3", "--1", "+-1", "1e5.0", "-nan", "+nan", "infinit", "1.5dec", "\xd9\xa1"}) {
    EXPECT_FALSE(Decimal::parse(text)) << text;
  }
  EXPECT_FALSE(Decimal::parse(std::string_view("1\0", 2)));
}

TEST(Decimal, EndsWherePostgresqlsNumericEnds) {
  EXPECT_TRUE(Decimal::parse(std::string(131072, '9')));
  EXPECT_FALSE(Decimal::parse('1' + std::string(131072, '0')));
  EXPECT_TRUE(Decimal::parse(std::string(1000, '0') + std::string(131072, '9'))) << "leading zeros do not count";
  EXPECT_EQ(decimal("1e131071").to_string().size(), 131072u);
  EXPECT_FALSE(Decimal::parse("1e131072"));
  EXPECT_EQ(decimal("1e-16383").to_string().size(), 2 + 16383u);
  EXPECT_FALSE(Decimal::parse("1e-16384"));
  EXPECT_FALSE(Decimal::parse("0." + std::string(16384, '0')));
  EXPECT_FALSE(Decimal::parse("1e999999999999999999999"));
  EXPECT_FALSE(Decimal::parse("1e-999999999999999999999"));
  EXPECT_EQ(decimal("0e999999999999999999999"), Decimal());
}

TEST(Decimal, ComparesByValueWhateverTheDigits) {
  EXPECT_EQ(decimal("1.0"), decimal("1.00"));
  EXPECT_EQ(decimal("1e3"), decimal("1000.000"));
  EXPECT_EQ(decimal("-0"), decimal("0.000"));
  EXPECT_EQ(decimal("NaN"), Decimal::nan());
  std::vector<Decimal> const ascending = {Decimal::negative_infinity(),
                                          decimal("-1e100"),
                                          decimal("-10.01"),
                                          decimal("-10"),
                                          decimal("-9.99"),
                                          decimal("-0.5"),
                                          decimal("-0.05"),
                                          Decimal(),
                                          decimal("0.0005"),
                                          decimal("0.05"),
                                          decimal("0.5"),
                                          decimal("0.51"),
                                          decimal("1"),
                                          decimal("1.0001"),
                                          decimal("9.99"),
                                          decimal("10"),
                                          decimal("1e100"),
                                          Decimal::infinity(),
                                          Decimal::nan()};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      EXPECT_EQ(ascending[i] <=> ascending[j], i <=> j) << ascending[i].to_string() << ' ' << ascending[j].to_string();
    }
  }
}

TEST(Decimal, ConvertsIntegersBothWays) {
  for (auto const number :
       {int64_min, int64_min + 1, std::int64_t{-10}, std::int64_t{0}, std::int64_t{7}, std::int64_t{1000}, int64_max}) {
    EXPECT_EQ(Decimal(number).to_int64(), number);
    EXPECT_EQ(Decimal(number).to_string(), std::to_string(number));
  }
  EXPECT_EQ(decimal("12.000").to_int64(), 12);
  EXPECT_EQ(decimal("1e18").to_int64(), 1'000'000'000'000'000'000);
}

TEST(Decimal, SaysWhenAnIntegerWouldLoseSomething) {
  for (auto const* text : {"0.5", "-0.001", "12.0001", "9223372036854775808", "-9223372036854775809", "1e19",
                           "1e131071", "NaN", "Infinity", "-Infinity"}) {
    EXPECT_EQ(decimal(text).to_int64(), std::nullopt) << text;
  }
}

TEST(Decimal, ConvertsDoublesExactlyOrToTheShortestText) {
  EXPECT_EQ(Decimal::from_exact(0.1).to_string(), "0.1000000000000000055511151231257827021181583404541015625");
  EXPECT_EQ(Decimal::from_shortest(0.1).to_string(), "0.1");
  EXPECT_EQ(Decimal::from_exact(-0.0), Decimal());
  EXPECT_EQ(Decimal::from_exact(1e23).to_string(), "99999999999999991611392");
  EXPECT_EQ(Decimal::from_shortest(1e23).to_string(), "100000000000000000000000");
  EXPECT_EQ(Decimal::from_exact(std::numeric_limits<double>::max()).to_string().size(), 309u);
  EXPECT_EQ(Decimal::from_exact(std::numeric_limits<double>::denorm_min()).scale(), 1074);
  EXPECT_TRUE(Decimal::from_exact(std::numeric_limits<double>::quiet_NaN()).is_nan());
  EXPECT_EQ(Decimal::from_shortest(-std::numeric_limits<double>::infinity()), Decimal::negative_infinity());
}

TEST(Decimal, SaysWhetherADoubleIsTheNumberItself) {
  auto const nearest = [](std::string_view text) { return decimal(text).to_double(); };
  EXPECT_EQ(nearest("0.5").value, 0.5);
  EXPECT_TRUE(nearest("0.5").exact);
  EXPECT_EQ(nearest("0.1").value, 0.1);
  EXPECT_FALSE(nearest("0.1").exact);
  EXPECT_FALSE(nearest("9007199254740993").exact);
  EXPECT_EQ(nearest("1e400").value, std::numeric_limits<double>::infinity());
  EXPECT_FALSE(nearest("1e400").exact);
  EXPECT_EQ(nearest("-1e400").value, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(nearest("1e-400").value, 0.0);
  EXPECT_FALSE(nearest("1e-400").exact);
  EXPECT_TRUE(nearest("Infinity").exact);
  EXPECT_TRUE(std::isnan(nearest("NaN").value));
  EXPECT_TRUE(nearest("0.000").exact);
}

TEST(Decimal, RoundTripsDoubles) {
  Random random(11);
  for (int i = 0; i < 2'000; ++i) {
    auto const number = std::ldexp(random.uniform() - 0.5, static_cast<int>(random.below(600)) - 300);
    auto const exact = Decimal::from_exact(number).to_double();
    EXPECT_EQ(exact.value, number);
    EXPECT_TRUE(exact.exact);
    EXPECT_EQ(Decimal::from_shortest(number).to_double().value, number);
  }
}

TEST(Decimal, DropsZerosOfTheFractionOnly) {
  EXPECT_EQ(decimal("1.500").normalized().to_string(), "1.5");
  EXPECT_EQ(decimal("100").normalized().to_string(), "100");
  EXPECT_EQ(decimal("100.00").normalized().to_string(), "100");
  EXPECT_EQ(decimal("0.000").normalized().to_string(), "0");
  EXPECT_EQ(decimal("-0.10").normalized().to_string(), "-0.1");
}

TEST(Decimal, ShowsItsPartsToCodecs) {
  auto const number = decimal("-12.50");
  EXPECT_EQ(number.digits(), "1250");
  EXPECT_EQ(number.exponent(), -2);
  EXPECT_EQ(number.scale(), 2);
  EXPECT_TRUE(number.is_negative());
  EXPECT_EQ(decimal("1e3").exponent(), 3);
  EXPECT_EQ(decimal("1e3").scale(), 0);
  EXPECT_EQ(Decimal().digits(), "");
  EXPECT_TRUE(decimal("0.00").is_zero());
  EXPECT_FALSE(Decimal::infinity().is_finite());
  EXPECT_TRUE(Decimal::infinity().is_infinite());
}

}  // namespace
}  // namespace belay
