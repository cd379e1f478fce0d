#include "belay/sqlite/group_commit.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace belay::sqlite {
namespace {

using Act = GroupCommit::Act;
using Told = GroupCommit::Told;
using enum RunOutcome;

/// Performs a group against a made-up database and checks each promise of GroupCommit on the way.
struct Performance {
  explicit Performance(std::size_t size) : members(size), machine(size), told(size) {}

  void begin(bool works) {
    applied.clear();
    works ? machine.began() : machine.begin_failed();
    collect();
  }

  void run(RunOutcome outcome) {
    auto const action = machine.next();
    ASSERT_EQ(action.act, Act::run);
    ASSERT_FALSE(told.at(action.member).has_value()) << "a member ran after it was told";
    EXPECT_EQ(action.again, ran.contains(action.member));
    ran.insert(action.member);
    last = outcome;
    last_member = action.member;
    last_alone = action.alone;
    if (outcome == RunOutcome::applied) applied.push_back(action.member);
    bool const transaction_gone = outcome == lost || outcome == gave_up_lost;
    if (transaction_gone) {
      applied.clear();
    }
    machine.ran(outcome);
    collect();
  }

  void commit(bool works) {
    if (works) committed.insert(committed.end(), applied.begin(), applied.end());
    works ? machine.committed() : machine.commit_failed();
    collect();
    applied.clear();
  }

  void collect() {
    for (auto const& answer : machine.take_answers()) {
      auto& place = told.at(answer.member);
      ASSERT_FALSE(place.has_value()) << "member " << answer.member << " was told twice";
      place = answer.told;
      bool const is_committed = std::count(committed.begin(), committed.end(), answer.member) == 1;
      EXPECT_EQ(answer.told == Told::applied, is_committed) << "member " << answer.member;
    }
  }

  /// After done.
  void check_end() {
    for (std::size_t member = 0; member < members; ++member) {
      ASSERT_TRUE(told.at(member).has_value()) << "member " << member << " was never told";
      auto const times = std::count(committed.begin(), committed.end(), member);
      EXPECT_EQ(times, told.at(member) == Told::applied ? 1 : 0) << "member " << member;
    }
  }

  struct Set {
    std::vector<std::size_t> values;
    bool contains(std::size_t v) const { return std::find(values.begin(), values.end(), v) != values.end(); }
    void insert(std::size_t v) {
      if (!contains(v)) values.push_back(v);
    }
  };

