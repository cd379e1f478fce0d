#include "belay/testkit/faulty_stream.hpp"

#include <utility>
#include <vector>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

namespace belay::testkit {

namespace asio = boost::asio;
using boost::system::error_code;

char const* name_of(StreamFault fault) noexcept {
  switch (fault) {
    case StreamFault::error: return "error";
    case StreamFault::error_after: return "error_after";
    case StreamFault::cut: return "cut";
    case StreamFault::stall: return "stall";
    case StreamFault::fragment: return "fragment";
  }
  return "unknown";
}

char const* name_of(StreamOperation operation) noexcept {
  switch (operation) {
    case StreamOperation::read: return "read";
    case StreamOperation::write: return "write";
    case StreamOperation::shutdown: return "shutdown";
  }
  return "unknown";
}

namespace {

/// A handler that waits for ever. Its wait in the TimeService owns it, so that whoever owns pending waits owns it too,
/// and a coroutine that owns its stream cannot keep itself alive.
template <class Handler>
struct Stalled {
  std::optional<Handler> handler;
  asio::cancellation_signal stop;
};

template <class Handler>
void fail(asio::any_io_executor const& executor, Handler handler, error_code error) {
  if constexpr (std::is_same_v<Handler, net::ByteStream::TransferHandler>) {
    asio::post(executor, asio::append(std::move(handler), error, std::size_t{0}));
  } else {
    asio::post(executor, asio::append(std::move(handler), error));
  }
}

/// Lets `on_end` change an operation's outcome; executor and cancellation stay the caller's.
template <class Handler, class Function>
auto around(asio::any_io_executor const& executor, Handler handler, Function on_end) {
  auto const own_executor = asio::get_associated_executor(handler, asio::any_completion_executor(executor));
  auto const slot = asio::get_associated_cancellation_slot(handler);
  auto bound = asio::bind_executor(own_executor, [handler = std::move(handler), on_end](auto... outcome) mutable {
    on_end(std::move(handler), outcome...);
  });
  return asio::bind_cancellation_slot(slot, std::move(bound));
}

}  // namespace

struct FaultyStream::State {
  std::unique_ptr<net::ByteStream> inner;
  Plan plan;
  net::TimeService& time;
  std::function<void(StreamOperation)> hook;
  std::uint64_t steps = 0;
  std::uint64_t bytes_written = 0;
  bool was_hit = false;
  std::vector<std::weak_ptr<Stalled<TransferHandler>>> stalled_transfers;
  std::vector<std::weak_ptr<Stalled<ShutdownHandler>>> stalled_shutdowns;

  /// The fault that the operation which starts now meets.
  std::optional<StreamFault> begin(StreamOperation operation) {
    ++steps;
    if (steps == plan.at_step) {
      was_hit = true;
      if (hook) hook(operation);
    }
    if (!was_hit) return std::nullopt;
    bool const lasts =
        plan.fault == StreamFault::cut || plan.fault == StreamFault::stall || plan.fault == StreamFault::fragment;
    if (steps == plan.at_step || lasts) return plan.fault;
    return std::nullopt;
  }

  template <class Handler>
  void stall(Handler handler, std::vector<std::weak_ptr<Stalled<Handler>>>& all) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto const stalled = std::make_shared<Stalled<Handler>>();
    stalled->handler.emplace(std::move(handler));
    all.push_back(stalled);
    auto const executor = inner->get_executor();
    time.async_wait_until(net::TimeService::time_point::max(),
                          asio::bind_cancellation_slot(stalled->stop.slot(), [stalled, executor](error_code) {
                            auto own = asio::get_associated_cancellation_slot(*stalled->handler);
                            if (own.is_connected()) own.clear();
                            fail(executor, std::move(*stalled->handler), asio::error::operation_aborted);
                          }));
    if (!slot.is_connected()) return;
    slot.assign([held = std::weak_ptr(stalled)](asio::cancellation_type type) {
      if (auto const alive = held.lock()) alive->stop.emit(type);
    });
  }

  template <class Handler>
  static void abort(std::vector<std::weak_ptr<Stalled<Handler>>>& all) {
    for (auto const& held : std::exchange(all, {})) {
      if (auto const alive = held.lock()) alive->stop.emit(asio::cancellation_type::terminal);
    }
  }
};

FaultyStream::FaultyStream(std::unique_ptr<net::ByteStream> inner, Plan plan, net::TimeService& time)
    : state_(std::make_shared<State>(State{std::move(inner), plan, time, {}, 0, 0, false, {}, {}})) {}

