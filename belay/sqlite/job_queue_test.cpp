#include "belay/sqlite/job_queue.hpp"

#include <chrono>
#include <memory>

#include <gtest/gtest.h>

namespace belay::sqlite {
namespace {

using namespace std::chrono_literals;
using Admission = JobQueue::Admission;

std::shared_ptr<Job> job(Deadline deadline = Deadline::never(), Company company = Company::shared) {
  Work work{};
  work.kind = Work::Kind::read;
  work.company = company;
  return std::make_shared<Job>(std::move(work), deadline);
}

TEST(JobQueue, IsFirstInFirstOut) {
  JobQueue queue("a reader", 1);
  auto const first = job();
  auto const second = job();
  EXPECT_EQ(queue.push(first, Deadline::clock::now()), Admission::accepted);
  EXPECT_EQ(queue.push(second, Deadline::clock::now()), Admission::accepted);
  auto const taken = queue.take(0);
  EXPECT_EQ(taken.job, first);
  EXPECT_TRUE(taken.more);
  EXPECT_EQ(queue.push(job(), Deadline::clock::now()), Admission::accepted);
}

/// A job that came after the snapshot was taken may know of writes the snapshot lacks.
TEST(JobQueue, LetsOnlyJobsPushedBeforeTheSnapshotShareIt) {
  JobQueue queue("a reader", 1);
  auto const early = job();
  auto const late = job();
  queue.push(job(), Deadline::clock::now());
  queue.push(early, Deadline::clock::now());
  auto const taken = queue.take(0);
  queue.push(late, Deadline::clock::now());
  EXPECT_EQ(queue.take_pushed_by(0, taken.newest), early);
  EXPECT_EQ(queue.take_pushed_by(0, taken.newest), nullptr);
  EXPECT_EQ(queue.take(0).job, late);
}

TEST(JobQueue, HandsOutWhatIsLeftAfterItWasClosed) {
  JobQueue queue("a reader", 1);
  auto const left = job();
  queue.push(left, Deadline::clock::now());
  queue.close();
  EXPECT_EQ(queue.push(job(), Deadline::clock::now()), Admission::closed);
  EXPECT_EQ(queue.take(0).job, left);
  EXPECT_EQ(queue.take(0).job, nullptr);
  EXPECT_TRUE(JobQueue("the writer", 1).drain().empty());
}

TEST(JobQueue, TakesAGroupUpToTheFirstThatIsNotShared) {
  JobQueue queue("the writer", 1);
  for (auto const company : {Company::shared, Company::shared, Company::exclusive, Company::shared}) {
    queue.push(job(Deadline::never(), company), Deadline::clock::now());
  }
  EXPECT_EQ(queue.take_group(64).size(), 2U);
  EXPECT_EQ(queue.take_group(64).front()->work.company, Company::exclusive);
  EXPECT_EQ(queue.take_group(64).size(), 1U);
}

TEST(JobQueue, FindsLateJobsQueuedAndRunning) {
  auto const now = Deadline::clock::now();
  JobQueue queue("the writer", 1);
  auto const running = job(Deadline::at(now + 10ms));
  auto const queued = job(Deadline::at(now + 20ms), Company::exclusive);
  auto const patient = job(Deadline::at(now + 1h), Company::exclusive);
  queue.push(running, Deadline::clock::now());
  queue.push(queued, Deadline::clock::now());
  queue.push(patient, Deadline::clock::now());
  ASSERT_EQ(queue.take_group(64).size(), 1U);
  ASSERT_TRUE(running->start());

  auto survey = queue.survey(now, 100ms);
  EXPECT_TRUE(survey.expired.empty());
  EXPECT_TRUE(survey.stuck.empty());
  EXPECT_EQ(survey.next, now + 20ms);

  survey = queue.survey(now + 20ms, 100ms);
  ASSERT_EQ(survey.expired.size(), 1U);
  EXPECT_EQ(survey.expired.front(), queued);
  EXPECT_TRUE(survey.stuck.empty()) << "its worker still has time to notice";
  EXPECT_EQ(survey.next, now + 110ms);
  EXPECT_EQ(queue.size(), 1U);

  survey = queue.survey(now + 110ms, 100ms);
  ASSERT_EQ(survey.stuck.size(), 1U);
  EXPECT_EQ(survey.stuck.front(), running);
  EXPECT_EQ(survey.next, now + 1h);
}

TEST(JobQueue, FindsARunningJobThatDoesNotHeedItsCancellation) {
  auto const now = Deadline::clock::now();
  JobQueue queue("a reader", 1);
  auto const running = job();
  queue.push(running, Deadline::clock::now());
  queue.take(0);
  ASSERT_TRUE(running->start());
  EXPECT_EQ(queue.survey(now, 100ms).next, Deadline::time_point::max());
  running->request_cancel(now);
  EXPECT_EQ(queue.survey(now, 100ms).next, now + 100ms);
  EXPECT_EQ(queue.survey(now + 100ms, 100ms).stuck.size(), 1U);
}

TEST(Job, IsCompletedByExactlyOneSide) {
  Error const why(ErrorClass::cancelled, SendState::never_sent, "gone");
  auto const queued = job();
  EXPECT_FALSE(queued->succeed(Summary())) << "not running";
  EXPECT_FALSE(queued->abandon(why)) << "not running";
  EXPECT_TRUE(queued->drop(why));
  EXPECT_FALSE(queued->start()) << "a dropped job never runs";
  auto const running = job();
  EXPECT_TRUE(running->start());
  EXPECT_FALSE(running->drop(why));
  EXPECT_TRUE(running->abandon(why));
  EXPECT_FALSE(running->succeed(Summary())) << "the late result is dropped";
  EXPECT_FALSE(running->row(nullptr)) << "no row after the end";
  EXPECT_FALSE(running->restart_rows());
}

}  // namespace
}  // namespace belay::sqlite
