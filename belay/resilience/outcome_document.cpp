// Prints docs/outcomes.md; scripts/outcomes puts it there.
#include <iostream>

#include "belay/resilience/outcome.hpp"

int main() {
  std::cout << belay::resilience::describe_outcomes() << std::flush;
  return std::cout ? 0 : 1;
}
