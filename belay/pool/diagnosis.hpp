#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/pool/call_site.hpp"
#include "belay/pool/snapshot.hpp"
#include "belay/pool/waiter.hpp"

namespace belay::pool {

/// Who holds what, for how long, and why nobody else gets anything: what the error of a failed acquire tells.
/// Made on failures only; it allocates.
struct Diagnosis {
  /// A lease, as its holder named it.
  struct Holder {
    std::string label;
    CallSite where;
    std::chrono::nanoseconds held{};
    std::string statement;  ///< digest of the last one; empty when there was none
    /// How long its current statement runs, or how long it has done nothing since the last.
    std::chrono::nanoseconds doing_it_for{};
    bool in_statement = false;
    bool waits_for_another = false;  ///< its task is in the queue as well
  };
  struct FailedConnect {
    Error error;
    std::chrono::nanoseconds ago{};
  };

  Snapshot pool;
  std::vector<Holder> oldest;                ///< at most 5, the oldest first
  std::vector<FailedConnect> connects;       ///< at most 3, the newest first
  std::chrono::nanoseconds next_probe_in{};  ///< while recovering
  Verdict verdict = Verdict::none;

  /// Some sentences, for a message. Without secrets, as long as labels and digests hold none.
  std::string text() const;
};

/// "leak_suspected: a lease …": the verdict in words.
std::string_view explanation_of(Verdict) noexcept;

}  // namespace belay::pool
