#pragma once

#include <bitset>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belay/core/detail/json_number.hpp"
#include "belay/core/detail/json_type.hpp"
#include "belay/core/json.hpp"
#include "belay/core/value.hpp"

namespace belay::json::detail {

/// Puts the values of a JSON text, which a parser reports one by one in the text's order, where they belong, and
/// collects what is wrong with them. The text must be well-formed: every begin has its end, and in an object a name
/// precedes each value.
class Reader {
 public:
  Reader(Type const& type, void* out, ReadOptions options) : options_(options), root_(&type, out) {}

  void name(std::string_view);
  void null();
  void boolean(bool);
  void string(std::string_view);
  /// By its text, which says more than any C++ number.
  void number(std::string_view);
  void begin_array();
  void end_array();
  void begin_object();
  void end_object();

  std::vector<Issue> take_issues() noexcept { return std::move(issues_); }

 private:
  /// Where a value goes. Without a type it goes nowhere.
  struct Slot {
    Slot() = default;
    Slot(Type const* slot_type, void* slot_target) : type(slot_type), target(slot_target) {}

    Type const* type = nullptr;
    void* target = nullptr;
    Type const* optional = nullptr;  ///< the optional that is emptied again when the value cannot be read
    void* optional_target = nullptr;
  };

  /// An array or object that is being read.
  struct Frame {
    enum class Kind { structure, list, map, value_array, value_object, skipped };
    Kind kind = Kind::skipped;
    Type const* type = nullptr;
    void* target = nullptr;
    std::size_t index = 0;                ///< elements of a list that have begun
    std::string name;                     ///< of the current member
    Slot member;                          ///< where the current member's value goes
    std::bitset<members_max> seen;        ///< of a structure: which members were given
    std::vector<Object::Member> members;  ///< of an object that becomes a Value

    bool is_list() const noexcept { return kind == Kind::list || kind == Kind::value_array; }
  };

  std::vector<std::string> path() const;
  void report(Issue::Kind, std::string message);
  void report(std::vector<std::string> path, Issue::Kind, std::string message);
  void report_type(Slot const&, std::string_view is);
  void report_integer(IntegerResult, Slot const&);
  void report_real(Slot const&);
  void report_duplicate();
  void report_missing(Frame const&);

  Slot next_slot();
  static Slot next_element(Frame&);
  static Slot inside_optionals(Slot);
  static void abandon(Slot const&);
  void structure_member(Frame&, std::string_view name);
  void number_value(std::string_view text, Slot const&);
  Frame& push(Frame::Kind, Slot const&);
  void finish_value_object(Frame&);

  ReadOptions options_;
  Slot root_;
  std::vector<Frame> frames_;
  std::vector<Issue> issues_;
};

}  // namespace belay::json::detail
