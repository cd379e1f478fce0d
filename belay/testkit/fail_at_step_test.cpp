#include "belay/testkit/fail_at_step.hpp"

#include <array>
#include <map>
#include <span>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belay/net/memory_stream.hpp"
#include "belay/testkit/sim_scheduler.hpp"
#include "belay/testkit/sim_time.hpp"

namespace belay::testkit {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using boost::system::system_error;
using namespace std::chrono_literals;
using testing::IsEmpty;

/// A client of a toy protocol, one line each way: greets, then stores a value. What belay::Error demands of a real one,
/// small enough to be seen whole.
class LineClient {
 public:
  LineClient(net::ByteStream& stream, Deadline deadline, net::TimeService& time)
      : stream_(stream), deadline_(deadline), time_(time) {}

  asio::awaitable<void> store() {
    // Not with co_await in a catch block: the failure is kept, translated, thrown.
    std::exception_ptr failure;
    try {
      co_await net::with_deadline(exchange(), deadline_, time_);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) throw translated(failure);
  }

 private:
  asio::awaitable<void> exchange() {
    co_await stream_.write_all("HELLO\n");
    auto const greeting = co_await line();
    if (greeting != "READY") throw protocol_error();
    has_begun_to_store_ = true;
    co_await stream_.write_all("STORE 1\n");
    auto const answer = co_await line();
    if (answer != "STORED") throw protocol_error();
    is_stored_ = true;
    co_await stream_.shutdown();
  }

  asio::awaitable<std::string> line() {
    std::string text;
    for (;;) {
      std::array<std::byte, 64> buffer{};
      auto const count = co_await stream_.read_some(buffer);
      if (count == 0) throw system_error(asio::error::eof);
      text.append(reinterpret_cast<char const*>(buffer.data()), count);
      if (text.back() != '\n') continue;
      text.pop_back();
      co_return text;
    }
  }

  SendState send_state() const {
    if (is_stored_) return SendState::executed;
    return has_begun_to_store_ ? SendState::unknown : SendState::never_sent;
  }
  static Error protocol_error() { return {ErrorClass::protocol, SendState::unknown, "not the line that was due"}; }
  Error translated(std::exception_ptr const& failure) const {
    try {
      std::rethrow_exception(failure);
    } catch (Error const& error) {
      return error.with_send_state(send_state());
    } catch (system_error const& error) {
      bool const is_cancelled = error.code() == asio::error::operation_aborted;
      return {is_cancelled ? ErrorClass::cancelled : ErrorClass::transport, send_state(), error.what()};
    }
  }

