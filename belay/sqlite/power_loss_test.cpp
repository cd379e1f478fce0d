#include <filesystem>
#include <iostream>
#include <set>

#include <boost/asio/detached.hpp>
#include <stdlib.h>

#include "belay/core/random.hpp"
#include "belay/sqlite/client.hpp"
#include "belay/sqlite/database_fixture.hpp"
#include "belay/testkit/power_loss_vfs.hpp"

namespace belay::sqlite {
namespace {

using testkit::PowerLossVfs;

std::uint64_t from_environment(char const* name, std::uint64_t otherwise) {
  auto const* text = getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

struct Outcome {
  std::uint64_t acknowledged = 0;
  std::uint64_t lost = 0;         ///< acknowledged and not there after the reboot
  std::uint64_t half_a_unit = 0;  ///< of the two rows of one write only one is there
  std::uint64_t in_doubt = 0;     ///< failed or never answered, and there all the same
  bool intact = true;
  std::uint64_t commits = 0;
};

/// One machine's life: callers write until the power goes at a random moment; then the file is looked at.
class Machine {
 public:
  Machine(Synchronous synchronous, std::uint64_t seed) : synchronous_(synchronous), random_(seed) {}

  Outcome live_and_die() {
    write_until_the_cut();
    return look_after_the_reboot();
  }

 private:
  static constexpr int callers = 16;

  void write_until_the_cut() {
    PowerLossVfs vfs("power-loss");
    std::filesystem::create_directory(directory_.file("before"));
    std::filesystem::create_directory(directory_.file("after"));
    Options options(directory_.file("before/a.db"));
    options.vfs = vfs.name();
    options.synchronous = synchronous_;
    options.readers = 1;
    auto const loss = random_.below(2) == 0 ? PowerLossVfs::Loss::drop_all : PowerLossVfs::Loss::keep_random_subset;
    auto const cut_after = 20 + random_.below(400);
    auto client = run_on(context_, Client::open(options));
    run_on(context_, client.write("CREATE TABLE t(id INTEGER PRIMARY KEY, pad)"));
    run_on(context_, client.write("CREATE TABLE twin(id INTEGER PRIMARY KEY)"));

    std::uint64_t next = 0;
    bool dead = false;
    auto caller = [&](std::uint64_t pad) -> boost::asio::awaitable<void> {
      while (!dead) {
        auto const id = static_cast<std::int64_t>(++next);
        std::vector<Statement> unit;
        unit.emplace_back("INSERT INTO t VALUES (?1, ?2)", id, std::string(pad, 'x'));
        unit.emplace_back("INSERT INTO twin VALUES (?1)", id);
        bool failed = false;
        try {
          co_await client.write(std::move(unit));
        } catch (Error const&) {
          failed = true;
        }
        if (failed) co_return;
        acknowledged_.insert(id);
        if (acknowledged_.size() == cut_after) {
          vfs.cut_power(loss, random_);
          dead = true;
        }
      }
    };
    for (int i = 0; i < callers; ++i) {
      boost::asio::co_spawn(context_, caller(random_.below(3000)), boost::asio::detached);
    }
    context_.restart();
    context_.run();
    // What was acknowledged after the cut was committed before it: the answers were on their way.
    outcome_.commits = client.stats().commits;
    vfs.restore(directory_.file("after"));
  }

  Outcome look_after_the_reboot() {
    outcome_.acknowledged = acknowledged_.size();
    try {
      auto client = run_on(context_, Client::open(Options(directory_.file("after/a.db"))));
      outcome_.intact = ask(client, "PRAGMA integrity_check") == std::vector<std::string>{"ok"};
      std::set<std::int64_t> const rows = ids(ask(client, "SELECT id FROM t"));
      std::set<std::int64_t> const twins = ids(ask(client, "SELECT id FROM twin"));
      for (auto const id : acknowledged_) outcome_.lost += rows.contains(id) && twins.contains(id) ? 0U : 1U;
      for (auto const id : rows) {
        outcome_.half_a_unit += twins.contains(id) ? 0U : 1U;
        outcome_.in_doubt += acknowledged_.contains(id) ? 0U : 1U;
      }
    } catch (Error const&) {
      outcome_.intact = false;
      outcome_.lost = outcome_.acknowledged;
    }
    return outcome_;
  }

  std::vector<std::string> ask(Client client, std::string const& sql) {
    auto const sink = std::make_shared<TextRows>();
    run_on(context_, client.read(sql, sink));
    return sink->lines;
  }
  static std::set<std::int64_t> ids(std::vector<std::string> const& lines) {
    std::set<std::int64_t> result;
    for (auto const& line : lines) result.insert(std::stoll(line));
    return result;
  }

  Synchronous synchronous_;
  Random random_;
  TemporaryDirectory directory_;
  boost::asio::io_context context_;
  std::set<std::int64_t> acknowledged_;
  Outcome outcome_;
};

/// Rounds and first seed: BELAY_ROUNDS and BELAY_SEED.
struct PowerLossTest : testing::Test {
  std::uint64_t const rounds = from_environment("BELAY_ROUNDS", 20);
  std::uint64_t const first_seed = from_environment("BELAY_SEED", 1);
};

TEST_F(PowerLossTest, LosesNoAcknowledgedWrite) {
  Outcome total;
  for (std::uint64_t seed = first_seed; seed < first_seed + rounds; ++seed) {
    auto const outcome = Machine(Synchronous::full, seed).live_and_die();
    EXPECT_TRUE(outcome.intact) << "BELAY_SEED=" << seed;
    EXPECT_EQ(outcome.lost, 0U) << "BELAY_SEED=" << seed;
    EXPECT_EQ(outcome.half_a_unit, 0U) << "BELAY_SEED=" << seed;
    total.acknowledged += outcome.acknowledged;
    total.lost += outcome.lost;
    total.in_doubt += outcome.in_doubt;
    total.commits += outcome.commits;
  }
  EXPECT_GE(total.acknowledged, rounds * 20);
  std::cout << "figure: power_cuts=" << rounds << " power_cuts.acknowledged=" << total.acknowledged
            << " power_cuts.commits=" << total.commits << " power_cuts.lost=" << total.lost
            << " power_cuts.in_doubt_and_kept=" << total.in_doubt << '\n';
}

/// The proof that the test above can fail.
TEST_F(PowerLossTest, IsCaughtLosingWritesWithoutSyncs) {
  std::uint64_t caught = 0;
  for (std::uint64_t seed = first_seed; seed < first_seed + rounds; ++seed) {
    auto const outcome = Machine(Synchronous::off, seed).live_and_die();
    if (!outcome.intact || outcome.lost > 0 || outcome.half_a_unit > 0) ++caught;
  }
  EXPECT_GT(caught, 0U) << "first seed " << first_seed;
  std::cout << "figure: power_cuts_without_syncs=" << rounds << " power_cuts_without_syncs.caught=" << caught << '\n';
}

}  // namespace
}  // namespace belay::sqlite
