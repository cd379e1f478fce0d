#include "belay/testkit/detail/sim_connection.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>

namespace belay::testkit::detail {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::nanoseconds;

void ByteQueue::take(std::byte* to, std::size_t count) noexcept {
  std::memcpy(to, bytes_.data() + begin_, count);
  begin_ += count;
  if (begin_ == bytes_.size()) {
    bytes_.clear();
    begin_ = 0;
  } else if (begin_ > bytes_.size() / 2 && begin_ >= 4096) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
  }
}

SimConnection::SimConnection(SimScheduler& scheduler, Random random, std::shared_ptr<SimTraffic> traffic,
                             std::uint64_t id, SimLink const& to_server, SimLink const& to_client,
                             ConnectionFaults const& faults)
    : scheduler_(scheduler), random_(random), traffic_(std::move(traffic)), id_(id), own_link_(faults.link) {
  flows_[client].link = &to_server;
  flows_[server].link = &to_client;
  ++traffic_->counts.open;
  if (faults.cut_to_server) set_cut(client, *faults.cut_to_server);
  if (faults.cut_to_client) set_cut(server, *faults.cut_to_client);
  if (faults.ends_after && !scheduler_.is_pending(planned_end_)) {
    planned_end_ = scheduler_.schedule_in(*faults.ends_after, [this, how = faults.ending] { end(how); });
  }
  watch_for_death(client);
  watch_for_death(server);
}

SimConnection::~SimConnection() {
  for (auto const& flow : flows_) scheduler_.cancel(flow.arrival);
  for (auto const& each : ends_) scheduler_.cancel(each.death);
  scheduler_.cancel(planned_end_);
}

LinkOptions const& SimConnection::options(FlowState const& flow) const noexcept {
  return own_link_ ? *own_link_ : flow.link->options;
}

// Operations.

SimScheduler::Handle SimConnection::wait(TransferHandler handler, SimScheduler::Handle FlowState::*place, Side flow) {
  auto slot = asio::get_associated_cancellation_slot(handler);
  auto const parked = scheduler_.park(Waiting{std::move(handler), scheduler_.current_label()});
  if (slot.is_connected()) {
    slot.assign([connection = weak_from_this(), place, flow](asio::cancellation_type) {
      auto const alive = connection.lock();
      if (alive) alive->complete(alive->flows_[flow].*place, asio::error::operation_aborted, 0);
    });
  }
  return parked;
}

void SimConnection::complete(SimScheduler::Handle operation, error_code error, std::size_t count) {
  auto waiting = scheduler_.take<Waiting>(operation);
  if (!waiting) return;
  auto slot = asio::get_associated_cancellation_slot(waiting->handler);
  if (slot.is_connected()) slot.clear();
  scheduler_.complete(waiting->label, std::move(waiting->handler), error, count);
}

void SimConnection::read(Side side, asio::mutable_buffer buffer, TransferHandler handler) {
  auto& flow = flows_[other(side)];
  flow.read_to = buffer;
  flow.reader = wait(std::move(handler), &FlowState::reader, other(side));
  try_to_read(other(side));
}

void SimConnection::write(Side side, net::ConstBuffers const& pieces, TransferHandler handler) {
  auto& flow = flows_[side];
  flow.write_from = pieces;
  flow.writer = wait(std::move(handler), &FlowState::writer, side);
  try_to_write(side);
}

error_code SimConnection::shut_down(Side side) {
  if (!ends_[side].is_open) return asio::error::bad_descriptor;
  if (ends_[side].write_failure) return ends_[side].write_failure;
  if (!std::exchange(ends_[side].is_shut_down, true)) send(side, 0, true);
  return {};
}

void SimConnection::close(Side side) noexcept {
  auto& end = ends_[side];
  if (!std::exchange(end.is_open, false)) return;
  auto& incoming = flows_[other(side)];
  complete(incoming.reader, asio::error::operation_aborted, 0);
  complete(flows_[side].writer, asio::error::operation_aborted, 0);
  scheduler_.cancel(end.death);
  if (!ends_[other(side)].is_open) --traffic_->counts.open;
  if (end.write_failure) return;  // there is nobody to tell any more
  if (incoming.readable > 0) return reset_from(side);
  if (!std::exchange(end.is_shut_down, true)) send(side, 0, true);
}

void SimConnection::try_to_read(Side from) {
  auto& flow = flows_[from];
  if (!scheduler_.is_pending(flow.reader)) return;
  auto count = std::min(flow.readable, flow.read_to.size());
  if (auto const segment = options(flow).segment_bytes) count = std::min(count, *segment);
  if (count > 0) {
    flow.queue.take(static_cast<std::byte*>(flow.read_to.data()), count);
    flow.readable -= count;
    complete(flow.reader, {}, count);
    return try_to_write(from);
  }
  auto const& failure = ends_[other(from)].read_failure;
  if (flow.read_to.size() == 0) return complete(flow.reader, {}, 0);
  if (failure) return complete(flow.reader, failure, 0);
  if (flow.is_ended) complete(flow.reader, asio::error::eof, 0);
}

