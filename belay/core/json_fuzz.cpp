// JSON of a stranger: read into a struct and into a Value. What is accepted must be written and read back as the same.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include "belay/core/datetime.hpp"
#include "belay/core/decimal.hpp"
#include "belay/core/error.hpp"
#include "belay/core/id.hpp"
#include "belay/core/json.hpp"
#include "belay/core/value.hpp"

namespace {

enum class Status { open, closed };
BOOST_DESCRIBE_ENUM(Status, open, closed)

struct Model {
  belay::Id<Model> id;
  std::string title;
  bool pinned = false;
  std::int8_t small = 0;
  std::uint64_t large = 0;
  std::optional<double> score;
  std::optional<float> rate;
  std::optional<Status> status;
  std::optional<belay::Datetime> created;
  std::optional<belay::Decimal> price;
  std::map<std::string, int> counts;
  std::array<int, 2> pair{};
  std::vector<Model> children;
  belay::Value any;
};
BOOST_DESCRIBE_STRUCT(Model, (),
                      (id, title, pinned, small, large, score, rate, status, created, price, counts, pair, children,
                       any))

template <class T>
void check(std::string_view text, belay::json::ReadOptions options) {
  T value{};
  if (!belay::json::read_json(text, value, options).empty()) return;
  // An empty id has a text that is not read back, so a patch is only read.
  if (options.keep_missing) return;
  auto const written = belay::json::to_json(value);
  T again{};
  // A value read at the deepest level allowed is written at the same one.
  if (!belay::json::read_json(written, again, options).empty()) std::abort();
  if (belay::json::to_json(again) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  belay::json::ReadOptions lenient;
  lenient.unknown_members = belay::json::UnknownMembers::ignore;
  belay::json::ReadOptions patch;
  patch.keep_missing = true;
  for (auto const& options : {belay::json::ReadOptions(), lenient, patch}) {
    check<Model>(text, options);
    check<belay::Value>(text, options);
  }
  std::string escaped;
  belay::json::append_json(escaped, text);
  std::string back;
  if (!belay::json::read_json(escaped, back).empty()) std::abort();
  return 0;
}
