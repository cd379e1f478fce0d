#include "belay/testkit/fail_at_step.hpp"

#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/system/system_error.hpp>

#include "belay/net/memory_stream.hpp"
#include "belay/testkit/sim_scheduler.hpp"
#include "belay/testkit/sim_time.hpp"

namespace belay::testkit {

namespace asio = boost::asio;
using boost::system::system_error;
using Client = std::function<asio::awaitable<void>(net::ByteStream&, Deadline, net::TimeService&)>;

PeerScript& PeerScript::expect(std::string bytes) {
  steps_.push_back({Step::Kind::expect, std::move(bytes)});
  return *this;
}

PeerScript& PeerScript::send(std::string bytes) {
  steps_.push_back({Step::Kind::send, std::move(bytes)});
  return *this;
}

PeerScript& PeerScript::expect_end() {
  steps_.push_back({Step::Kind::expect_end, {}});
  return *this;
}

PeerScript& PeerScript::pause(std::chrono::nanoseconds time) {
  steps_.push_back({Step::Kind::pause, {}, time});
  return *this;
}

namespace {

/// Reads so many bytes, fewer only when the client ends before.
asio::awaitable<std::string> read_up_to(net::ByteStream& stream, std::size_t count) {
  std::string text(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    auto const room = std::as_writable_bytes(std::span(text)).subspan(filled);
    auto const got = co_await stream.read_some(room);
    if (got == 0) break;
    filled += got;
  }
  text.resize(filled);
  co_return text;
}

}  // namespace

asio::awaitable<void> PeerScript::play(net::ByteStream& stream, net::TimeService& time) const {
  for (auto const& step : steps_) {
    switch (step.kind) {
      case Step::Kind::expect: {
        auto const got = co_await read_up_to(stream, step.bytes.size());
        if (step.bytes.compare(0, got.size(), got) != 0) {
          throw std::runtime_error("the peer expected '" + step.bytes + "' and got '" + got + "'");
        }
        if (got.size() < step.bytes.size()) co_return;
        break;
      }
      case Step::Kind::send: co_await stream.write_all(step.bytes); break;
      case Step::Kind::expect_end: {
        auto const got = co_await read_up_to(stream, 1);
        if (!got.empty()) throw std::runtime_error("the peer expected the end and got '" + got + "'");
        break;
      }
      case Step::Kind::pause: co_await time.wait_for(step.time); break;
    }
  }
}

char const* name_of(StepFault fault) noexcept {
  switch (fault) {
    case StepFault::error: return "error";
    case StepFault::error_after: return "error_after";
    case StepFault::cut: return "cut";
    case StepFault::stall: return "stall";
    case StepFault::fragment: return "fragment";
    case StepFault::cancel: return "cancel";
  }
  return "unknown";
}

std::string StepOutcome::describe() const {
  auto text = std::string(name_of(fault)) + " at step " + std::to_string(step);
  text += was_hit ? " (" + std::string(name_of(operation)) + "): " : " (past the end): ";
  if (!has_ended) return text + "has not ended";
  if (has_succeeded) return text + "success";
  if (error)
    text += std::string(name_of(error->error_class())) + ", " + std::string(name_of(error->send_state())) + ": ";
  return text + what;
}

namespace {

StreamFault stream_fault(StepFault fault) {
  switch (fault) {
    case StepFault::error: return StreamFault::error;
    case StepFault::error_after: return StreamFault::error_after;
    case StepFault::cut: return StreamFault::cut;
    case StepFault::stall: return StreamFault::stall;
    case StepFault::fragment: return StreamFault::fragment;
    case StepFault::cancel: return StreamFault::stall;  // held, so that the cancellation surely finds it pending
  }
  return StreamFault::error;
}

void set_failure(StepOutcome& outcome, std::exception_ptr const& failure) {
  outcome.has_ended = true;
  outcome.has_succeeded = !failure;
  if (!failure) return;
  try {
    std::rethrow_exception(failure);
  } catch (Error const& error) {
    outcome.error = error;
    outcome.what = error.what();
  } catch (system_error const& error) {
    outcome.code = error.code();
    outcome.what = error.what();
  } catch (std::exception const& error) {
    outcome.what = error.what();
  }
}

/// One case, once.
struct Run {
  StepOutcome outcome;
  std::uint64_t hash = 0;
  std::vector<std::string> violations;
};

/// Plays the peer, then closes its end, whatever happens.
asio::awaitable<void> play(PeerScript const& script, std::unique_ptr<net::ByteStream> stream, net::TimeService& time,
                           std::vector<std::string>& violations) {
  try {
    co_await script.play(*stream, time);
  } catch (system_error const&) {
    // The client went away, which is its right.
  } catch (std::exception const& wrong) {
    violations.emplace_back(wrong.what());
  }
}

Run run_case(StepFault fault, std::uint64_t step, Client const& client, PeerScript const& peer,
             FailAtStepOptions const& options) {
  Run run;
  auto& outcome = run.outcome;
  outcome.fault = fault;
  outcome.step = step;
  SimScheduler world(options.seed);
  SimTime time(world);
  auto [near, far] = net::make_memory_streams(world.get_executor("client"), options.buffer_bytes);
  FaultyStream::Plan plan;
  plan.fault = stream_fault(fault);
  plan.at_step = step;
  FaultyStream stream(std::move(near), plan, time);
  asio::cancellation_signal cancel;
  stream.on_fault([&](StreamOperation operation) {
    outcome.operation = operation;
    if (fault == StepFault::cancel) world.post([&] { cancel.emit(asio::cancellation_type::terminal); });
  });

  asio::co_spawn(world.get_executor("peer"), play(peer, std::move(far), time, run.violations), asio::detached);
  auto const deadline = Deadline::at(world.now() + options.deadline);
  asio::co_spawn(world.get_executor("client"), client(stream, deadline, time),
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr const& failure) {
                   set_failure(outcome, failure);
                   outcome.took = world.elapsed();
                 }));
  try {
    world.run_until(deadline.at() + options.grace);
    outcome.was_hit = stream.was_hit();
    outcome.operations = stream.steps();
    outcome.bytes_written = stream.bytes_written();
    if (!outcome.has_ended) {
      run.violations.push_back(outcome.describe() + " in time\n" + world.describe());
    } else {
      stream.close();
      world.run();
      if (!world.is_empty())
        run.violations.push_back(outcome.describe() + ", but left something behind\n" + world.describe());
    }
  } catch (SimulationFailure const& failure) {
    run.violations.push_back(outcome.describe() + ": " + failure.what());
  }
  if (!outcome.was_hit && outcome.has_ended && !outcome.has_succeeded) {
    run.violations.push_back(outcome.describe() + ", although nothing went wrong");
  }
  run.hash = world.trace_hash();
  return run;
}

}  // namespace

