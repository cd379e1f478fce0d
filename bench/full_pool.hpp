#pragma once

#include <optional>
#include <vector>

#include "belay/pool/pool_core.hpp"

namespace belay::bench {

/// Allows every connect at once.
class OpenGate final : public resilience::ConnectGate {
 public:
  Answer try_connect(time_point) override { return {resilience::ConnectTicket{}, time_point::max()}; }
  void connected(resilience::ConnectTicket, time_point) override {}
  void failed(resilience::ConnectTicket, ErrorClass, bool, time_point) override {}
  void abandoned(resilience::ConnectTicket, time_point) override {}
  void lost_all(time_point) override {}
  bool is_recovering() const override { return false; }
  time_point next_probe_at() const override { return time_point::min(); }
  time_point failing_since() const override { return time_point::max(); }
};

/// The core of a pool with all its connections open and idle.
struct FullPool {
  FullPool(pool::PoolOptions options, std::uint32_t size, Deadline::time_point begin) : now(begin) {
    options.min_idle = options.max_size = size;
    core.emplace(options, gate, Random(1), now);
    for (bool more = true; more;) {
      pool::Actions wanted;
      core->start(now, wanted);
      std::vector<pool::SlotAction> const connects(wanted.begin(), wanted.end());
      more = wanted.more || !connects.empty();
      for (auto const& connect : connects) {
        pool::Actions ignored;
        core->initialised(connect.slot, now, ignored);
      }
    }
  }

  OpenGate gate;
  Deadline::time_point now;
  std::optional<pool::PoolCore> core;
};

}  // namespace belay::bench
