#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "belay/orm/scalar.hpp"
#include "belay/orm/table.hpp"

namespace belay::orm {

/// What a condition asks of one column. Their meaning, the same on every engine, is in docs/orm-semantics.md.
enum class Lookup : unsigned char {
  equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,       ///< equal to one of the values
  between,  ///< two values, both included
  like,     ///< '%' any run, '_' one character, '\' escapes
  ilike,
  contains,  ///< a part of the text
  icontains,
  starts_with,
  istarts_with,
  ends_with,
  iends_with,
  regex,  ///< RE2, anywhere in the text
  iregex,
  match,  ///< full text search
  is_null,
  is_none,
  has_any_of  ///< a list with at least one of the values among its elements
};

/// As it is spelled in the API: "icontains".
std::string_view name_of(Lookup) noexcept;

namespace detail {

struct Node;
using NodePointer = std::shared_ptr<Node const>;

/// A condition's tree: immutable once built, so that conditions and queries share their parts.
struct Node {
  enum class Shape : unsigned char { all_of, any_of, negation, lookup, columns };

  Shape shape;
  Lookup lookup = Lookup::equal;  ///< of shape lookup and columns
  ColumnPointer column = nullptr;
  ColumnPointer other = nullptr;      ///< of shape columns: the right side
  std::vector<Scalar> values;         ///< of shape lookup
  std::vector<NodePointer> children;  ///< of all_of and any_of; of negation one
  std::size_t depth = 1;
};

NodePointer make_lookup(Lookup, ColumnPointer, std::vector<Scalar> values);
NodePointer make_columns(Lookup, ColumnPointer, ColumnPointer other);
NodePointer negate(NodePointer);
NodePointer conjunction(std::vector<NodePointer>);
NodePointer disjunction(std::vector<NodePointer>);

}  // namespace detail

/// How deep conditions may be nested; deeper is Error(request). Chains of && and chains of || count as one level.
inline constexpr std::size_t condition_depth_max = 24;

/// A condition on the rows of T's table: a value, cheap to copy, immutable, thread-safe.
///
/// Logic is two-valued: a lookup on a missing value is false, and ! turns exactly false into true. So `!(a < 5)` and
/// `a != 5` hold for rows without an a, and `a < 5` does not.
template <Model T>
class Condition {
 public:
  explicit Condition(detail::NodePointer node) noexcept : node_(std::move(node)) {}
  detail::NodePointer const& node() const noexcept { return node_; }

  friend Condition operator&&(Condition const& a, Condition const& b) {
    return Condition(detail::conjunction({a.node_, b.node_}));
  }
  friend Condition operator||(Condition const& a, Condition const& b) {
    return Condition(detail::disjunction({a.node_, b.node_}));
  }
  friend Condition operator!(Condition const& a) { return Condition(detail::negate(a.node_)); }

 private:
  detail::NodePointer node_;
};

namespace detail {

template <class T>
std::vector<NodePointer> nodes_of(std::vector<Condition<T>> const& conditions) {
  std::vector<NodePointer> nodes;
  nodes.reserve(conditions.size());
  for (auto const& condition : conditions) nodes.push_back(condition.node());
  return nodes;
}

}  // namespace detail

/// All of them hold; none given: always true.
template <Model T>
Condition<T> all_of(std::vector<Condition<T>> const& conditions) {
  return Condition<T>(detail::conjunction(detail::nodes_of(conditions)));
}

/// At least one holds; none given: always false.
template <Model T>
Condition<T> any_of(std::vector<Condition<T>> const& conditions) {
  return Condition<T>(detail::disjunction(detail::nodes_of(conditions)));
}

}  // namespace belay::orm
