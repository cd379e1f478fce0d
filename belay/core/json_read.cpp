// The reading half of json.hpp: Boost.JSON's parser checks the text and tells its values one by one.
#include <algorithm>
#include <cstdint>
#include <limits>

#include <boost/json/basic_parser_impl.hpp>

#include "belay/core/detail/json_reader.hpp"
#include "belay/core/error.hpp"
#include "belay/core/json.hpp"
#include "belay/core/value.hpp"

namespace belay::json {

namespace {

using boost::json::error_code;

/// What Boost.JSON's parser calls: puts together what arrives in parts.
class Handler {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();

  Handler(detail::Type const& type, void* out, ReadOptions options) : reader_(type, out, options) {}

  std::vector<Issue> take_issues() noexcept { return reader_.take_issues(); }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_comment_part(std::string_view, error_code&) { return true; }
  bool on_comment(std::string_view, error_code&) { return true; }

  bool on_key_part(boost::json::string_view part, std::size_t, error_code&) { return gather(part); }
  bool on_key(boost::json::string_view part, std::size_t, error_code&) {
    reader_.name(gathered(part));
    text_.clear();
    return true;
  }
  bool on_string_part(boost::json::string_view part, std::size_t, error_code&) { return gather(part); }
  bool on_string(boost::json::string_view part, std::size_t, error_code&) {
    reader_.string(gathered(part));
    text_.clear();
    return true;
  }
  bool on_number_part(boost::json::string_view part, error_code&) { return gather(part); }
  // The text, and not what the parser made of it: its doubles are not always the nearest ones.
  bool on_int64(std::int64_t, boost::json::string_view part, error_code&) { return on_number(part); }
  bool on_uint64(std::uint64_t, boost::json::string_view part, error_code&) { return on_number(part); }
  bool on_double(double, boost::json::string_view part, error_code&) { return on_number(part); }
  bool on_number(boost::json::string_view part) {
    reader_.number(gathered(part));
    text_.clear();
    return true;
  }
  bool on_bool(bool value, error_code&) {
    reader_.boolean(value);
    return true;
  }
  bool on_null(error_code&) {
    reader_.null();
    return true;
  }
  bool on_object_begin(error_code&) {
    reader_.begin_object();
    return true;
  }
  bool on_object_end(std::size_t, error_code&) {
    reader_.end_object();
    return true;
  }
  bool on_array_begin(error_code&) {
    reader_.begin_array();
    return true;
  }
  bool on_array_end(std::size_t, error_code&) {
    reader_.end_array();
    return true;
  }

 private:
  bool gather(boost::json::string_view part) {
    text_.append(part.data(), part.size());
    return true;
  }

  /// The whole text, without a copy when it came in one part.
  std::string_view gathered(boost::json::string_view last_part) {
    if (text_.empty()) return {last_part.data(), last_part.size()};
    gather(last_part);
    return text_;
  }

  detail::Reader reader_;
  std::string text_;  ///< the parts so far of a string, a name or a number
};

/// "line 3, column 14", both counted from 1, columns in characters.
std::string position_text(std::string_view text, std::size_t offset) {
  auto const before = text.substr(0, std::min(offset, text.size()));
  auto const line = 1 + std::count(before.begin(), before.end(), '\n');
  auto const last_line = before.substr(before.rfind('\n') + 1);
  auto const column = 1 + std::count_if(last_line.begin(), last_line.end(),
                                        [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; });
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace

std::vector<Issue> detail::read(std::string_view text, Type const& type, void* out, ReadOptions options) {
  boost::json::parse_options parse_options;
  parse_options.max_depth = std::clamp(options.depth_max, std::size_t{1}, value_depth_max);
  boost::json::basic_parser<Handler> parser(parse_options, type, out, options);
  error_code error;
  auto const consumed = parser.write_some(false, text.data(), text.size(), error);
  if (!error && consumed < text.size()) error = boost::json::error::extra_data;
  if (error) {
    return {Issue{
        {}, Issue::Kind::invalid, "is not valid JSON: " + error.message() + " at " + position_text(text, consumed)}};
  }
  return parser.handler().take_issues();
}

void detail::refuse(Issue const& issue) { throw Error(ErrorClass::request, SendState::never_sent, to_string(issue)); }

std::string to_string(Issue const& issue) {
  std::string text;
  for (auto const& step : issue.path) {
    if (!text.empty()) text += '.';
    text += step;
  }
  return (text.empty() ? "the JSON text" : text) + ' ' + issue.message;
}

}  // namespace belay::json
