#include "belay/sqlite/link.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace belay::sqlite {

namespace {

std::shared_ptr<Job> make_job(Work::Kind kind, Deadline deadline) {
  Work work{};
  work.kind = kind;
  return std::make_shared<Job>(std::move(work), deadline);
}

}  // namespace

void Databases::add(DatabasePointer database) {
  prune();
  std::lock_guard const lock(mutex_);
  all_.push_back(std::move(database));
}

void Databases::prune() noexcept {
  std::vector<DatabasePointer> ended;
  {
    std::lock_guard const lock(mutex_);
    auto const first =
        std::partition(all_.begin(), all_.end(), [](DatabasePointer const& one) { return !one->has_ended(); });
    ended.assign(std::make_move_iterator(first), std::make_move_iterator(all_.end()));
    all_.erase(first, all_.end());
  }
  for (auto const& database : ended) database->stop();
}

void Databases::interrupt() noexcept {
  std::lock_guard const lock(mutex_);
  for (auto const& database : all_) database->interrupt();
}

void Databases::join() noexcept {
  std::vector<DatabasePointer> all;
  {
    std::lock_guard const lock(mutex_);
    all.swap(all_);
  }
  for (auto const& database : all) database->stop();
}

std::vector<Databases::DatabasePointer> Databases::open_on(Side side) const {
  std::vector<DatabasePointer> open;
  std::lock_guard const lock(mutex_);
  std::copy_if(all_.begin(), all_.end(), std::back_inserter(open),
               [side](DatabasePointer const& one) { return one->side() == side && !one->has_ended(); });
  return open;
}

std::size_t Databases::queued(Side side) const {
  std::lock_guard const lock(mutex_);
  std::size_t sum = 0;
  for (auto const& database : all_) {
    if (database->side() == side) sum += database->queued();
  }
  return sum;
}

Link::~Link() { database_->interrupt(); }

boost::asio::awaitable<void> Link::test(Deadline deadline) {
  auto job = make_job(Work::Kind::query, deadline);
  job->work.statements = std::make_shared<std::vector<Statement> const>(1, Statement("SELECT 1"));
  co_await Database::run(database_, job);
}

boost::asio::awaitable<void> Link::reset(std::uint32_t, Deadline) { co_return; }
boost::asio::awaitable<void> Link::rollback(std::uint32_t, Deadline) { co_return; }

boost::asio::awaitable<pool::CleanUp> Link::clean_up(pool::CancelledWork&, Deadline) {
  co_return pool::CleanUp::at_boundary;
}

boost::asio::awaitable<void> close(std::shared_ptr<Database> database, Deadline deadline) {
  auto job = make_job(Work::Kind::close, deadline);
  co_await Database::run(std::move(database), job);
}

boost::asio::awaitable<void> Link::close(Deadline deadline) { return sqlite::close(database_, deadline); }

pool::ReleaseCondition Link::condition(std::uint32_t) const noexcept { return pool::ReleaseCondition::clean; }

void Link::cancel() noexcept { database_->interrupt(); }

pool::Aborted Link::abort() noexcept {
  database_->interrupt();
  return {pool::SessionFate::unknown, std::nullopt};
}

boost::asio::awaitable<std::unique_ptr<Link>> LinkConnector::open(Deadline deadline) const {
  auto database = std::make_shared<Database>(options_, side_, readers_, databases_->counters);
  databases_->add(database);
  auto link = std::make_unique<Link>(database);
  auto job = make_job(Work::Kind::open, deadline);
  co_await Database::run(std::move(database), job);
  co_return std::move(link);
}

boost::asio::awaitable<void> LinkConnector::prepare(Deadline deadline) {
  auto link = co_await open(deadline);
  std::lock_guard const lock(mutex_);
  prepared_ = std::move(link);
}

boost::asio::awaitable<std::unique_ptr<pool::Connection>> LinkConnector::connect(Deadline deadline,
                                                                                 pool::AttemptInfo attempt) {
  std::unique_ptr<Link> link;
  {
    std::lock_guard const lock(mutex_);
    link = std::move(prepared_);
  }
  if (!link) link = co_await open(deadline);
  attempt.sign_in();
  co_return std::move(link);
}

}  // namespace belay::sqlite