  std::size_t members;
  GroupCommit machine;
  std::vector<std::optional<Told>> told;
  Set ran;
  std::vector<std::size_t> applied, committed;
  RunOutcome last = RunOutcome::applied;
  std::size_t last_member = 0;
  bool last_alone = false;
};

/// Tries every outcome at every step; returns the number of different courses.
std::size_t explore(Performance const& now, int depth) {
  EXPECT_LT(depth, 64) << "a group never ends";
  if (depth >= 64 || testing::Test::HasFailure()) return 0;
  std::size_t courses = 0;
  switch (now.machine.next().act) {
    case Act::done: {
      auto end = now;
      end.check_end();
      return 1;
    }
    case Act::begin:
      for (bool const works : {true, false}) {
        auto next = now;
        next.begin(works);
        courses += explore(next, depth + 1);
      }
      return courses;
    case Act::run:
      for (auto const outcome : {applied, failed, lost, gave_up, gave_up_lost}) {
        auto next = now;
        next.run(outcome);
        // A failure that others' uncommitted work may have caused must wait for the commit.
        if (outcome == failed) {
          EXPECT_EQ(next.told.at(next.last_member).has_value(), now.applied.empty());
        }
        if (outcome == lost) {
          EXPECT_EQ(next.told.at(next.last_member).has_value(), next.last_alone) << "blamed in company";
        }
        if (outcome == gave_up || outcome == gave_up_lost) {
          EXPECT_EQ(next.told.at(next.last_member), Told::own_failure);
        }
        courses += explore(next, depth + 1);
      }
      return courses;
    case Act::commit:
      for (bool const works : {true, false}) {
        auto next = now;
        next.commit(works);
        courses += explore(next, depth + 1);
      }
      return courses;
  }
  return courses;
}

TEST(GroupCommit, KeepsItsPromisesOnEveryCourseOfUpToThreeMembers) {
  EXPECT_GT(explore(Performance(1), 0), 5U);
  EXPECT_GT(explore(Performance(2), 0), 50U);
  EXPECT_GT(explore(Performance(3), 0), 1000U);
}

TEST(GroupCommit, EndsAtOnceWithoutMembers) { EXPECT_EQ(GroupCommit(0).next().act, Act::done); }

TEST(GroupCommit, CommitsOnceForAllAndTellsInOrder) {
  GroupCommit group(3);
  EXPECT_EQ(group.next().act, Act::begin);
  group.began();
  for (std::size_t member = 0; member < 3; ++member) {
    EXPECT_EQ(group.next().act, Act::run);
    EXPECT_EQ(group.next().member, member);
    EXPECT_FALSE(group.next().alone);
    group.ran(applied);
    EXPECT_TRUE(group.take_answers().empty()) << "told before the commit";
  }
  EXPECT_EQ(group.next().act, Act::commit);
  group.committed();
  auto const answers = group.take_answers();
  ASSERT_EQ(answers.size(), 3U);
  for (std::size_t member = 0; member < 3; ++member) {
    EXPECT_EQ(answers[member].member, member);
    EXPECT_EQ(answers[member].told, Told::applied);
  }
  EXPECT_EQ(group.next().act, Act::done);
}

TEST(GroupCommit, ReplaysTheNeighboursFirstAndTheOffenderAlone) {
  GroupCommit group(3);
  group.began();
  group.ran(applied);  // 0
  group.ran(lost);     // 1 takes 0's work with it
  EXPECT_EQ(group.next().act, Act::begin);
  group.began();
  EXPECT_EQ(group.next().member, 0U);
  EXPECT_TRUE(group.next().again);
  group.ran(applied);
  EXPECT_EQ(group.next().member, 2U);
  EXPECT_FALSE(group.next().again);
  group.ran(applied);
  group.committed();
  EXPECT_EQ(group.take_answers().size(), 2U);
  EXPECT_EQ(group.next().act, Act::begin);
  group.began();
  EXPECT_EQ(group.next().member, 1U);
  EXPECT_TRUE(group.next().alone);
  EXPECT_TRUE(group.next().again);
  group.ran(applied);
  group.committed();
  EXPECT_EQ(group.take_answers().front().told, Told::applied) << "innocent after all";
  EXPECT_EQ(group.next().act, Act::done);
}

TEST(GroupCommit, HoldsBackAFailureThatUncommittedWorkMayHaveCaused) {
  GroupCommit group(2);
  group.began();
  group.ran(applied);
  group.ran(failed);  // a duplicate of what 0 inserted, say
  EXPECT_TRUE(group.take_answers().empty());
  group.commit_failed();
  auto const answers = group.take_answers();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].told, Told::commit_failure);
  EXPECT_EQ(answers[1].told, Told::commit_failure) << "the row it collided with was never committed";
}

TEST(GroupCommit, TellsAFailureAtOnceWhenNothingPrecededIt) {
  GroupCommit group(2);
  group.began();
  group.ran(failed);
  ASSERT_EQ(group.take_answers().size(), 1U);
  EXPECT_EQ(group.next().member, 1U);
  EXPECT_TRUE(group.next().alone) << "nobody else is left to suffer";
}

TEST(SizeOfNextGroup, TakesTheLeadingSharedRunOrOneOfAnotherKind) {
  using C = Company;
  std::vector<C> const mixed{C::shared, C::shared, C::exclusive, C::shared};
  EXPECT_EQ(size_of_next_group({}, 64), 0U);
  EXPECT_EQ(size_of_next_group(mixed, 64), 2U);
  EXPECT_EQ(size_of_next_group(mixed, 1), 1U);
  EXPECT_EQ(size_of_next_group(std::span(mixed).subspan(2), 64), 1U);
  EXPECT_EQ(size_of_next_group(std::vector<C>{C::alone, C::alone}, 64), 1U);
  EXPECT_EQ(size_of_next_group(std::vector<C>(100, C::shared), 64), 64U);
}

}  // namespace
}  // namespace belay::sqlite
