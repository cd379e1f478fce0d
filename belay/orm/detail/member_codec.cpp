#include "belay/orm/detail/member_codec.hpp"

#include <cstdio>

namespace belay::orm::detail {

void throw_no_enumerator() { throw BadScalar("the value is no enumerator, so it has no name to be stored by"); }

void throw_out_of_range(std::int64_t found, std::int64_t lowest, std::uint64_t highest) {
  throw BadScalar("integer " + std::to_string(found) + " does not fit the member (" + std::to_string(lowest) + " to " +
                  std::to_string(highest) + ")");
}

void throw_beyond_int64(std::uint64_t found) {
  throw BadScalar("integer " + std::to_string(found) + " is beyond 9223372036854775807, the largest that is stored");
}

void throw_beyond_float(double found) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.17g", found);
  throw BadScalar("real " + std::string(text) + " does not fit a float");
}

void throw_empty_id() {
  throw BadScalar("the id is empty; give it a key, or make the member std::optional when there may be none");
}

void throw_unknown_name(std::string_view found, std::string_view const* names, std::size_t count) {
  auto message = "text " + quoted_for_message(found) + " is not one of ";
  for (std::size_t i = 0; i < count; ++i) message.append(i == 0 ? "" : ", ").append(names[i]);
  throw BadScalar(message);
}

void throw_not_text_form(std::string_view what) { throw BadScalar("the text is not " + std::string(what)); }

void throw_bad_json(std::vector<json::Issue> const& issues) {
  throw BadScalar("in its JSON, " + json::to_string(issues.front()));
}

}  // namespace belay::orm::detail