FaultyStream::~FaultyStream() { close(); }

void FaultyStream::on_fault(std::function<void(StreamOperation)> hook) { state_->hook = std::move(hook); }
std::uint64_t FaultyStream::steps() const noexcept { return state_->steps; }
bool FaultyStream::was_hit() const noexcept { return state_->was_hit; }
std::uint64_t FaultyStream::bytes_written() const noexcept { return state_->bytes_written; }
FaultyStream::executor_type FaultyStream::get_executor() noexcept { return state_->inner->get_executor(); }
bool FaultyStream::is_open() const noexcept { return state_->inner->is_open(); }

void FaultyStream::close() noexcept {
  State::abort(state_->stalled_transfers);
  State::abort(state_->stalled_shutdowns);
  state_->inner->close();
}

void FaultyStream::start_read(asio::mutable_buffer buffer, TransferHandler handler) {
  auto& inner = *state_->inner;
  auto const executor = inner.get_executor();
  auto const fault = is_open() ? state_->begin(StreamOperation::read) : std::nullopt;
  if (!fault) return inner.async_read_some(buffer, std::move(handler));
  switch (*fault) {
    case StreamFault::error: return fail(executor, std::move(handler), state_->plan.error);
    case StreamFault::error_after:
      return inner.async_read_some(
          buffer, around(executor, std::move(handler),
                         [error = state_->plan.error](TransferHandler done, error_code failure, std::size_t) {
                           std::move(done)(failure ? failure : error, 0);
                         }));
    case StreamFault::cut: return fail(executor, std::move(handler), asio::error::eof);
    case StreamFault::stall: return state_->stall(std::move(handler), state_->stalled_transfers);
    case StreamFault::fragment: return inner.async_read_some(asio::buffer(buffer, 1), std::move(handler));
  }
}

void FaultyStream::start_write(net::ConstBuffers const& pieces, TransferHandler handler) {
  auto& inner = *state_->inner;
  auto const executor = inner.get_executor();
  auto const fault = is_open() ? state_->begin(StreamOperation::write) : std::nullopt;
  auto const count = [state = std::weak_ptr(state_)](std::size_t bytes) {
    if (auto const alive = state.lock()) alive->bytes_written += bytes;
  };
  auto counted = around(executor, std::move(handler),
                        [count, error = fault == StreamFault::error_after ? state_->plan.error : error_code()](
                            TransferHandler done, error_code failure, std::size_t bytes) {
                          count(bytes);
                          if (!failure && error)
                            std::move(done)(error, 0);
                          else
                            std::move(done)(failure, bytes);
                        });
  if (!fault) return inner.async_write_some(pieces, std::move(counted));
  switch (*fault) {
    case StreamFault::error: return fail(executor, TransferHandler(std::move(counted)), state_->plan.error);
    case StreamFault::error_after: return inner.async_write_some(pieces, std::move(counted));
    case StreamFault::cut: return fail(executor, TransferHandler(std::move(counted)), asio::error::broken_pipe);
    case StreamFault::stall: return state_->stall(TransferHandler(std::move(counted)), state_->stalled_transfers);
    case StreamFault::fragment: {
      net::ConstBuffers first;
      if (!pieces.empty()) first.add(asio::buffer(*pieces.begin(), 1));
      return inner.async_write_some(first, std::move(counted));
    }
  }
}

void FaultyStream::start_shutdown(ShutdownHandler handler) {
  auto& inner = *state_->inner;
  auto const executor = inner.get_executor();
  auto const fault = is_open() ? state_->begin(StreamOperation::shutdown) : std::nullopt;
  if (!fault || *fault == StreamFault::fragment) return inner.async_shutdown(std::move(handler));
  switch (*fault) {
    case StreamFault::error: return fail(executor, std::move(handler), state_->plan.error);
    case StreamFault::error_after:
      return inner.async_shutdown(
          around(executor, std::move(handler), [error = state_->plan.error](ShutdownHandler done, error_code failure) {
            std::move(done)(failure ? failure : error);
          }));
    case StreamFault::cut: return fail(executor, std::move(handler), asio::error::broken_pipe);
    case StreamFault::stall: return state_->stall(std::move(handler), state_->stalled_shutdowns);
    case StreamFault::fragment: return;
  }
}

}  // namespace belay::testkit
