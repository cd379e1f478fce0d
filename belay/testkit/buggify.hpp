#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "belay/core/buggify.hpp"
#include "belay/core/random.hpp"

namespace belay::testkit {

/// Decides at the library's buggify points, in the manner of FoundationDB: a seed makes some points active for the
/// whole run, and an active point fires now and then. Each seed so tries another mixture ("swarm testing": A. Groce et
/// al., ISSTA 2012), and a fault that hides another does not do so under all of them.
///
/// Every point has its own stream of random numbers: a new point does not change what others do. Not thread-safe; acts
/// on the thread that installs it.
///
///     Buggify buggify(world.random("buggify"));
///     auto const installed = buggify.install();
class Buggify final : public BuggifyDecider {
 public:
  struct Options {
    /// The share of points that a seed makes active is itself drawn between these. 0 <= least <= most <= 1.
    double active_least = 0;
    double active_most = 0.5;
    /// How often an active point fires is drawn for the point between these. 0 < least <= most <= 1.
    double fire_least = 0.01;
    double fire_most = 0.25;
  };

  explicit Buggify(Random random) : Buggify(random, Options()) {}
  /// Throws belay::Error(request) for an option out of its range.
  Buggify(Random, Options);
  Buggify(Buggify const&) = delete;
  Buggify& operator=(Buggify const&) = delete;

  /// While it lives, buggify() on this thread asks here. They nest: the last one installed is asked.
  class Installed {
   public:
    explicit Installed(BuggifyDecider*) noexcept;
    Installed(Installed const&) = delete;
    Installed& operator=(Installed const&) = delete;
    ~Installed();

   private:
    BuggifyDecider* before_;
  };
  [[nodiscard]] Installed install() noexcept { return Installed(this); }

  /// Overrides the draw: with 1 it always fires, with 0 never. In [0, 1].
  void set(std::string_view point, double fire_probability);

  struct Point {
    std::string name;
    bool is_active = false;
    double fire_probability = 0;  ///< while active
    std::uint64_t hits = 0;
    std::uint64_t fired = 0;
  };
  /// The points that were met, by name: what a run has covered.
  std::vector<Point> points() const;

  bool decide(std::string_view point) override;

 private:
  struct State {
    Point point;
    Random random;
  };
  State& state_of(std::string_view point);

  Random root_;
  Options options_;
  double active_share_;
  std::map<std::string, State, std::less<>> states_;
};

}  // namespace belay::testkit
