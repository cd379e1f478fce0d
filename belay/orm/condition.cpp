#include "belay/orm/condition.hpp"

#include <algorithm>
#include <string>

#include "belay/core/error.hpp"

namespace belay::orm {

std::string_view name_of(Lookup lookup) noexcept {
  switch (lookup) {  // no default: the compiler reports a missing enumerator
    case Lookup::equal: return "==";
    case Lookup::less: return "<";
    case Lookup::less_equal: return "<=";
    case Lookup::greater: return ">";
    case Lookup::greater_equal: return ">=";
    case Lookup::in: return "in";
    case Lookup::between: return "between";
    case Lookup::like: return "like";
    case Lookup::ilike: return "ilike";
    case Lookup::contains: return "contains";
    case Lookup::icontains: return "icontains";
    case Lookup::starts_with: return "startswith";
    case Lookup::istarts_with: return "istartswith";
    case Lookup::ends_with: return "endswith";
    case Lookup::iends_with: return "iendswith";
    case Lookup::regex: return "regex";
    case Lookup::iregex: return "iregex";
    case Lookup::match: return "match";
    case Lookup::is_null: return "is_null";
    case Lookup::is_none: return "is_none";
    case Lookup::has_any_of: return "contains_any";
  }
  return "unknown";
}

namespace detail {

namespace {

std::shared_ptr<Node> make(Node::Shape shape) {
  auto node = std::make_shared<Node>();
  node->shape = shape;
  return node;
}

void set_depth(Node& node) {
  for (auto const& child : node.children) node.depth = std::max(node.depth, child->depth + 1);
  if (node.depth > condition_depth_max) {
    throw Error(ErrorClass::request, SendState::never_sent,
                "the condition is nested deeper than " + std::to_string(condition_depth_max) +
                    " levels; join its parts with all_of and any_of instead");
  }
}

/// Parts that are joined in the same way are joined at one level: a && b && c has three children.
NodePointer join(Node::Shape shape, std::vector<NodePointer> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  auto node = make(shape);
  for (auto& part : parts) {
    if (part->shape == shape) {
      node->children.insert(node->children.end(), part->children.begin(), part->children.end());
    } else {
      node->children.push_back(std::move(part));
    }
  }
  set_depth(*node);
  return node;
}

}  // namespace

NodePointer make_lookup(Lookup lookup, ColumnPointer column, std::vector<Scalar> values) {
  auto node = make(Node::Shape::lookup);
  node->lookup = lookup;
  node->column = column;
  node->values = std::move(values);
  return node;
}

NodePointer make_columns(Lookup lookup, ColumnPointer column, ColumnPointer other) {
  auto node = make(Node::Shape::columns);
  node->lookup = lookup;
  node->column = column;
  node->other = other;
  return node;
}

NodePointer negate(NodePointer child) {
  if (child->shape == Node::Shape::negation) return child->children.front();
  auto node = make(Node::Shape::negation);
  node->children.push_back(std::move(child));
  set_depth(*node);
  return node;
}

NodePointer conjunction(std::vector<NodePointer> parts) { return join(Node::Shape::all_of, std::move(parts)); }
NodePointer disjunction(std::vector<NodePointer> parts) { return join(Node::Shape::any_of, std::move(parts)); }

}  // namespace detail

}  // namespace belay::orm
