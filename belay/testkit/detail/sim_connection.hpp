#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "belay/net/byte_stream.hpp"
#include "belay/testkit/sim_link.hpp"
#include "belay/testkit/sim_network.hpp"
#include "belay/testkit/sim_scheduler.hpp"

namespace belay::testkit::detail {

/// One direction between two hosts.
struct SimLink {
  LinkOptions options;
  bool is_partitioned = false;
};

/// The sum of what all connections of a network did.
struct SimTraffic {
  SimNetwork::Counts counts;
};

/// Bytes in order: put in at one end, taken at the other. Its memory grows with what it holds and is used again.
class ByteQueue {
 public:
  std::size_t size() const noexcept { return bytes_.size() - begin_; }
  void put(std::byte const* from, std::size_t count) { bytes_.insert(bytes_.end(), from, from + count); }
  /// count <= size().
  void take(std::byte* to, std::size_t count) noexcept;
  /// Drops all but the first `count`; count <= size().
  void keep(std::size_t count) noexcept { bytes_.resize(begin_ + count); }

 private:
  std::vector<std::byte> bytes_;
  std::size_t begin_ = 0;
};

/// A connection: two ends, and a flow of bytes from each to the other.
///
/// A sent byte lies in its flow's queue until it is read. A segment says when how many of them arrive; those that did
/// are readable.
class SimConnection : public std::enable_shared_from_this<SimConnection> {
 public:
  using Side = std::size_t;
  static constexpr Side client = 0;
  static constexpr Side server = 1;
  using TransferHandler = net::ByteStream::TransferHandler;

  SimConnection(SimScheduler&, Random, std::shared_ptr<SimTraffic>, std::uint64_t id, SimLink const& to_server,
                SimLink const& to_client, ConnectionFaults const&);
  ~SimConnection();

  std::uint64_t id() const noexcept { return id_; }
  SimScheduler& scheduler() noexcept { return scheduler_; }
  bool is_open(Side side) const noexcept { return ends_[side].is_open; }
  std::uint64_t arrived_from(Side side) const noexcept { return flows_[side].arrived; }

  void read(Side, boost::asio::mutable_buffer, TransferHandler);
  void write(Side, net::ConstBuffers const&, TransferHandler);
  /// The error that shutdown completes with.
  boost::system::error_code shut_down(Side);
  void close(Side) noexcept;

  void end(Ending);
  /// This end goes away by RST.
  void reset_from(Side) noexcept;
  void set_cut(Side from, Cut);
  /// A link it uses was partitioned or healed.
  void links_changed();

 private:
  struct Waiting {
    TransferHandler handler;
    SimScheduler::Label label;
  };
  struct Segment {
    SimScheduler::time_point at;
    std::size_t bytes = 0;
    bool is_last = false;               ///< FIN
    std::optional<Ending> ends_with{};  ///< the cut
  };
  struct FlowState {
    SimLink const* link = nullptr;
    ByteQueue queue;
    std::size_t readable = 0;
    std::vector<Segment> flight;
    std::size_t flight_begin = 0;
    SimScheduler::time_point wire_free_at{};
    SimScheduler::time_point last_arrival{};
    SimScheduler::Handle arrival;
    std::uint64_t sent = 0;
    std::uint64_t arrived = 0;
    std::optional<Cut> cut;  ///< by count of all bytes sent
    bool is_ended = false;   ///< the last segment has arrived
    SimScheduler::Handle reader;
    SimScheduler::Handle writer;
    boost::asio::mutable_buffer read_to;
    net::ConstBuffers write_from;
  };
  struct EndState {
    bool is_open = true;
    bool is_shut_down = false;
    boost::system::error_code read_failure;
    boost::system::error_code write_failure;
    SimScheduler::Handle death;
  };

  static Side other(Side side) noexcept { return 1 - side; }
  LinkOptions const& options(FlowState const& flow) const noexcept;
  SimScheduler::Handle wait(TransferHandler, SimScheduler::Handle FlowState::*, Side flow);
  void complete(SimScheduler::Handle, boost::system::error_code, std::size_t);
  void try_to_read(Side from);
  void try_to_write(Side from);
  void send(Side from, std::size_t bytes, bool is_last);
  void launch(Side from, Segment);
  bool is_blocked(FlowState const&) const noexcept;
  void arm(Side from);
  void arrive(Side from);
  void drop_flight(Side from) noexcept;
  void fail(Side, boost::system::error_code reads, boost::system::error_code writes);
  void watch_for_death(Side);

  SimScheduler& scheduler_;
  Random random_;
  std::shared_ptr<SimTraffic> traffic_;
  std::uint64_t id_;
  std::optional<LinkOptions> own_link_;
  bool is_black_hole_ = false;
  std::array<FlowState, 2> flows_;  ///< by the side that sends
  std::array<EndState, 2> ends_;
  SimScheduler::Handle planned_end_;  ///< ends_after, or a cut before the first byte
};

/// One end as a stream.
std::unique_ptr<net::ByteStream> make_sim_stream(std::shared_ptr<SimConnection>, SimConnection::Side);

}  // namespace belay::testkit::detail
