#include "belay/testkit/detail/fault_plan_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

#include "belay/core/duration.hpp"
#include "belay/core/error.hpp"

namespace belay::testkit::detail {

using std::chrono::nanoseconds;

namespace {

constexpr std::string_view blanks = " \t\r\n";
constexpr nanoseconds duration_max = std::chrono::hours(24);
constexpr std::uint64_t bytes_max = std::uint64_t{1} << 40;

/// What a fault takes behind its name.
enum class Figure { duration, rate_of_bytes, size, size_or_nothing, direction_or_nothing, nothing, rate };

struct Form {
  FaultKind kind;
  Figure figure;
  bool may_have_direction;
  char const* example;
};

using K = FaultKind;
constexpr std::array<Form, 16> forms = {{{K::latency, Figure::duration, true, "latency=20ms"},
                                         {K::jitter, Figure::duration, true, "jitter=10ms"},
                                         {K::bandwidth, Figure::rate_of_bytes, true, "bandwidth=64KiB/s"},
                                         {K::fragment, Figure::size, true, "fragment=1"},
                                         {K::gap, Figure::duration, true, "gap=1ms"},
                                         {K::cut, Figure::size_or_nothing, true, "cut=1024:up"},
                                         {K::rst, Figure::size_or_nothing, true, "rst=100:down"},
                                         {K::half_close, Figure::size, true, "half_close=500:down"},
                                         {K::stall, Figure::size, true, "stall=100:down"},
                                         {K::blackhole, Figure::direction_or_nothing, false, "blackhole=up"},
                                         {K::forget, Figure::nothing, false, "forget"},
                                         {K::hold, Figure::nothing, false, "hold"},
                                         {K::refuse, Figure::nothing, false, "refuse"},
                                         {K::accept_delay, Figure::duration, false, "accept_delay=1s"},
                                         {K::accept_rate, Figure::rate, false, "accept_rate=5/s"},
                                         {K::accept_limit, Figure::rate, false, "accept_limit=5/s"}}};

constexpr std::array<std::string_view, 5> conditions = {"p", "connection", "at", "for", "every"};

Form const* form_of(std::string_view name) noexcept {
  auto const found = std::find_if(forms.begin(), forms.end(), [&](Form const& f) { return name_of(f.kind) == name; });
  return found == forms.end() ? nullptr : &*found;
}

Form const& form_of(FaultKind kind) noexcept { return *form_of(name_of(kind)); }

/// Insertions, deletions and replacements that turn one word into the other (Levenshtein).
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (char const letter : from) {
    auto diagonal = row[0]++;
    for (std::size_t j = 0; j < to.size(); ++j) {
      auto const replaced = diagonal + (letter == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string what_would_be_right(std::string_view name) {
  std::string_view nearest;
  std::size_t least = 3;  // more slips than two make another word
  auto const consider = [&](std::string_view known) {
    if (name.size() > 32) return;
    if (auto const d = distance(name, known); d < least && d < known.size()) {
      least = d;
      nearest = known;
    }
  };
  for (auto const& form : forms) consider(name_of(form.kind));
  for (auto const condition : conditions) consider(condition);
  if (!nearest.empty()) return "did you mean '" + std::string(nearest) + "'?";
  std::string names = "faults are";
  for (auto const& form : forms) names += ' ' + std::string(name_of(form.kind));
  names += "; conditions are";
  for (auto const condition : conditions) names += ' ' + std::string(condition);
  return names;
}

template <class Number>
bool read_whole(std::string_view text, Number& number) {
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

}  // namespace

std::vector<FaultRule> FaultPlanParser::parse() {
  std::vector<FaultRule> rules;
  auto const first = text_.find_first_not_of(blanks);
  if (first == std::string_view::npos) return rules;
  if (text_.substr(first, text_.find_last_not_of(blanks) - first + 1) == "none") return rules;
  for (std::size_t begin = 0; begin <= text_.size();) {
    auto const end = std::min(text_.find(';', begin), text_.size());
    read_rule(text_.substr(begin, end - begin), rules);
    begin = end + 1;
  }
  return rules;
}

void FaultPlanParser::read_rule(std::string_view text, std::vector<FaultRule>& rules) {
  FaultRule rule;
  Word last;
  for (std::size_t at = 0; (at = text.find_first_not_of(blanks, at)) != std::string_view::npos;) {
    auto const end = std::min(text.find_first_of(blanks, at), text.size());
    last = take_apart(text.substr(at, end - at));
    read_word(last, rule);
    rule.text += (rule.text.empty() ? "" : " ") + std::string(last.whole);
    at = end;
  }
  if (rule.text.empty()) return;  // an idle semicolon harms nobody
  refuse_contradictions(rule, last);
  if (rules.size() == FaultPlan::rules_max) {
    refuse(last, "there are more than " + std::to_string(FaultPlan::rules_max) + " rules; use fewer");
  }
  rules.push_back(std::move(rule));
}

FaultPlanParser::Word FaultPlanParser::take_apart(std::string_view whole) {
  Word word;
  word.whole = whole;
  auto rest = whole;
  if (auto const colon = rest.rfind(':'); colon != std::string_view::npos) {
    word.direction = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  auto const equals = rest.find('=');
  word.name = rest.substr(0, equals);
  if (equals != std::string_view::npos) word.value = rest.substr(equals + 1);
  return word;
}

void FaultPlanParser::read_word(Word const& word, FaultRule& rule) {
  if (read_condition(word, rule)) return;
  auto const* const form = form_of(word.name);
  if (!form) {
    if (word.whole == "none") refuse(word, "'none' stands alone: it is the plan without faults");
    refuse(word, quoted(word.name) + " is not a fault; " + what_would_be_right(word.name));
  }
  Fault fault;
  fault.kind = form->kind;
  read_figures(word, fault);
  if (word.direction.data()) read_direction(word, fault);
  for (auto const& other : rule.faults) {
    if (other.kind == fault.kind && ((other.up && fault.up) || (other.down && fault.down))) {
      refuse(word, quoted(word.name) + " is given twice for one direction; begin another rule with ';'");
    }
  }
  rule.faults.push_back(fault);
}

bool FaultPlanParser::read_condition(Word const& word, FaultRule& rule) {
  if (std::find(conditions.begin(), conditions.end(), word.name) == conditions.end()) return false;
  if (word.direction.data()) {
    refuse(word, quoted(word.name) + " has no direction; leave ':" + std::string(word.direction) + "' out");
  }
  if (word.name == "p") {
    rule.probability = probability_of(word);
  } else if (word.name == "connection") {
    read_connections(word, rule);
  } else if (word.name == "at") {
    rule.begins_after = duration_of(word);
  } else if (word.name == "for") {
    rule.lasts = duration_of(word);
  } else {
    rule.period = duration_of(word);
  }
  return true;
}

void FaultPlanParser::read_figures(Word const& word, Fault& fault) {
  auto const& form = form_of(fault.kind);
  auto const write = std::string("; write for example ") + form.example;
  auto const has_value = word.value.data() != nullptr;
  switch (form.figure) {
    case Figure::duration: fault.duration = duration_of(word); return;
    case Figure::rate: fault.duration = interval_of(word); return;
    case Figure::rate_of_bytes: {
      if (!word.value.ends_with("/s")) {
        refuse(word, quoted(word.value) + " is not a number of bytes in a second" + write);
      }
      fault.bytes = bytes_of(word, word.value.substr(0, word.value.size() - 2), form.example, 1);
      return;
    }
    case Figure::size_or_nothing:
      if (!has_value) return;
      [[fallthrough]];
    case Figure::size: {
      auto const least = fault.kind == FaultKind::fragment ? 1U : 0U;
      fault.bytes = bytes_of(word, word.value, form.example, least);
      return;
    }
    case Figure::direction_or_nothing: {
      if (!has_value || word.value == "both") return;
      if (word.value != "up" && word.value != "down") {
        refuse(word, quoted(word.value) + " is not a direction; write blackhole=up, blackhole=down or blackhole=both");
      }
      fault.up = word.value == "up";
      fault.down = !fault.up;
      return;
    }
    case Figure::nothing:
      if (has_value) refuse(word, quoted(word.name) + " takes no value; write " + std::string(word.name));
      return;
  }
}

void FaultPlanParser::read_direction(Word const& word, Fault& fault) {
  if (!form_of(fault.kind).may_have_direction) {
    refuse(word,
           quoted(word.name) + " takes no direction after a colon; write for example " + form_of(fault.kind).example);
  }
  if (word.direction != "up" && word.direction != "down") {
    refuse(word,
           quoted(word.direction) +
               " is not a direction; write :up (client to target), :down (target to client), or neither for both");
  }
  fault.up = word.direction == "up";
  fault.down = !fault.up;
}

void FaultPlanParser::refuse_contradictions(FaultRule const& rule, Word const& last) {
  if (rule.faults.empty()) refuse(last, "the rule has conditions but no fault; add one, for example latency=20ms");
  if (rule.period && (!rule.lasts || *rule.lasts >= *rule.period)) {
    refuse(last, "'every' repeats what ends before: add a shorter 'for', as in for=2s every=1m");
  }
  auto const has = [&](FaultKind kind) {
    return std::any_of(rule.faults.begin(), rule.faults.end(), [&](Fault const& f) { return f.kind == kind; });
  };
  if (has(FaultKind::gap) && !has(FaultKind::fragment)) {
    refuse(last, "'gap' is the pause between fragments; write for example fragment=1 gap=1ms");
  }
  for (auto const kind : {FaultKind::accept_rate, FaultKind::accept_limit}) {
    if (has(kind) && !rule.concerns_all()) {
      refuse(last, quoted(name_of(kind)) + " counts all connections: it goes without 'p' and 'connection'");
    }
  }
}

nanoseconds FaultPlanParser::duration_of(Word const& word) const {
  auto const duration = Duration::parse(word.value);
  // What does not parse is as wrong as what is too short.
  auto const exact = duration ? duration->nanoseconds().value_or(nanoseconds::min()) : nanoseconds::min();
  auto const least = word.name == "at" ? nanoseconds::zero() : nanoseconds(1);
  if (exact < least || exact > duration_max) {
    auto const name = std::string(word.name);
    refuse(word, quoted(word.value) + " is not a duration up to 24h; write for example " + name + "=20ms, " + name +
                     "=2s or " + name + "=1m30s");
  }
  return exact;
}

std::uint64_t FaultPlanParser::bytes_of(Word const& word, std::string_view text, char const* example,
                                        std::uint64_t least) const {
  struct Unit {
    std::string_view name;
    std::uint64_t bytes;
  };
  static constexpr std::array<Unit, 8> units = {{{"", 1},
                                                 {"B", 1},
                                                 {"KiB", 1U << 10},
                                                 {"MiB", 1U << 20},
                                                 {"GiB", 1U << 30},
                                                 {"kB", 1'000},
                                                 {"MB", 1'000'000},
                                                 {"GB", 1'000'000'000}}};
  auto const digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::uint64_t count = 0;
  auto const unit =
      std::find_if(units.begin(), units.end(), [&](Unit const& u) { return u.name == text.substr(digits); });
  if (unit == units.end() || !read_whole(text.substr(0, digits), count) || count > bytes_max / unit->bytes ||
      count < least) {
    refuse(word, quoted(text) + " is not a number of bytes from " + std::to_string(least) +
                     " to 1024GiB (units B, KiB, MiB, GiB, kB, MB, GB); write for example " + example);
  }
  return count * unit->bytes;
}

nanoseconds FaultPlanParser::interval_of(Word const& word) const {
  auto const slash = word.value.find('/');
  auto const unit = slash == std::string_view::npos ? std::string_view() : word.value.substr(slash + 1);
  std::int64_t count = 0;
  if ((unit != "s" && unit != "m") || !read_whole(word.value.substr(0, slash), count) || count < 1 ||
      count > 1'000'000) {
    auto const name = std::string(word.name);
    refuse(word, quoted(word.value) +
                     " is not a number of connections from 1 to 1000000 in a time; write for example " + name +
                     "=5/s or " + name + "=30/m");
  }
  return nanoseconds(unit == "s" ? std::chrono::seconds(1) : std::chrono::seconds(60)) / count;
}

double FaultPlanParser::probability_of(Word const& word) const {
  double probability = 0;
  if (!read_whole(word.value, probability) || !(probability >= 0 && probability <= 1)) {
    refuse(word, quoted(word.value) + " is not a probability; write a number from 0 to 1, for example p=0.1");
  }
  return probability;
}

void FaultPlanParser::read_connections(Word const& word, FaultRule& rule) const {
  auto const dash = word.value.find('-');
  auto first = std::uint64_t{0};
  bool good = read_whole(word.value.substr(0, dash), first) && first >= 1;
  auto last = first;
  if (dash != std::string_view::npos) {
    last = std::numeric_limits<std::uint64_t>::max();
    auto const end = word.value.substr(dash + 1);
    good = good && (end.empty() || read_whole(end, last)) && last >= first;
  }
  if (!good) {
    refuse(word, quoted(word.value) +
                     " names no connections; they count from 1: write for example connection=3, connection=3-5 or "
                     "connection=3-");
  }
  rule.first_connection = first;
  rule.last_connection = last;
}

void FaultPlanParser::refuse(Word const& word, std::string const& sentence) const {
  auto const column = static_cast<std::size_t>(word.whole.data() - text_.data()) + 1;
  throw Error(ErrorClass::request, SendState::never_sent,
              "fault plan, column " + std::to_string(column) + ", " + quoted(word.whole) + ": " + sentence);
}

}  // namespace belay::testkit::detail