  net::ByteStream& stream_;
  Deadline deadline_;
  net::TimeService& time_;
  bool has_begun_to_store_ = false;
  bool is_stored_ = false;
};

asio::awaitable<void> store(net::ByteStream& stream, Deadline deadline, net::TimeService& time) {
  LineClient client(stream, deadline, time);
  co_await client.store();
}

PeerScript line_server() {
  PeerScript script;
  script.expect("HELLO\n").send("READY\n").expect("STORE 1\n").pause(5ms).send("STORED\n").expect_end();
  return script;
}

TEST(FailAtStep, BreaksAToyClientAtEveryStepInEveryWay) {
  std::map<StepFault, std::uint64_t> steps;
  std::uint64_t operations_in_fragments = 0;
  auto const check = [&](StepOutcome const& outcome) {
    SCOPED_TRACE(outcome.describe());
    steps[outcome.fault] = outcome.step;
    if (outcome.fault == StepFault::fragment && outcome.step == 1) operations_in_fragments = outcome.operations;
    if (!outcome.was_hit || outcome.fault == StepFault::fragment) {
      EXPECT_TRUE(outcome.has_succeeded);
      return;
    }
    ASSERT_TRUE(outcome.error);
    auto const expected_class = outcome.fault == StepFault::stall    ? ErrorClass::timeout_local
                                : outcome.fault == StepFault::cancel ? ErrorClass::cancelled
                                                                     : ErrorClass::transport;
    EXPECT_EQ(outcome.error->error_class(), expected_class);
    // Steps: write HELLO, read READY, write STORE, read STORED, shutdown.
    auto const expected_state = outcome.step <= 2   ? SendState::never_sent
                                : outcome.step <= 4 ? SendState::unknown
                                                    : SendState::executed;
    EXPECT_EQ(outcome.error->send_state(), expected_state);
    if (outcome.fault == StepFault::stall) {
      EXPECT_EQ(outcome.took, 10s);
    } else {
      EXPECT_LE(outcome.took, 5ms);
    }
  };
  auto const summary = fail_at_every_step(store, line_server(), check);
  EXPECT_THAT(summary.violations, IsEmpty());
  for (auto const fault : all_step_faults) {
    EXPECT_EQ(steps[fault], 6u) << name_of(fault) << ": five and the one past the end";
  }
  EXPECT_EQ(operations_in_fragments, 28u) << "one for each byte, and the shutdown";
}

TEST(FailAtStep, SeesThatALostReplyHasLeftTheClient) {
  auto const check = [](StepOutcome const& outcome) {
    if (outcome.step == 3) {
      EXPECT_EQ(outcome.bytes_written, outcome.fault == StepFault::error ? 6u : 14u);
    }
  };
  FailAtStepOptions options;
  options.faults = {StepFault::error, StepFault::error_after};
  EXPECT_THAT(fail_at_every_step(store, line_server(), check, options).violations, IsEmpty());
}

/// ByteStream's own verbs, against a peer that answers what it got.
asio::awaitable<void> write_and_read_all(net::ByteStream& stream) {
  co_await stream.write_all("twelve bytes");
  std::array<std::byte, 12> buffer{};
  co_await stream.read_all(buffer);
  if (std::string(reinterpret_cast<char const*>(buffer.data()), buffer.size()) != "selyb evlewt") {
    throw std::runtime_error("wrong bytes");
  }
}

asio::awaitable<void> write_and_read_all_in_time(net::ByteStream& stream, Deadline deadline, net::TimeService& time) {
  return net::with_deadline(write_and_read_all(stream), deadline, time);
}

TEST(FailAtStep, BreaksReadAllAndWriteAllAtEveryStep) {
  PeerScript peer;
  peer.expect("twelve bytes").send("selyb").pause(1ms).send(" evlewt");
  for (std::size_t const buffer : {1, 5, 1000}) {
    FailAtStepOptions options;
    options.buffer_bytes = buffer;
    std::size_t cases = 0;
    auto const check = [&](StepOutcome const& outcome) {
      SCOPED_TRACE(outcome.describe());
      ++cases;
      if (!outcome.was_hit || outcome.fault == StepFault::fragment) {
        EXPECT_TRUE(outcome.has_succeeded);
        return;
      }
      switch (outcome.fault) {
        case StepFault::error:
        case StepFault::error_after: EXPECT_EQ(outcome.code, asio::error::connection_reset); break;
        case StepFault::cut:
          EXPECT_TRUE(outcome.code == (outcome.operation == StreamOperation::read ? error_code(asio::error::eof)
                                                                                  : asio::error::broken_pipe));
          break;
        case StepFault::stall:
          ASSERT_TRUE(outcome.error);
          EXPECT_EQ(outcome.error->error_class(), ErrorClass::timeout_local);
          break;
        case StepFault::cancel: EXPECT_EQ(outcome.code, asio::error::operation_aborted); break;
        case StepFault::fragment: break;
      }
    };
    EXPECT_THAT(fail_at_every_step(write_and_read_all_in_time, peer, check, options).violations, IsEmpty());
    EXPECT_GT(cases, 6u * 3u);
  }
}

FailAtStepSummary summary_of(
    std::function<asio::awaitable<void>(net::ByteStream&, Deadline, net::TimeService&)> const& client,
    PeerScript const& peer) {
  return fail_at_every_step(client, peer, [](StepOutcome const&) {});
}

bool mentions(FailAtStepSummary const& summary, std::string_view text) {
  for (auto const& violation : summary.violations) {
    if (violation.find(text) != std::string::npos) return true;
  }
  return false;
}

TEST(FailAtStep, CatchesAClientThatIgnoresItsDeadline) {
  PeerScript peer;
  peer.expect("x");
  auto const careless = [](net::ByteStream& stream, Deadline, net::TimeService&) -> asio::awaitable<void> {
    return stream.write_all("x");
  };
  auto const summary = summary_of(careless, peer);
  EXPECT_EQ(summary.violations.size(), 1u);
  EXPECT_TRUE(mentions(summary, "stall at step 1 (write): has not ended in time"));
}

TEST(FailAtStep, CatchesWhatIsLeftBehind) {
  auto const forgetful = [](net::ByteStream& stream, Deadline, net::TimeService& time) -> asio::awaitable<void> {
    asio::co_spawn(stream.get_executor(), time.wait_until(net::TimeService::time_point::max()), asio::detached);
    co_return;
  };
  EXPECT_TRUE(mentions(summary_of(forgetful, PeerScript()), "left something behind"));
}

TEST(FailAtStep, CatchesWrongBytesAndAFailureWithoutAFault) {
  PeerScript peer;
  peer.expect("right");
  auto const wrong = [](net::ByteStream& stream, Deadline, net::TimeService&) -> asio::awaitable<void> {
    error_code ignored;
    co_await stream.async_write_some(asio::const_buffer("wrong", 5),
                                     asio::redirect_error(asio::use_awaitable, ignored));
    throw std::runtime_error("always");
  };
  auto const summary = summary_of(wrong, peer);
  EXPECT_TRUE(mentions(summary, "the peer expected 'right' and got 'wrong'"));
  EXPECT_TRUE(mentions(summary, "always, although nothing went wrong"));
}

TEST(FaultyStream, AbortsAStalledOperationWhenItCloses) {
  SimScheduler world(1);
  SimTime time(world);
  auto [near, far] = net::make_memory_streams(world.get_executor());
  FaultyStream stream(std::move(near), {.fault = StreamFault::stall}, time);
  std::array<std::byte, 8> buffer{};
  error_code read_error;
  error_code write_error;
  stream.async_read_some(asio::buffer(buffer), [&](error_code error, std::size_t) { read_error = error; });
  stream.async_write_some(asio::const_buffer("x", 1), [&](error_code error, std::size_t) { write_error = error; });
  world.run();
  EXPECT_FALSE(read_error);
  EXPECT_EQ(stream.steps(), 2u);
  stream.close();
  world.run();
  EXPECT_EQ(read_error, asio::error::operation_aborted);
  EXPECT_EQ(write_error, asio::error::operation_aborted) << "what follows a stall stalls too";
  EXPECT_TRUE(world.is_empty());
}

TEST(FaultyStream, IsDestroyedWithACoroutineThatOwnsItAndWaits) {
  auto const waits = [](std::unique_ptr<net::ByteStream> stream) -> asio::awaitable<void> {
    std::array<std::byte, 8> buffer{};
    co_await stream->read_some(buffer);
  };
  SimScheduler world(1);
  SimTime time(world);
  auto [near, far] = net::make_memory_streams(world.get_executor());
  FaultyStream::Plan const plan{.fault = StreamFault::stall};
  asio::co_spawn(world.get_executor(), waits(std::make_unique<FaultyStream>(std::move(near), plan, time)),
                 asio::detached);
  world.run();
  EXPECT_EQ(world.outstanding(), 2u) << "the leak check of the sanitizer does the rest";
}

TEST(FailAtStep, RefusesNonsense) {
  FailAtStepOptions options;
  options.deadline = 0s;
  EXPECT_THROW(fail_at_every_step(
                   store, line_server(), [](StepOutcome const&) {}, options),
               Error);
  options = FailAtStepOptions();
  options.steps_max = 0;
  EXPECT_THROW(fail_at_every_step(
                   store, line_server(), [](StepOutcome const&) {}, options),
               Error);
}

}  // namespace
}  // namespace belay::testkit
