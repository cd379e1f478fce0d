#include "belay/testkit/shrinker.hpp"

#include <algorithm>
#include <optional>

#include "belay/core/error.hpp"

namespace belay::testkit {

namespace {

using Elements = std::vector<std::size_t>;

[[noreturn]] void refuse(std::string const& what) {
  throw Error(ErrorClass::request, SendState::never_sent, "shrink: " + what);
}

class Search {
 public:
  Search(std::size_t elements, std::function<bool(Selection const&)> const& fails, std::size_t runs_max)
      : elements_(elements), fails_(fails), runs_max_(runs_max) {}

  std::size_t runs() const noexcept { return runs_; }
  bool is_exhausted() const noexcept { return runs_ >= runs_max_; }
  Selection selection(Elements const& left_in) const {
    Selection selected(elements_);
    for (auto const element : left_in) selected[element] = true;
    return selected;
  }
  bool fails(Elements const& left_in) {
    ++runs_;
    return fails_(selection(left_in));
  }

  /// A part of the elements, or all but a part, that still fails. `parts` of about equal size.
  struct Smaller {
    Elements left_in;
    std::size_t parts;
  };
  std::optional<Smaller> find_smaller(Elements const& current, std::size_t parts) {
    for (bool const keeps_part : {true, false}) {
      if (!keeps_part && parts == 2) break;  // the complement of a half is the other half
      for (std::size_t part = 0; part < parts; ++part) {
        if (is_exhausted()) return std::nullopt;
        auto const begin = current.begin() + static_cast<std::ptrdiff_t>(current.size() * part / parts);
        auto const end = current.begin() + static_cast<std::ptrdiff_t>(current.size() * (part + 1) / parts);
        Elements rest;
        if (keeps_part) {
          rest.assign(begin, end);
        } else {
          rest.assign(current.begin(), begin);
          rest.insert(rest.end(), end, current.end());
        }
        if (fails(rest)) return Smaller{std::move(rest), keeps_part ? 2 : std::max<std::size_t>(parts - 1, 2)};
      }
    }
    return std::nullopt;
  }

 private:
  std::size_t elements_;
  std::function<bool(Selection const&)> const& fails_;
  std::size_t runs_max_;
  std::size_t runs_ = 0;
};

}  // namespace

Shrunk shrink(std::size_t elements, std::function<bool(Selection const&)> const& fails, std::size_t runs_max) {
  if (runs_max < 1) refuse("runs_max must be at least 1");
  Search search(elements, fails, runs_max);
  Elements current(elements);
  for (std::size_t i = 0; i < elements; ++i) current[i] = i;
  if (!search.fails(current)) refuse("the whole scenario does not fail");

  bool is_minimal = current.empty();
  if (!is_minimal && !search.is_exhausted()) {
    if (search.fails({})) current.clear();  // it fails whatever is in
    is_minimal = current.size() <= 1;
  }
  for (std::size_t parts = 2; !is_minimal && !search.is_exhausted();) {
    if (auto smaller = search.find_smaller(current, parts)) {
      current = std::move(smaller->left_in);
      parts = std::min(smaller->parts, current.size());
      is_minimal = current.size() == 1;
    } else if (!search.is_exhausted()) {
      is_minimal = parts >= current.size();
      parts = std::min(parts * 2, current.size());
    }
  }
  return {search.selection(current), search.runs(), is_minimal};
}

std::string Shrunk::describe(std::vector<std::string> const& names) const {
  if (names.size() != left_in.size()) refuse("describe needs one name for each element");
  std::string list;
  std::size_t count = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!left_in[i]) continue;
    list += (count++ == 0 ? ": " : ", ") + names[i];
  }
  return std::to_string(count) + " of " + std::to_string(names.size()) + " elements fail (after " +
         std::to_string(runs) + " runs, " + (is_minimal ? "locally minimal" : "stopped by the bound of runs") + ")" +
         list;
}

}  // namespace belay::testkit
