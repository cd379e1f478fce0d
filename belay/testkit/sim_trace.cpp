#include "belay/testkit/sim_trace.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace belay::testkit {

namespace {

std::string line(SimTrace::time_point now, SimTrace::time_point start, std::string const& label) {
  char text[48];
  std::snprintf(text, sizeof text, "  %16.6f s  ", std::chrono::duration<double>(now - start).count());
  return label.empty() ? std::string(text) : text + ("[" + label + "] ");
}

}  // namespace

SimTrace::Note& SimTrace::next_note(time_point now, std::uint32_t label) noexcept {
  auto& note = notes_[noted_++ % notes_.size()];
  note.event = events_++;
  note.now = now;
  note.label = label;
  return note;
}

void SimTrace::note(time_point now, std::uint32_t label, std::string_view text) {
  auto& note = next_note(now, label);
  note.text = text;  // uses the memory of an older note again
  note.kind = nullptr;
  add(now, label, 0);
  hash_.add(text);
}

void SimTrace::note(time_point now, std::uint32_t label, char const* kind, std::uint64_t first,
                    std::uint64_t second) noexcept {
  auto& note = next_note(now, label);
  note.kind = kind;
  note.first = first;
  note.second = second;
  add(now, label, first);
  hash_.add(std::string_view(kind));
  hash_.add(second);
}

std::string SimTrace::tail(time_point start, std::vector<std::string> const& labels) const {
  std::vector<std::pair<std::uint64_t, std::string>> lines;
  for (auto const& step : steps_) {
    if (step.event == ~std::uint64_t{0}) continue;
    lines.emplace_back(step.event, line(step.now, start, labels[step.label]) + "task " + std::to_string(step.task));
  }
  for (auto const& note : notes_) {
    if (note.event == ~std::uint64_t{0}) continue;
    auto const what = note.kind == nullptr
                          ? note.text
                          : note.kind + (" " + std::to_string(note.first)) + " " + std::to_string(note.second);
    lines.emplace_back(note.event, line(note.now, start, labels[note.label]) + what);
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (auto const& [event, told] : lines) text += told + "\n";
  return text;
}

}  // namespace belay::testkit
