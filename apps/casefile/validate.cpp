#include "apps/casefile/validate.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "apps/casefile/api_error.hpp"
#include "apps/casefile/record_key.hpp"

namespace casefile {

namespace {

using belay::json::Issue;

void add_issue(std::vector<Issue>& issues, std::string_view member, Issue::Kind kind, std::string message) {
  auto& issue = issues.emplace_back();
  issue.path.emplace_back(member);
  issue.kind = kind;
  issue.message = std::move(message);
}

/// Characters (code points) of valid UTF-8.
std::size_t length(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

void check_length(std::vector<Issue>& issues, char const* member, std::string_view text, std::size_t min,
                  std::size_t max) {
  auto const characters = length(text);
  if (characters >= min && characters <= max) return;
  auto message = "has " + std::to_string(characters) + " characters; ";
  message += min == 0 ? "at most " + std::to_string(max) : std::to_string(min) + " to " + std::to_string(max);
  add_issue(issues, member, Issue::Kind::out_of_range, message + " are allowed");
}

/// Completes "KEY" to "user:KEY".
void check_user(std::vector<Issue>& issues, std::string& user) {
  constexpr std::string_view table = "user:";
  auto const key = std::string_view(user).substr(user.starts_with(table) ? table.size() : 0);
  if (!is_record_key(key)) {
    add_issue(issues, "user_id", Issue::Kind::invalid,
              "is not user:KEY or KEY with 1 to 64 letters, digits, '_' or '-'");
    return;
  }
  user = std::string(table) + std::string(key);
}

/// The members that are missing or of a wrong type hold defaults: only what was read is checked further.
bool is_read(std::vector<Issue> const& issues, std::string_view member) {
  return std::none_of(issues.begin(), issues.end(),
                      [&](Issue const& issue) { return !issue.path.empty() && issue.path.front() == member; });
}

/// Whether the body was a JSON object at all; when it was not, its members say nothing.
bool is_object(std::vector<Issue> const& issues) {
  return std::none_of(issues.begin(), issues.end(), [](Issue const& issue) { return issue.path.empty(); });
}

void refuse_if_any(char const* place, std::vector<Issue> const& issues) {
  if (!issues.empty()) throw ApiError::validation(place, issues);
}

std::optional<std::int64_t> to_integer(std::string_view text) {
  std::int64_t value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void read_number(std::vector<Issue>& issues, char const* name, std::string_view text, std::int64_t min,
                 std::int64_t max, std::int64_t& out) {
  auto const value = to_integer(text);
  if (value && *value >= min && *value <= max) {
    out = *value;
    return;
  }
  add_issue(issues, name, value ? Issue::Kind::out_of_range : Issue::Kind::wrong_type,
            "is not a whole number from " + std::to_string(min) + " to " + std::to_string(max));
}

}  // namespace

NewDossier read_new_dossier(http::Request const& request) {
  NewDossier dossier;
  auto issues = belay::json::read_json(request.body, dossier);
  if (is_object(issues)) {
    if (is_read(issues, "nom_dossier")) check_length(issues, "nom_dossier", dossier.nom_dossier, 1, 200);
    if (is_read(issues, "user_id")) check_user(issues, dossier.user_id);
    if (dossier.summary) check_length(issues, "summary", *dossier.summary, 0, 200);
  }
  refuse_if_any("body", issues);
  return dossier;
}

DossierChanges read_dossier_changes(http::Request const& request) {
  DossierChanges changes;
  auto issues = belay::json::read_json(request.body, changes);
  if (changes.nom_dossier) check_length(issues, "nom_dossier", *changes.nom_dossier, 1, 200);
  if (changes.user_id) check_user(issues, *changes.user_id);
  if (changes.summary) check_length(issues, "summary", *changes.summary, 0, 200);
  if (changes.score_confiance && !(*changes.score_confiance >= 0.0 && *changes.score_confiance <= 1.0)) {
    add_issue(issues, "score_confiance", Issue::Kind::out_of_range, "is not from 0 to 1");
  }
  refuse_if_any("body", issues);
  return changes;
}

DossierPage read_dossier_page(http::Request const& request) {
  DossierPage page;
  std::vector<Issue> issues;
  for (auto const& [name, value] : request.query) {
    if (name == "user_id") {
      page.user_id = value;
      check_user(issues, *page.user_id);
    } else if (name == "limit") {
      read_number(issues, "limit", value, 1, 500, page.limit);
    } else if (name == "offset") {
      read_number(issues, "offset", value, 0, std::numeric_limits<std::int64_t>::max(), page.offset);
    } else {
      add_issue(issues, name, Issue::Kind::unknown, "is not known here; known are user_id, limit and offset");
    }
  }
  refuse_if_any("query", issues);
  return page;
}

}  // namespace casefile
