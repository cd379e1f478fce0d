#include "belay/testkit/buggify.hpp"

#include <utility>

#include "belay/core/error.hpp"

namespace belay::testkit {

namespace {

void demand(bool holds, char const* what) {
  if (!holds) throw Error(ErrorClass::request, SendState::never_sent, what);
}

double between(double least, double most, Random& random) { return least + (most - least) * random.uniform(); }

/// Where buggify() of this thread asks; without BELAY_SIMULATION nobody asks.
BuggifyDecider* exchange_decider([[maybe_unused]] BuggifyDecider* decider) noexcept {
#ifdef BELAY_SIMULATION
  return std::exchange(buggify_decider, decider);
#else
  return nullptr;
#endif
}

}  // namespace

Buggify::Installed::Installed(BuggifyDecider* decider) noexcept : before_(exchange_decider(decider)) {}

Buggify::Installed::~Installed() { exchange_decider(before_); }

Buggify::Buggify(Random random, Options options) : root_(random), options_(options) {
  demand(options.active_least >= 0 && options.active_least <= options.active_most && options.active_most <= 1,
         "Buggify::Options: 0 <= active_least <= active_most <= 1 must hold");
  demand(options.fire_least > 0 && options.fire_least <= options.fire_most && options.fire_most <= 1,
         "Buggify::Options: 0 < fire_least <= fire_most <= 1 must hold");
  auto swarm = root_.fork("share of active points");
  active_share_ = between(options.active_least, options.active_most, swarm);
}

void Buggify::set(std::string_view point, double fire_probability) {
  demand(fire_probability >= 0 && fire_probability <= 1, "Buggify::set: the probability must be in [0, 1]");
  auto& state = state_of(point);
  state.point.is_active = fire_probability > 0;
  state.point.fire_probability = fire_probability;
}

std::vector<Buggify::Point> Buggify::points() const {
  std::vector<Point> met;
  for (auto const& [name, state] : states_) {
    if (state.point.hits > 0) met.push_back(state.point);
  }
  return met;
}

bool Buggify::decide(std::string_view name) {
  auto& [point, random] = state_of(name);
  ++point.hits;
  if (!point.is_active || random.uniform() >= point.fire_probability) return false;
  ++point.fired;
  return true;
}

Buggify::State& Buggify::state_of(std::string_view name) {
  auto const known = states_.find(name);
  if (known != states_.end()) return known->second;
  State state{Point(), root_.fork(name)};
  state.point.name = name;
  state.point.is_active = state.random.uniform() < active_share_;
  state.point.fire_probability = between(options_.fire_least, options_.fire_most, state.random);
  return states_.emplace(name, std::move(state)).first->second;
}

}  // namespace belay::testkit
