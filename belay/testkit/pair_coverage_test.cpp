#include "belay/testkit/pair_coverage.hpp"

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace belay::testkit {
namespace {

using Names = std::vector<std::string>;

TEST(PairCoverage, TellsWhatIsMissingAndWhatMustNotBe) {
  PairCoverage coverage({"closed", "open"}, {"success", "failure"});
  EXPECT_EQ(coverage.percentage(), 100);
  coverage.declare_all_legal();
  coverage.declare_illegal(1, 0);
  EXPECT_EQ(coverage.legal(), 3u);
  coverage.record(0, 0);
  coverage.record(0, 0);
  EXPECT_EQ(coverage.count(0, 0), 2u);
  EXPECT_EQ(coverage.missing(), (Names{"closed x failure", "open x failure"}));
  EXPECT_EQ(coverage.illegal(), Names());
  coverage.record(1, 0);
  EXPECT_EQ(coverage.illegal(), (Names{"open x success"}));
  EXPECT_EQ(coverage.describe(),
            "1 of 3 legal pairs (33.3 %); missing: closed x failure, open x failure; illegal: open x success");
}

TEST(PairCoverage, JoinsRuns) {
  PairCoverage sum({"a"}, {"x", "y"});
  sum.declare_all_legal();
  PairCoverage run({"a"}, {"x", "y"});
  run.record(0, 0);
  sum.add(run);
  run = PairCoverage({"a"}, {"x", "y"});
  run.record(0, 1);
  sum.add(run);
  EXPECT_EQ(sum.percentage(), 100);
  EXPECT_THROW(sum.add(PairCoverage({"b"}, {"x", "y"})), Error);
}

TEST(PairCoverage, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(PairCoverage({}, {"x"}), Error);
  PairCoverage coverage({"a"}, {"x", "y"});
  EXPECT_THROW(coverage.record(1, 0), Error);
  EXPECT_THROW(coverage.record(0, 2), Error);
}

}  // namespace
}  // namespace belay::testkit
