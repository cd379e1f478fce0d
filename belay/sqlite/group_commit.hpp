#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace belay::sqlite {

/// In what company a queued write may run.
enum class Company {
  shared,    ///< joins a group
  alone,     ///< outside any transaction: VACUUM
  exclusive  ///< holds the writer for a while: Client::transaction
};

/// How many of the queued jobs, in order, the writer takes next: the leading run of shared ones, at most `group_max`,
/// or the first alone when it is of another kind. FIFO: nothing overtakes a job that waits for the writer.
std::size_t size_of_next_group(std::span<Company const> queued, std::size_t group_max) noexcept;

/// What became of one member's statements.
enum class RunOutcome {
  applied,      ///< done, waiting for the commit
  failed,       ///< failed and rolled back to its savepoint; the others' work stands
  lost,         ///< SQLite rolled back the whole transaction, or the member was interrupted for its slowness
  gave_up,      ///< its own caller's deadline or cancellation ended it; the transaction stands
  gave_up_lost  ///< the same, and the interrupt took the whole transaction with it
};

enum class CommitOutcome { committed, failed };

/// Decides in what order the members of one group run, commit and are told.
///
///     begin ── run each member ──> commit ── acknowledge ──> those set aside, each in a transaction of its own ──>
///     done
///                  └── transaction lost: the offender is set aside, everyone else runs again from begin
///
/// Guarantees, whatever the members do:
/// - A member is told exactly once. Success is told after the commit that holds it, and a failure too when work of
///   other members preceded it in the same transaction: the failure may have been caused by rows that were never
///   committed (a duplicate of a key that then vanished).
/// - A member that loses the transaction in company runs again by itself; only what happens then is final. Hence no
///   member fails because of another's fault, and each member is replayed at most once per neighbour.
/// - A member that its caller gave up is told at once and never runs again.
///
/// Pure state: no SQLite, no clock, no thread. The caller performs next() and reports with the verb of the same name.
class GroupCommit {
 public:
  using Member = std::size_t;  ///< index into the group, 0-based in queue order

  enum class Act { begin, run, commit, done };
  struct Action {
    Act act;
    Member member;  ///< for run
    bool alone;     ///< for begin and run: no neighbour can suffer, so no limit on the member's time
    bool again;     ///< for run: it ran before, its rows must be forgotten
  };

  enum class Told {
    applied,        ///< committed
    own_failure,    ///< what its run reported
    begin_failure,  ///< the transaction could not begin: nothing ran
    commit_failure  ///< the commit failed, taking this member's work or verdict with it
  };
  struct Answer {
    Member member;
    Told told;
  };

  explicit GroupCommit(std::size_t members);

  Action next() const;
  /// Answers to begin. When it failed, every member that still waits is told so.
  void began();
  void begin_failed();
  /// Answers to run.
  void ran(RunOutcome);
  /// Answers to commit.
  void committed();
  void commit_failed();

  /// The answers that became final since the last call, in the order to tell them.
  std::vector<Answer> take_answers();

 private:
  void leave(Member member);
  void start_over();
  void end_transaction();
  void tell(Member member, Told told) { answers_.push_back({member, told}); }

  std::vector<Member> to_run_;     ///< of this transaction, in order
  std::size_t position_ = 0;       ///< index into to_run_ of the next one
  std::vector<Answer> pending_;    ///< what this transaction's commit will tell
  std::vector<Member> set_aside_;  ///< each to run in a transaction of its own
  std::size_t set_aside_next_ = 0;
  std::vector<bool> ran_before_;
  std::vector<Answer> answers_;
  bool in_transaction_ = false;
};

}  // namespace belay::sqlite
