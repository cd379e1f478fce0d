#include "belay/pool/detail/connection_keeper.hpp"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include "belay/core/buggify.hpp"
#include "belay/pool/detail/pool_shell.hpp"
#include "belay/pool/failure_signal.hpp"

namespace belay::pool::detail {

namespace asio = boost::asio;

/// The clean-up of one lease, as its connection sees it.
class ConnectionKeeper::Cancelled final : public CancelledWork {
 public:
  Cancelled(PoolShell& shell, SlotAction const& action) noexcept
      : CancelledWork(action.stream, action.may_cancel), shell_(&shell), lease_(action.lease) {}
  void cancel_ended() noexcept override { shell_->cancel_ended(lease_); }

 private:
  PoolShell* shell_;
  LeaseHandle lease_;
};

namespace {

/// The failure of an operation of the pool's own. No answer in time is as good as a broken connection.
Signal signal_of_own(std::exception_ptr const& failure) noexcept {
  try {
    auto const error = error_of(failure);
    auto const signal = signal_of(error);
    return signal == Signal::nothing && error.error_class() == ErrorClass::timeout_local ? Signal::transport : signal;
  } catch (...) {  // there is no memory to tell it
    return Signal::nothing;
  }
}

}  // namespace

ConnectionKeeper::ConnectionKeeper(std::shared_ptr<PoolShell> shell, SlotHandle slot, asio::any_io_executor executor,
                                   std::shared_ptr<ContextLink> context)
    : shell_(std::move(shell)), slot_(slot), executor_(std::move(executor)), context_(std::move(context)) {}

ConnectionKeeper::~ConnectionKeeper() = default;

void ConnectionKeeper::perform(SlotAction const& action) noexcept {
  if (is_finished_) return;
  if (action.kind == SlotAction::Kind::close_force) return break_off();
  if (end_ != End::none) return;  // that it closes was decided later, and overtook it
  switch (action.kind) {
    case SlotAction::Kind::connect: start(&open, action); return;
    case SlotAction::Kind::test: return look(action);
    case SlotAction::Kind::reset: start(&reset, action); return;
    case SlotAction::Kind::rollback: start(&roll_back, action); return;
    case SlotAction::Kind::quarantine: start(&clean_up, action); return;
    case SlotAction::Kind::cancel:
      if (connection_) connection_->cancel();
      return;
    case SlotAction::Kind::close_polite: return close_politely(action);
    case SlotAction::Kind::close_force:
    case SlotAction::Kind::warn_leak: return;
  }
}

/// The operation reports by itself. False when it could not be started.
bool ConnectionKeeper::start(Operation operation, SlotAction const& action) noexcept {
  std::shared_ptr<Running> running;
  try {
    if (buggify("pool.start.no_memory")) throw std::bad_alloc();
    running = std::make_shared<Running>();
    running_.push_back(running);
    auto done = [self = shared_from_this(), running](std::exception_ptr const&) { self->ended(*running); };
    asio::co_spawn(executor_, operation(shared_from_this(), action),
                   asio::bind_cancellation_slot(running->signal.slot(), std::move(done)));
    return true;
  } catch (...) {
    std::erase(running_, running);
    if (action.kind != SlotAction::Kind::close_polite) shell_->not_started(action);
    return false;
  }
}

void ConnectionKeeper::ended(Running const& which) noexcept {
  std::erase_if(running_, [&](auto const& running) { return running.get() == &which; });
  if (end_ == End::none || is_finished_ || !running_.empty()) return;
  if (end_ == End::polite && !has_said_good_bye_) return say_good_bye();
  // It may have come into being after it was broken off.
  if (end_ == End::forced) break_off();
  if (!is_finished_) finish();
}

void ConnectionKeeper::cancel_running() noexcept {
  for (std::size_t i = 0; i < running_.size(); ++i) {  // NOLINT(modernize-loop-convert): it may end while it is told
    auto const running = running_[i];
    running->signal.emit(asio::cancellation_type::terminal);
  }
}

void ConnectionKeeper::look(SlotAction const& action) noexcept {
  if (!connection_->looks_alive()) return shell_->tested(action.slot, Signal::transport);
  if (!action.round_trip) return shell_->tested(action.slot, std::nullopt);
  start(&ask, action);
}

void ConnectionKeeper::close_politely(SlotAction const& action) noexcept {
  end_ = End::polite;
  good_bye_ = action;
  if (running_.empty()) return say_good_bye();
  cancel_running();
}

void ConnectionKeeper::say_good_bye() noexcept {
  has_said_good_bye_ = true;
  if (!start(&depart, good_bye_)) break_off();
}

void ConnectionKeeper::break_off() noexcept {
  if (is_finished_) return;
  auto const self = shared_from_this();
  end_ = End::forced;
  if (connection_) {
    auto const broken = connection_->abort();
    fate_ = broken.session;
    if (broken.operation) broken_operation_ = broken.operation;
  }
  if (running_.empty()) return finish();
  cancel_running();
}

void ConnectionKeeper::finish() noexcept {
  is_finished_ = true;
  shell_->closed(*this, fate_, broken_operation_);
}

asio::awaitable<void> ConnectionKeeper::open(Self self, SlotAction action) {
  AttemptInfo attempt;
  attempt.slot = action.slot;
  attempt.generation = action.generation;
  attempt.is_probe = action.is_probe;
  attempt.sign_in = [self] { self->shell_->signed_in(self->slot_); };
  std::exception_ptr exception;
  std::unique_ptr<Connection> made;
  try {
    made = co_await self->shell_->connector().connect(action.deadline, std::move(attempt));
    self->adopt(std::move(made), action);
  } catch (...) {
    exception = std::current_exception();
  }
  if (!exception) co_return;
  std::optional<ConnectFailure> failure;
  try {
    failure = connect_failure_of(error_of(exception));
  } catch (...) {
    failure.emplace(ConnectFailure{self->shell_->out_of_memory(), false, false, SessionFate::unknown});
  }
  self->fate_ = failure->fate;
  if (self->end_ == End::none) {
    self->is_finished_ = true;
    self->shell_->connect_failed(*self, *failure);
  }
}

/// Throws what a connect throws.
void ConnectionKeeper::adopt(std::unique_ptr<Connection> made, SlotAction const&) {
  if (!made) throw Error(ErrorClass::internal, SendState::unknown, "the connector made no connection");
  if (end_ != End::none) {  // nobody wants it any more; ended() goes on
    connection_ = std::move(made);
    return;
  }
  if (!shell_->is_right(*made)) {
    made->abort();
    throw Error(ErrorClass::request, SendState::unknown, "the connector made a connection of another type");
  }
  made->on_lost([weak = weak_from_this()](Error const& error) {
    auto const self = weak.lock();
    if (!self) return;
    self->is_lost_ = true;
    self->shell_->lost(self->slot_, signal_of(error));
  });
  if (is_lost_) {
    made->abort();
    throw Error(ErrorClass::transport, SendState::unknown, "the connection was lost as soon as it was made");
  }
  connection_ = std::move(made);
  shell_->opened(*this);
}

asio::awaitable<void> ConnectionKeeper::ask(Self self, SlotAction action) {
  std::exception_ptr failure;
  try {
    co_await self->connection_->test(action.deadline);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    self->shell_->tested(action.slot, signal_of_own(failure));
  } else {
    self->shell_->tested(action.slot, std::nullopt);
  }
}

asio::awaitable<void> ConnectionKeeper::reset(Self self, SlotAction action) {
  std::exception_ptr failure;
  try {
    co_await self->connection_->reset(action.stream, action.deadline);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    self->shell_->cleaned(action.lease, signal_of_own(failure));
  } else {
    self->shell_->cleaned(action.lease, std::nullopt);
  }
}

/// Whatever the stream is still like, at a boundary: until it is clean.
asio::awaitable<void> ConnectionKeeper::undo(Self self, SlotAction action) {
  auto& connection = *self->connection_;
  if (connection.condition(action.stream) == ReleaseCondition::transaction_open) {
    co_await connection.rollback(action.stream, action.deadline);
  }
  if (connection.condition(action.stream) == ReleaseCondition::session_changed) {
    co_await connection.reset(action.stream, action.deadline);
  }
  if (connection.condition(action.stream) != ReleaseCondition::clean) {
    throw Error(ErrorClass::internal, SendState::executed, "the connection is not clean after its clean-up");
  }
}

asio::awaitable<void> ConnectionKeeper::roll_back(Self self, SlotAction action) {
  std::exception_ptr failure;
  try {
    co_await self->connection_->rollback(action.stream, action.deadline);
    co_await undo(self, action);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    self->shell_->cleaned(action.lease, signal_of_own(failure));
  } else {
    self->shell_->cleaned(action.lease, std::nullopt);
  }
}

asio::awaitable<void> ConnectionKeeper::clean_up(Self self, SlotAction action) {
  std::exception_ptr failure;
  auto reached = CleanUp::unknown;
  Cancelled work(*self->shell_, action);
  try {
    reached = co_await self->connection_->clean_up(work, action.deadline);
    if (reached == CleanUp::at_boundary) co_await undo(self, action);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    self->shell_->cleaned(action.lease, signal_of_own(failure));
  } else if (reached == CleanUp::unknown) {
    self->shell_->cleaned(action.lease, Signal::nothing);
  } else {
    self->shell_->cleaned(action.lease, std::nullopt);
  }
}

asio::awaitable<void> ConnectionKeeper::depart(Self self, SlotAction action) {
  bool has_departed = false;
  try {
    co_await self->connection_->close(action.deadline);
    has_departed = true;
  } catch (...) {  // whatever it was, there is a way that cannot fail
  }
  if (has_departed) {
    self->fate_ = SessionFate::gone;
  } else if (self->end_ != End::forced) {
    self->fate_ = self->connection_->abort().session;
  }
}

}  // namespace belay::pool::detail