void SimConnection::try_to_write(Side from) {
  auto& flow = flows_[from];
  if (!scheduler_.is_pending(flow.writer)) return;
  if (auto const& failure = ends_[from].write_failure) return complete(flow.writer, failure, 0);
  auto const capacity = options(flow).buffer_bytes;
  auto room = capacity - std::min(capacity, flow.queue.size());
  std::size_t taken = 0;
  auto lets_through =
      flow.cut && flow.cut->ending != Ending::black_hole ? flow.cut->after_bytes - flow.sent : std::uint64_t{room};
  for (auto const& piece : flow.write_from) {
    auto const count = std::min(room, piece.size());
    auto const kept = static_cast<std::size_t>(std::min<std::uint64_t>(count, lets_through));
    flow.queue.put(static_cast<std::byte const*>(piece.data()), kept);
    lets_through -= kept;
    room -= count;
    taken += count;
  }
  if (taken == 0 && !flow.write_from.empty()) return;
  complete(flow.writer, {}, taken);  // first: what is sent may arrive at once and come back here
  if (taken > 0) send(from, taken, false);
}

// Bytes on their way.

/// Sends what was just put into the queue, in segments; with a cut, up to its byte only.
void SimConnection::send(Side from, std::size_t bytes, bool is_last) {
  auto& flow = flows_[from];
  if (is_last) return launch(from, {.at = {}, .bytes = 0, .is_last = true});
  auto const segment = options(flow).segment_bytes.value_or(bytes);
  while (bytes > 0) {
    auto count = std::min(bytes, segment);
    bytes -= count;
    std::optional<Ending> ends_with;
    if (flow.cut) {
      auto const lets_through = flow.cut->after_bytes - flow.sent;
      if (lets_through == 0) return;
      count = static_cast<std::size_t>(std::min<std::uint64_t>(count, lets_through));
      if (count == lets_through) ends_with = flow.cut->ending;
    }
    flow.sent += count;
    launch(from, {.at = {}, .bytes = count, .is_last = false, .ends_with = ends_with});
  }
}

void SimConnection::launch(Side from, Segment segment) {
  auto& flow = flows_[from];
  auto const& link = options(flow);
  auto const now = scheduler_.now();
  flow.wire_free_at = std::max(flow.wire_free_at, now);
  if (link.bytes_per_second) {
    auto const seconds = static_cast<double>(segment.bytes) / static_cast<double>(*link.bytes_per_second);
    flow.wire_free_at += nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
  }
  segment.at = flow.wire_free_at + link.latency;
  if (link.jitter > nanoseconds::zero()) {
    segment.at += nanoseconds(random_.below(static_cast<std::uint64_t>(link.jitter.count()) + 1));
  }
  segment.at = flow.last_arrival = std::max(flow.last_arrival, segment.at);
  bool const is_first = flow.flight_begin == flow.flight.size();
  flow.flight.push_back(segment);
  if (!is_first) return;
  if (segment.at <= now && !is_blocked(flow)) return arrive(from);
  arm(from);
}

bool SimConnection::is_blocked(FlowState const& flow) const noexcept {
  return is_black_hole_ || flow.link->is_partitioned;
}

void SimConnection::arm(Side from) {
  auto& flow = flows_[from];
  if (flow.flight_begin == flow.flight.size() || is_blocked(flow)) return;
  flow.arrival = scheduler_.schedule_at(flow.flight[flow.flight_begin].at, [this, from] { arrive(from); });
}

void SimConnection::arrive(Side from) {
  auto& flow = flows_[from];
  auto const to = other(from);
  auto const now = scheduler_.now();
  std::size_t bytes = 0;
  std::optional<Ending> ends_with;
  while (flow.flight_begin < flow.flight.size() && flow.flight[flow.flight_begin].at <= now && !ends_with) {
    auto const& segment = flow.flight[flow.flight_begin++];
    bytes += segment.bytes;
    flow.is_ended = flow.is_ended || segment.is_last;
    ends_with = segment.ends_with;
    ++traffic_->counts.segments;
  }
  if (flow.flight_begin == flow.flight.size()) {
    flow.flight.clear();
    flow.flight_begin = 0;
  }
  if (bytes > 0 && (!ends_[to].is_open || ends_[to].read_failure)) return reset_from(to);
  flow.readable += bytes;
  flow.arrived += bytes;
  traffic_->counts.bytes += bytes;
  if (ends_with) {
    try_to_read(from);
    return end(*ends_with);
  }
  arm(from);
  try_to_read(from);
}

void SimConnection::drop_flight(Side from) noexcept {
  auto& flow = flows_[from];
  scheduler_.cancel(flow.arrival);
  flow.flight.clear();
  flow.flight_begin = 0;
  flow.queue.keep(flow.readable);
}

// Ends.

void SimConnection::fail(Side side, error_code reads, error_code writes) {
  auto& end = ends_[side];
  end.read_failure = reads;
  end.write_failure = writes;
  scheduler_.cancel(end.death);
  drop_flight(other(side));
  try_to_read(other(side));
  try_to_write(side);
}

