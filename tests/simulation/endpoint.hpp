#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "gates.hpp"
#include "pool_shell.hpp"

namespace belay::simulation {

/// What a caller was told about its call; compared with the truth when nothing can happen any more.
struct Told {
  std::uint64_t unit = 0;
  bool idempotent = false;
  bool success = false;
  SendState state = SendState::never_sent;
};

class Client;

/// All that the calls to one database share.
struct Endpoint {
  static constexpr std::size_t operations = 2;  ///< reading and writing, with a breaker each
  using Parts = resilience::PolicyParts<LimiterWatch, BulkheadWatch, BreakerWatch>;
  using Call = resilience::PolicyCall<LimiterWatch, BulkheadWatch, BreakerWatch>;

  Endpoint(Plan const&, Timeline&, Record&, Coverage&);

  Plan const& plan;
  Timeline& timeline;
  Record& record;
  Coverage& coverage;
  Server server;
  ConnectWatch gate;
  PoolNews news;
  std::vector<std::unique_ptr<PoolShell>> pools;
  LimiterWatch limiter;
  BulkheadWatch bulkhead;
  std::array<std::unique_ptr<BreakerWatch>, operations> breakers;
  resilience::RetryPolicy retry;
  resilience::RetryBudget budget;
  std::array<std::optional<Parts>, operations> parts;
  std::array<std::vector<Client*>, operations> waiting_for_breaker;

  // What callers did and were told.
  std::vector<Told> told;
  std::uint64_t calls = 0;
  std::uint64_t finished = 0;
  std::uint64_t failed = 0;
  std::uint64_t firsts = 0;   ///< first attempts
  std::uint64_t retries = 0;  ///< those that the budget pays for
  double hurry = 0;           ///< share of calls that their caller cancels

  /// R2, whenever a retry begins.
  void check_budget();
  /// R3 and R4 against the server's truth, when all is over.
  void check_truth();
};

}  // namespace belay::simulation
