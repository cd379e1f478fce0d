#include "belay/testkit/fault_proxy.hpp"

#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include "belay/core/error.hpp"
#include "belay/net/tcp_stream.hpp"
#include "belay/testkit/detail/proxy_ledger.hpp"
#include "belay/testkit/detail/proxy_listener.hpp"

namespace belay::testkit {

namespace asio = boost::asio;

namespace {

void require(bool holds, std::string const& sentence) {
  if (!holds) throw Error(ErrorClass::request, SendState::never_sent, "fault proxy: " + sentence);
}

void validate(FaultProxyOptions const& options) {
  require(!options.target_host.empty(), "target_host is empty; name the host to forward to");
  require(options.target_port != 0, "target_port is 0; it is a number from 1 to 65535");
  require(options.connections_max >= 1 && options.connections_max <= 100'000,
          "connections_max is " + std::to_string(options.connections_max) + "; it is a number from 1 to 100000");
  require(options.buffer_bytes_max >= 1 && options.buffer_bytes_max <= 64 * 1024 * 1024,
          "buffer_bytes_max is " + std::to_string(options.buffer_bytes_max) + "; it is a number from 1 to 64 MiB");
  require(
      options.connect_timeout > std::chrono::nanoseconds::zero() && options.connect_timeout <= std::chrono::hours(24),
      "connect_timeout is " + std::to_string(options.connect_timeout.count()) + " ns; it is above 0, up to 24 h");
}

FaultProxyOptions validated(FaultProxyOptions options) {
  validate(options);
  return options;
}

}  // namespace

class FaultProxy::Implementation {
 public:
  using Strand = asio::strand<asio::any_io_executor>;

  /// No executor: a thread of our own.
  Implementation(std::optional<asio::any_io_executor> const& executor, FaultProxyOptions const& options, FaultPlan plan)
      : plan_(plan),
        ledger_(std::make_shared<detail::ProxyLedger>(options.on_event)),
        strand_(
            asio::make_strand(executor ? *executor : asio::any_io_executor(own_context_.emplace(1).get_executor()))),
        listener_(std::make_shared<detail::ProxyListener>(strand_, options, std::move(plan), ledger_)),
        endpoint_(listener_->endpoint()) {
    asio::post(strand_, [listener = listener_] { listener->start(); });
    if (!own_context_) return;
    work_.emplace(own_context_->get_executor());
    thread_ = std::thread([this] { own_context_->run(); });
  }

  /// Runs a command on the strand; on somebody else's executor without waiting.
  template <class Command>
  void perform(Command command) {
    if (strand_.running_in_this_thread()) return command(*listener_);
    std::lock_guard const lock(mutex_);
    if (is_stopped_) return;
    if (!own_context_) {
      asio::dispatch(strand_, [listener = listener_, command = std::move(command)] { command(*listener); });
      return;
    }
    std::promise<void> done;
    asio::post(strand_, [&] {
      command(*listener_);
      done.set_value();
    });
    done.get_future().wait();
  }

  void set_plan(FaultPlan plan) {
    auto const shared = std::make_shared<FaultPlan const>(std::move(plan));
    {
      std::lock_guard const lock(plan_mutex_);
      plan_ = *shared;
    }
    perform([shared](detail::ProxyListener& listener) { listener.apply(shared); });
  }

  FaultPlan plan() const {
    std::lock_guard const lock(plan_mutex_);
    return plan_;
  }

  void command_all(FaultKind kind, std::string_view cause) {
    perform([kind, cause](detail::ProxyListener& listener) { listener.command_all(kind, cause); });
  }

  void stop() {
    std::lock_guard const lock(mutex_);
    if (std::exchange(is_stopped_, true)) return;
    asio::dispatch(strand_, [listener = listener_] { listener->stop(); });
    if (own_context_) {
      work_.reset();
      thread_.join();
    }
    ledger_->fall_silent();
  }

  detail::ProxyLedger const& ledger() const { return *ledger_; }
  asio::ip::tcp::endpoint const& endpoint() const { return endpoint_; }

 private:
  std::mutex mutex_;  ///< commands and stop(): nothing is posted that the thread will not live to run
  bool is_stopped_ = false;
  mutable std::mutex plan_mutex_;
  FaultPlan plan_;
  std::shared_ptr<detail::ProxyLedger> ledger_;
  std::optional<asio::io_context> own_context_;
  Strand strand_;
  std::shared_ptr<detail::ProxyListener> listener_;
  asio::ip::tcp::endpoint endpoint_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::thread thread_;
};

FaultProxy::FaultProxy(FaultProxyOptions options, FaultPlan plan)
    : implementation_(std::make_unique<Implementation>(std::nullopt, validated(std::move(options)), std::move(plan))) {}

FaultProxy::FaultProxy(asio::any_io_executor executor, FaultProxyOptions options, FaultPlan plan)
    : implementation_(
          std::make_unique<Implementation>(std::move(executor), validated(std::move(options)), std::move(plan))) {}

FaultProxy::~FaultProxy() { stop(); }

std::uint16_t FaultProxy::port() const noexcept { return implementation_->endpoint().port(); }

std::string FaultProxy::address() const { return net::to_string(implementation_->endpoint()); }

void FaultProxy::set_plan(FaultPlan plan) { implementation_->set_plan(std::move(plan)); }

void FaultProxy::set_plan(std::string_view text) { set_plan(FaultPlan::parse(text)); }

FaultPlan FaultProxy::plan() const { return implementation_->plan(); }

void FaultProxy::cut_all() { implementation_->command_all(FaultKind::cut, "cut_all()"); }

void FaultProxy::reset_all() { implementation_->command_all(FaultKind::rst, "reset_all()"); }

void FaultProxy::blackhole_all() { implementation_->command_all(FaultKind::blackhole, "blackhole_all()"); }

void FaultProxy::forget_all() { implementation_->command_all(FaultKind::forget, "forget_all()"); }

FaultProxyCounters FaultProxy::counters() const { return implementation_->ledger().counters(); }

bool FaultProxy::wait_for(std::function<bool(FaultProxyCounters const&)> const& condition, Deadline deadline) const {
  return implementation_->ledger().wait_for(condition, deadline);
}

void FaultProxy::stop() { implementation_->stop(); }

}  // namespace belay::testkit
