#include "belay/pool/deadline_heap.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/random.hpp"

namespace {

using namespace belay;
using namespace belay::pool;

struct Element {
  std::uint32_t heap_position = not_in_heap;
};

TEST(DeadlineHeap, AgreesWithASortedMap) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<Element> elements(50);
    std::map<Element*, Deadline::time_point> reference;
    DeadlineHeap<Element> heap;
    heap.reserve(elements.size());
    for (int i = 0; i < 2000; ++i) {
      auto& element = elements[random.below(elements.size())];
      if (random.below(3) == 0) {
        heap.remove(element);
        reference.erase(&element);
      } else {
        Deadline::time_point const due{std::chrono::nanoseconds(random.below(100))};
        heap.set(element, due);
        reference[&element] = due;
      }
      auto earliest = Deadline::time_point::max();
      for (auto const& [pointer, due] : reference) {
        earliest = std::min(earliest, due);
        ASSERT_EQ(heap.due(*pointer), due);
      }
      ASSERT_EQ(heap.earliest(), earliest);
    }
  }
}

TEST(DeadlineHeap, TakesOutWhatIsNeverDue) {
  Element element;
  DeadlineHeap<Element> heap;
  heap.reserve(1);
  heap.set(element, Deadline::time_point{});
  heap.set(element, Deadline::time_point::max());
  EXPECT_TRUE(heap.empty());
  EXPECT_EQ(element.heap_position, not_in_heap);
}

}  // namespace
