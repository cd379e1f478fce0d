#include "belay/sqlite/group_commit.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace belay::sqlite {

std::size_t size_of_next_group(std::span<Company const> queued, std::size_t group_max) noexcept {
  if (queued.empty()) return 0;
  if (queued.front() != Company::shared) return 1;
  auto const end = std::find_if(queued.begin(), queued.end(), [](Company c) { return c != Company::shared; });
  return std::min(static_cast<std::size_t>(end - queued.begin()), group_max);
}

GroupCommit::GroupCommit(std::size_t members) : to_run_(members), ran_before_(members) {
  std::iota(to_run_.begin(), to_run_.end(), Member{0});
}

GroupCommit::Action GroupCommit::next() const {
  bool const alone = to_run_.size() <= 1;
  if (!in_transaction_) return {to_run_.empty() ? Act::done : Act::begin, 0, alone, false};
  if (position_ == to_run_.size()) return {Act::commit, 0, alone, false};
  auto const member = to_run_[position_];
  return {Act::run, member, alone, ran_before_[member]};
}

void GroupCommit::began() { in_transaction_ = true; }

void GroupCommit::begin_failed() {
  for (auto const member : to_run_) tell(member, Told::begin_failure);
  end_transaction();
}

void GroupCommit::ran(RunOutcome outcome) {
  auto const member = to_run_[position_];
  bool const alone = to_run_.size() == 1;
  ran_before_[member] = true;
  switch (outcome) {
    case RunOutcome::applied:
      pending_.push_back({member, Told::applied});
      ++position_;
      return;
    case RunOutcome::failed:
      if (pending_.empty()) {
        tell(member, Told::own_failure);
        leave(member);
      } else {
        pending_.push_back({member, Told::own_failure});
        ++position_;
      }
      return;
    case RunOutcome::gave_up:
      tell(member, Told::own_failure);
      leave(member);
      return;
    case RunOutcome::gave_up_lost:
      tell(member, Told::own_failure);
      leave(member);
      start_over();
      return;
    case RunOutcome::lost:
      if (alone) {
        tell(member, Told::own_failure);
      } else {
        set_aside_.push_back(member);
      }
      leave(member);
      start_over();
      return;
  }
}

void GroupCommit::committed() {
  answers_.insert(answers_.end(), pending_.begin(), pending_.end());
  end_transaction();
}

void GroupCommit::commit_failed() {
  for (auto const& answer : pending_) tell(answer.member, Told::commit_failure);
  end_transaction();
}

std::vector<GroupCommit::Answer> GroupCommit::take_answers() { return std::exchange(answers_, {}); }

void GroupCommit::leave(Member member) { to_run_.erase(std::find(to_run_.begin(), to_run_.end(), member)); }

void GroupCommit::start_over() {
  pending_.clear();
  position_ = 0;
  in_transaction_ = false;
  if (to_run_.empty()) end_transaction();
}

void GroupCommit::end_transaction() {
  pending_.clear();
  to_run_.clear();
  position_ = 0;
  in_transaction_ = false;
  if (set_aside_next_ < set_aside_.size()) to_run_.push_back(set_aside_[set_aside_next_++]);
}

}  // namespace belay::sqlite