FailAtStepSummary fail_at_every_step(Client const& client, PeerScript const& peer,
                                     std::function<void(StepOutcome const&)> const& check,
                                     FailAtStepOptions const& options) {
  auto const refuse = [](char const* what) { throw Error(ErrorClass::request, SendState::never_sent, what); };
  if (options.deadline <= std::chrono::nanoseconds::zero()) refuse("FailAtStepOptions: deadline must be more than 0");
  if (options.grace < std::chrono::nanoseconds::zero()) refuse("FailAtStepOptions: grace must not be negative");
  if (options.steps_max < 1) refuse("FailAtStepOptions: steps_max must be at least 1");
  if (options.buffer_bytes < 1) refuse("FailAtStepOptions: buffer_bytes must be at least 1");

  FailAtStepSummary summary;
  for (auto const fault : options.faults) {
    for (std::uint64_t step = 1;; ++step) {
      if (step > options.steps_max) {
        summary.violations.push_back(std::string(name_of(fault)) + ": the exchange has more than steps_max steps");
        break;
      }
      auto run = run_case(fault, step, client, peer, options);
      auto const again = run_case(fault, step, client, peer, options);
      for (auto& violation : run.violations) summary.violations.push_back(std::move(violation));
      if (again.hash != run.hash || again.outcome.describe() != run.outcome.describe()) {
        summary.violations.push_back("two runs of one case differ: " + run.outcome.describe() + "; then " +
                                     again.outcome.describe());
      }
      check(run.outcome);
      bool const is_past_the_end = !run.outcome.was_hit;
      summary.outcomes.push_back(std::move(run.outcome));
      if (is_past_the_end) break;
    }
  }
  return summary;
}

}  // namespace belay::testkit
