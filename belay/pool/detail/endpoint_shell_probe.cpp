#include <exception>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "belay/pool/detail/endpoint_shell.hpp"
#include "belay/pool/failure_signal.hpp"

namespace asio = boost::asio;

namespace belay::pool::detail {

using namespace resilience;

/// The gate's permission for one attempt, handed back exactly once, whatever ends the attempt.
struct EndpointShell::Ticket {
  Ticket(EndpointShell& owner, ConnectTicket given) noexcept : shell(owner), ticket(given) {}
  ~Ticket() {
    if (!is_spent) shell.gate_->abandoned(ticket, shell.now());
  }
  Ticket(Ticket const&) = delete;
  Ticket& operator=(Ticket const&) = delete;

  void connected() {
    is_spent = true;
    shell.gate_->connected(ticket, shell.now());
  }
  void failed(Error const& error) {
    is_spent = true;
    shell.gate_->failed(ticket, error.error_class(), connect_failure_of(error).permanent, shell.now());
  }

  EndpointShell& shell;
  ConnectTicket ticket;
  bool is_spent = false;
};

/// A login that the server declined: there is nothing to wait for.
bool EndpointShell::is_refusal(ErrorClass error_class) noexcept {
  return error_class == ErrorClass::overload || error_class == ErrorClass::auth;
}

void EndpointShell::perform(health_action::StartProbe const& start) {
  end_probe();
  probe_ = start.id;
  probe_deadline_ = start.deadline;
  probe_signal_ = std::make_shared<Signal>();
  asio::co_spawn(executor_, probe(shared_from_this(), start),
                 asio::bind_cancellation_slot(probe_signal_->slot(), [kept = probe_signal_](std::exception_ptr) {}));
}

void EndpointShell::end_probe() {
  if (!probe_) return;
  probe_.reset();
  probe_signal_->emit(asio::cancellation_type::terminal);
  drop_connection();
}

asio::awaitable<bool> EndpointShell::connect(health_action::StartProbe const& start) {
  auto const answer = gate_->try_connect(now());
  if (!answer.ticket) {
    monitor_.probe_postponed(start.id, answer.retry_at, now());
    co_return false;
  }
  Ticket ticket(*this, *answer.ticket);
  AttemptInfo attempt;
  attempt.is_probe = answer.ticket->is_probe;
  attempt.sign_in = [] {};
  std::unique_ptr<Connection> made;
  try {
    made = co_await prober_->connect(start.deadline, std::move(attempt));
  } catch (...) {
    auto const error = error_of(std::current_exception());
    if (error.error_class() != ErrorClass::cancelled) ticket.failed(error);
    throw error;
  }
  ticket.connected();
  if (probe_ != start.id) {
    (void)made->abort();
    co_return false;
  }
  made->on_lost([weak = weak_from_this(), lost = made.get()](Error const&) {
    auto const shell = weak.lock();
    if (!shell) return;
    asio::post(shell->executor_, [shell, lost] {
      if (shell->connection_.get() != lost || shell->is_stopped_) return;
      shell->drop_connection();
      shell->monitor_.transport_failure_seen(shell->now());
      shell->wake();
    });
  });
  connection_ = std::move(made);
  co_return true;
}

asio::awaitable<void> EndpointShell::probe(std::shared_ptr<EndpointShell> self, health_action::StartProbe start) {
  Presence const present(*self);
  bool is_connected = self->connection_ != nullptr;
  try {
    if (!is_connected) is_connected = co_await self->connect(start);
    if (is_connected) {
      auto const began = self->now();
      auto const tested = self->connection_;
      co_await tested->test(start.deadline);
      if (self->probe_ != start.id) co_return;
      auto const ended = self->now();
      self->probe_.reset();
      self->perform(self->monitor_.probe_succeeded(start.id, ended - began, ended));
    }
    if (self->probe_ == start.id) self->probe_.reset();
  } catch (...) {
    if (self->probe_ != start.id) co_return;
    auto const error = error_of(std::current_exception());
    self->probe_.reset();
    self->drop_connection();
    ProbeFailure failure;
    failure.error_class = error.error_class();
    failure.engine_code = error.engine_code();
    failure.connection_refused =
        !is_connected && (error.engine_code() == "ECONNREFUSED" || is_refusal(error.error_class()));
    self->perform(self->monitor_.probe_failed(start.id, failure, self->now()));
  }
  self->wake();
}

void EndpointShell::drop_connection() noexcept {
  if (auto const gone = std::move(connection_)) (void)gone->abort();
}

}  // namespace belay::pool::detail