void SimConnection::end(Ending how) {
  if (!ends_[client].is_open && !ends_[server].is_open) return;
  ++traffic_->counts.ended;
  scheduler_.note("connection ended", id_, static_cast<std::uint64_t>(how));
  scheduler_.cancel(planned_end_);
  switch (how) {
    case Ending::close:
      for (auto const side : {client, server}) fail(side, asio::error::eof, asio::error::broken_pipe);
      break;
    case Ending::reset:
      for (auto const side : {client, server}) fail(side, asio::error::connection_reset, asio::error::connection_reset);
      break;
    case Ending::black_hole:
      is_black_hole_ = true;
      for (auto const& flow : flows_) scheduler_.cancel(flow.arrival);
      for (auto const side : {client, server}) watch_for_death(side);
      break;
  }
}

void SimConnection::reset_from(Side side) noexcept {
  ++traffic_->counts.resets;
  scheduler_.note("connection reset by side", id_, side);
  drop_flight(side);
  drop_flight(other(side));
  if (!ends_[side].write_failure) fail(side, asio::error::connection_reset, asio::error::connection_reset);
  scheduler_.schedule_in(options(flows_[side]).latency, [connection = weak_from_this(), to = other(side)] {
    auto const alive = connection.lock();
    if (!alive || !alive->ends_[to].is_open || alive->is_blocked(alive->flows_[other(to)])) return;
    alive->fail(to, asio::error::connection_reset, asio::error::connection_reset);
  });
}

void SimConnection::set_cut(Side from, Cut cut) {
  auto& flow = flows_[from];
  if (cut.after_bytes == 0) {
    scheduler_.cancel(planned_end_);
    planned_end_ = scheduler_.schedule_in(nanoseconds::zero(), [this, how = cut.ending] { end(how); });
    return;
  }
  auto const most = ~std::uint64_t{0} - flow.sent;
  flow.cut = Cut{flow.sent + std::min(cut.after_bytes, most), cut.ending};
}

void SimConnection::links_changed() {
  for (auto const from : {client, server}) {
    auto& flow = flows_[from];
    scheduler_.cancel(flow.arrival);
    if (flow.flight_begin < flow.flight.size() && !is_blocked(flow)) {
      // What the partition held back is sent again now.
      auto const earliest = scheduler_.now() + options(flow).latency;
      auto const late = earliest - flow.flight[flow.flight_begin].at;
      if (flow.flight[flow.flight_begin].at < scheduler_.now()) {
        for (auto i = flow.flight_begin; i < flow.flight.size(); ++i) flow.flight[i].at += late;
        flow.last_arrival = flow.flight.back().at;
      }
      arm(from);
    }
    watch_for_death(from);
  }
}

void SimConnection::watch_for_death(Side side) {
  auto& end = ends_[side];
  auto const limit = options(flows_[side]).dead_peer_after;
  bool const is_cut_off = is_blocked(flows_[client]) || is_blocked(flows_[server]);
  if (!is_cut_off || !limit || !end.is_open || end.write_failure) {
    scheduler_.cancel(end.death);
    return;
  }
  if (scheduler_.is_pending(end.death)) return;
  end.death = scheduler_.schedule_in(*limit, [this, side] {
    scheduler_.note("dead peer noticed", id_, side);
    fail(side, asio::error::timed_out, asio::error::timed_out);
  });
}

namespace {

class SimStream final : public net::ByteStream {
 public:
  SimStream(std::shared_ptr<SimConnection> connection, SimConnection::Side side)
      : connection_(std::move(connection)), side_(side) {}
  ~SimStream() override { connection_->close(side_); }

  executor_type get_executor() noexcept override { return connection_->scheduler().get_executor(); }
  bool is_open() const noexcept override { return connection_->is_open(side_); }
  void close() noexcept override { connection_->close(side_); }

 private:
  void start_read(asio::mutable_buffer buffer, TransferHandler handler) override {
    if (!is_open()) return refuse(std::move(handler), asio::error::bad_descriptor);
    connection_->read(side_, buffer, std::move(handler));
  }
  void start_write(net::ConstBuffers const& pieces, TransferHandler handler) override {
    if (!is_open()) return refuse(std::move(handler), asio::error::bad_descriptor);
    if (is_shut_down_) return refuse(std::move(handler), asio::error::broken_pipe);
    connection_->write(side_, pieces, std::move(handler));
  }
  void start_shutdown(ShutdownHandler handler) override {
    is_shut_down_ = is_open();
    auto& scheduler = connection_->scheduler();
    auto const error = connection_->shut_down(side_);
    scheduler.complete(scheduler.current_label(), std::move(handler), error);
  }
  void refuse(TransferHandler handler, error_code error) {
    auto& scheduler = connection_->scheduler();
    scheduler.complete(scheduler.current_label(), std::move(handler), error, std::size_t{0});
  }

  std::shared_ptr<SimConnection> connection_;
  SimConnection::Side side_;
  bool is_shut_down_ = false;
};

}  // namespace

std::unique_ptr<net::ByteStream> make_sim_stream(std::shared_ptr<SimConnection> connection, SimConnection::Side side) {
  return std::make_unique<SimStream>(std::move(connection), side);
}

}  // namespace belay::testkit::detail
