// simulate SEEDS [FIRST [STRIDE]]: runs so many seeds, every STRIDE-th from FIRST on, and says what came of them.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "campaign.hpp"

int main(int argc, char** argv) {
  using namespace belay::simulation;
  if (argc < 2 || argc > 5) {
    std::cerr << "usage: simulate SEEDS [FIRST [STRIDE [VIOLATIONS]]]\n";
    return 2;
  }
  auto const number = [&](int index, std::uint64_t otherwise) {
    return index < argc ? std::strtoull(argv[index], nullptr, 10) : otherwise;
  };
  Campaign campaign;
  campaign.seeds = number(1, 1);
  campaign.first_seed = number(2, 1);
  campaign.stride = number(3, 1);
  campaign.violations_most = number(4, 1);
  campaign.shrinks = std::getenv("BELAY_NO_SHRINK") == nullptr;
  campaign.replay = std::string(argv[0]) + " 1 ";
  if (campaign.seeds < 1 || campaign.stride < 1 || campaign.violations_most < 1) {
    std::cerr << "simulate: seeds, stride and violations must be whole numbers of at least 1\n";
    return 2;
  }
  auto const result = campaign.run(std::cout);
  auto const milliseconds = [](std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e6; };
  std::printf("figure: seeds=%llu violations=%llu cpu_ms_per_run=%.2f cpu_ms_longest=%.2f slowest_seed=%llu\n",
              static_cast<unsigned long long>(result.seeds), static_cast<unsigned long long>(result.violations),
              milliseconds(result.cpu) / static_cast<double>(result.seeds), milliseconds(result.longest_cpu),
              static_cast<unsigned long long>(result.slowest_seed));
  std::printf("figure: virtual_hours=%.2f calls=%llu failed_calls=%llu steps=%llu\n",
              std::chrono::duration<double, std::ratio<3600>>(result.virtual_time).count(),
              static_cast<unsigned long long>(result.calls), static_cast<unsigned long long>(result.failed_calls),
              static_cast<unsigned long long>(result.steps));
  std::fputs(result.coverage.describe().c_str(), stdout);
  return result.violations == 0 ? 0 : 1;
}
