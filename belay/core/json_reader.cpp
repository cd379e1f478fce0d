#include "belay/core/detail/json_reader.hpp"

#include <algorithm>
#include <numeric>

namespace belay::json::detail {

namespace {

using Kind = Issue::Kind;

/// The most bytes of a foreign name that are repeated in a path.
constexpr std::size_t name_bytes_max = 64;

std::string shortened(std::string_view name) {
  if (name.size() <= name_bytes_max) return std::string(name);
  auto end = name_bytes_max;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0u) == 0x80u) --end;  // not inside a character
  return std::string(name.substr(0, end)) + "\u2026";
}

std::string_view wanted(Type const& type) noexcept {
  switch (type.shape) {
    case Shape::boolean: return "true or false";
    case Shape::signed_integer:
    case Shape::unsigned_integer: return "a whole number";
    case Shape::real: return "a number";
    case Shape::string:
    case Shape::string_view:
    case Shape::text: return "a string";
    case Shape::optional: return wanted(type.optional->inner());
    case Shape::list: return "an array";
    case Shape::map:
    case Shape::structure: return "an object";
    case Shape::value: return "a value";
  }
  return "something else";
}

}  // namespace

std::vector<std::string> Reader::path() const {
  std::vector<std::string> path;
  for (auto const& frame : frames_) {
    bool const is_list = frame.kind == Frame::Kind::list || frame.kind == Frame::Kind::value_array;
    path.push_back(is_list ? std::to_string(frame.index - 1) : frame.name);
  }
  return path;
}

void Reader::report(Kind kind, std::string message) { report(path(), kind, std::move(message)); }

void Reader::report(std::vector<std::string> path, Kind kind, std::string message) {
  if (issues_.size() < issues_max) issues_.push_back(Issue{std::move(path), kind, std::move(message)});
}

void Reader::report_type(Slot const& slot, std::string_view is) {
  report(Kind::wrong_type, "is " + std::string(is) + ", not " + std::string(wanted(*slot.type)));
  abandon(slot);
}

void Reader::abandon(Slot const& slot) {
  if (slot.optional != nullptr) slot.optional->optional->reset(slot.optional_target);
}

Reader::Slot Reader::next_slot() {
  if (frames_.empty()) return root_;
  auto& frame = frames_.back();
  return frame.is_list() ? next_element(frame) : frame.member;
}

Reader::Slot Reader::next_element(Frame& frame) {
  if (frame.kind == Frame::Kind::value_array) {
    ++frame.index;
    return {&type_of<Value>(), &static_cast<Value*>(frame.target)->as_array().emplace_back()};
  }
  auto* element = frame.type->list->append(frame.target, frame.index++);
  return element == nullptr ? Slot() : Slot{&frame.type->list->inner(), element};
}

/// The slot inside of optionals, which are filled.
Reader::Slot Reader::inside_optionals(Slot slot) {
  while (slot.type != nullptr && slot.type->shape == Shape::optional) {
    if (slot.optional == nullptr) {
      slot.optional = slot.type;
      slot.optional_target = slot.target;
    }
    slot.target = slot.type->optional->emplace(slot.target);
    slot.type = &slot.type->optional->inner();
  }
  return slot;
}

void Reader::name(std::string_view name) {
  auto& frame = frames_.back();
  frame.member = Slot();
  switch (frame.kind) {
    case Frame::Kind::structure: structure_member(frame, name); break;
    case Frame::Kind::map:
      frame.name = shortened(name);
      if (auto* value = frame.type->map->insert(frame.target, name)) {
        frame.member = {&frame.type->map->inner(), value};
      } else {
        report_duplicate();
      }
      break;
    case Frame::Kind::value_object:
      frame.name = shortened(name);
      frame.member = {&type_of<Value>(), &frame.members.emplace_back(name, Value()).second};
      break;
    case Frame::Kind::list:
    case Frame::Kind::value_array:
    case Frame::Kind::skipped: break;
  }
}

void Reader::structure_member(Frame& frame, std::string_view name) {
  frame.name = shortened(name);
  for (std::size_t i = 0; i < frame.type->member_count; ++i) {
    auto const& member = frame.type->members[i];
    if (member.name != name) continue;
    if (frame.seen[i]) {
      report_duplicate();
    } else {
      frame.seen.set(i);
      frame.member = {&member.type(), member.address(frame.target)};
    }
    return;
  }
  if (options_.unknown_members == UnknownMembers::ignore) return;
  std::string message = "is not a member; the members are";
  for (std::size_t i = 0; i < frame.type->member_count; ++i) {
    (message += i == 0 ? " " : ", ") += frame.type->members[i].name;
  }
  report(Kind::unknown, std::move(message));
}

void Reader::report_duplicate() { report(Kind::invalid, "is given more than once"); }

void Reader::null() {
  auto const slot = next_slot();
  if (slot.type == nullptr) return;
  if (slot.type->shape == Shape::optional) {
    slot.type->optional->reset(slot.target);
  } else if (slot.type->shape == Shape::value) {
    *static_cast<Value*>(slot.target) = Value(nullptr);
  } else {
    report_type(slot, "null");
  }
}

void Reader::boolean(bool value) {
  auto const slot = inside_optionals(next_slot());
  if (slot.type == nullptr) return;
  if (slot.type->shape == Shape::boolean) {
    *static_cast<bool*>(slot.target) = value;
  } else if (slot.type->shape == Shape::value) {
    *static_cast<Value*>(slot.target) = Value(value);
  } else {
    report_type(slot, value ? "true" : "false");
  }
}

