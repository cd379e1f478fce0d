#include "belay/testkit/sim_link.hpp"

#include <string>

#include "belay/core/error.hpp"

namespace belay::testkit {

namespace {

using std::chrono::nanoseconds;

void demand(bool holds, char const* what) {
  if (!holds) throw Error(ErrorClass::request, SendState::never_sent, what);
}

bool draw(Random& random, double probability) { return random.uniform() < probability; }

Cut draw_cut(Random& random, std::uint64_t within) {
  Cut cut;
  cut.after_bytes = random.below(within + 1);
  cut.ending = static_cast<Ending>(random.below(3));
  return cut;
}

}  // namespace

void check(LinkOptions const& link) {
  demand(link.latency >= nanoseconds::zero(), "LinkOptions: latency must not be negative");
  demand(link.jitter >= nanoseconds::zero(), "LinkOptions: jitter must not be negative");
  demand(link.bytes_per_second.value_or(1) >= 1, "LinkOptions: bytes_per_second must be at least 1; a black hole is 0");
  demand(link.segment_bytes.value_or(1) >= 1, "LinkOptions: segment_bytes must be at least 1");
  demand(link.buffer_bytes >= 1, "LinkOptions: buffer_bytes must be at least 1");
  demand(link.dead_peer_after.value_or(nanoseconds(1)) > nanoseconds::zero(),
         "LinkOptions: dead_peer_after must be more than 0");
}

FaultPlan seeded_faults(Random random, FaultRates rates, LinkOptions link) {
  for (auto const rate : {rates.refuse, rates.black_hole, rates.accept_then_close, rates.accept_then_reset, rates.cut,
                          rates.fragment, rates.end}) {
    demand(rate >= 0 && rate <= 1, "FaultRates: every rate must be in [0, 1]");
  }
  demand(rates.cut_within_bytes >= 1, "FaultRates: cut_within_bytes must be at least 1");
  demand(rates.end_within > nanoseconds::zero(), "FaultRates: end_within must be more than 0");
  check(link);
  return [random, rates, link](ConnectAttempt const& attempt) {
    // A stream for each attempt: what is drawn for one does not shift the others.
    auto own = random.fork("attempt " + std::to_string(attempt.number));
    ConnectionFaults faults;
    if (draw(own, rates.refuse)) {
      faults.arrival = Arrival::refuse;
    } else if (draw(own, rates.black_hole)) {
      faults.arrival = Arrival::black_hole;
    } else if (draw(own, rates.accept_then_close)) {
      faults.arrival = Arrival::accept_then_close;
    } else if (draw(own, rates.accept_then_reset)) {
      faults.arrival = Arrival::accept_then_reset;
    }
    if (draw(own, rates.cut)) {
      auto& cut = own.below(2) == 0 ? faults.cut_to_server : faults.cut_to_client;
      cut = draw_cut(own, rates.cut_within_bytes);
    }
    if (draw(own, rates.fragment)) {
      faults.link = link;
      faults.link->segment_bytes = 1 + own.below(8);
    }
    if (draw(own, rates.end)) {
      faults.ends_after = nanoseconds(1 + own.below(static_cast<std::uint64_t>(rates.end_within.count())));
      faults.ending = static_cast<Ending>(own.below(3));
    }
    return faults;
  };
}

}  // namespace belay::testkit