void Reader::string(std::string_view text) {
  auto const slot = inside_optionals(next_slot());
  if (slot.type == nullptr) return;
  if (slot.type->shape == Shape::string) {
    static_cast<std::string*>(slot.target)->assign(text);
  } else if (slot.type->shape == Shape::value) {
    *static_cast<Value*>(slot.target) = Value(text);
  } else if (slot.type->shape != Shape::text) {
    report_type(slot, "a string");
  } else if (!slot.type->text->read(text, slot.target)) {
    report(Kind::invalid, "is not " + slot.type->text->what());
    abandon(slot);
  }
}

void Reader::number(std::string_view text) {
  auto const slot = inside_optionals(next_slot());
  if (slot.type == nullptr) return;
  switch (slot.type->shape) {
    case Shape::signed_integer:
    case Shape::unsigned_integer: {
      auto const result = read_integer(text, *slot.type, slot.target);
      if (result != IntegerResult::stored) report_integer(result, slot);
      break;
    }
    case Shape::real:
      if (!read_real(text, *slot.type, slot.target)) report_real(slot);
      break;
    case Shape::value: number_value(text, slot); break;
    default: report_type(slot, "a number");
  }
}

void Reader::report_integer(IntegerResult result, Slot const& slot) {
  if (result == IntegerResult::has_fraction) return report_type(slot, "a number with a fraction");
  bool const is_signed = slot.type->shape == Shape::signed_integer;
  report(Kind::out_of_range, "is out of the range of " + std::string(is_signed ? "a signed " : "an unsigned ") +
                                 std::to_string(slot.type->size * 8) + "-bit whole number");
  abandon(slot);
}

void Reader::report_real(Slot const& slot) {
  report(Kind::out_of_range, "is out of the range of a floating-point number");
  abandon(slot);
}

void Reader::number_value(std::string_view text, Slot const& slot) {
  auto& value = *static_cast<Value*>(slot.target);
  std::int64_t whole = 0;
  double real = 0;
  if (is_integer_text(text)) {
    auto const& type = type_of<std::int64_t>();
    auto const result = read_integer(text, type, &whole);
    if (result != IntegerResult::stored) return report_integer(result, {&type, nullptr});
    value = Value(whole);
  } else {
    if (!read_real(text, type_of<double>(), &real)) return report_real({&type_of<double>(), nullptr});
    value = Value(real);
  }
}

Reader::Frame& Reader::push(Frame::Kind kind, Slot const& slot) {
  auto& frame = frames_.emplace_back();
  frame.kind = kind;
  frame.type = slot.type;
  frame.target = slot.target;
  return frame;
}

void Reader::begin_array() {
  auto const slot = inside_optionals(next_slot());
  auto const shape = slot.type == nullptr ? Shape::text : slot.type->shape;
  if (shape == Shape::list) {
    slot.type->list->clear(slot.target);
    push(Frame::Kind::list, slot);
  } else if (shape == Shape::value) {
    *static_cast<Value*>(slot.target) = Value(Array());
    push(Frame::Kind::value_array, slot);
  } else {
    if (slot.type != nullptr) report_type(slot, "an array");
    push(Frame::Kind::skipped, slot);
  }
}

void Reader::end_array() {
  auto const frame = std::move(frames_.back());
  frames_.pop_back();
  auto const exact_size = frame.kind == Frame::Kind::list ? frame.type->list->exact_size : 0;
  if (exact_size != 0 && frame.index != exact_size) {
    report(Kind::out_of_range, "has " + std::to_string(frame.index) + " elements, not " + std::to_string(exact_size));
  }
}

void Reader::begin_object() {
  auto const slot = inside_optionals(next_slot());
  auto const shape = slot.type == nullptr ? Shape::text : slot.type->shape;
  if (shape == Shape::structure) {
    push(Frame::Kind::structure, slot);
  } else if (shape == Shape::map) {
    slot.type->map->clear(slot.target);
    push(Frame::Kind::map, slot);
  } else if (shape == Shape::value) {
    push(Frame::Kind::value_object, slot);
  } else {
    if (slot.type != nullptr) report_type(slot, "an object");
    push(Frame::Kind::skipped, slot);
  }
}

void Reader::end_object() {
  auto frame = std::move(frames_.back());
  frames_.pop_back();
  if (frame.kind == Frame::Kind::structure && !options_.keep_missing) report_missing(frame);
  if (frame.kind == Frame::Kind::value_object) finish_value_object(frame);
}

void Reader::report_missing(Frame const& frame) {
  for (std::size_t i = 0; i < frame.type->member_count; ++i) {
    auto const& member = frame.type->members[i];
    auto const shape = member.type().shape;
    if (frame.seen[i] || shape == Shape::optional || shape == Shape::value) continue;
    auto where = path();
    where.emplace_back(member.name);
    report(std::move(where), Kind::missing, "is missing");
  }
}

/// Only now are all names known: sorting them finds the duplicates at a bounded cost, whatever names were chosen.
void Reader::finish_value_object(Frame& frame) {
  auto& members = frame.members;
  std::vector<std::size_t> order(members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return members[a].first < members[b].first; });
  std::vector<bool> is_duplicate(members.size());
  bool has_duplicates = false;
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (members[order[i]].first != members[order[i - 1]].first) continue;
    is_duplicate[order[i]] = has_duplicates = true;
    auto where = path();
    where.push_back(shortened(members[order[i]].first));
    report(std::move(where), Kind::invalid, "is given more than once");
  }
  if (has_duplicates) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (!is_duplicate[i] && kept++ != i) members[kept - 1] = std::move(members[i]);
    }
    members.resize(kept);
  }
  *static_cast<Value*>(frame.target) = Value(Object(std::move(members)));
}

}  // namespace belay::json::detail
