// Whatever a server sends, however it is cut: the parser ends, keeps its limits, and what it makes of the bytes does
// not depend on the cuts.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "belay/net/detail/response_parser.hpp"

namespace {

using namespace belay::net;
using detail::ResponseParser;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Outcome {
  ResponseParser::State state;
  HttpResponse response;
  std::size_t left;
  bool keeps_alive;
};

Outcome parse(HttpLimits const& limits, std::uint8_t kind, std::string_view input, std::size_t piece) {
  ResponseParser parser(limits, kind & 1 ? ResponseParser::Method::head : ResponseParser::Method::other,
                        kind & 2 ? ResponseParser::Body::streamed : ResponseParser::Body::collected);
  std::string pending, streamed;
  while (!input.empty() && parser.state() != ResponseParser::State::refused) {
    pending += input.substr(0, piece);
    input.remove_prefix(std::min(input.size(), piece));
    auto const used = parser.feed(pending);
    require(used <= pending.size());
    pending.erase(0, used);
    if (parser.is_streaming()) streamed += std::exchange(parser.response().body, std::string());
  }
  parser.end_input();
  require(parser.state() == ResponseParser::State::complete || parser.state() == ResponseParser::State::refused);
  if (parser.is_streaming()) parser.response().body = streamed;
  return {parser.state(), parser.response(), pending.size() + input.size(), parser.keeps_alive()};
}

bool is_same(HttpResponse const& a, HttpResponse const& b) {
  return a.status == b.status && a.body == b.body &&
         std::equal(a.headers.begin(), a.headers.end(), b.headers.begin(), b.headers.end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size < 2) return 0;
  HttpLimits limits;
  limits.head_bytes_max = 1024;
  limits.headers_max = 8;
  limits.body_bytes_max = 64;
  limits.streamed_bytes_max = 96;
  std::string_view const input(reinterpret_cast<char const*>(data) + 2, size - 2);

  auto const whole = parse(limits, data[0], input, input.size() + 1);
  auto const cut = parse(limits, data[0], input, std::size_t{data[1]} + 1);
  require(whole.state == cut.state && whole.keeps_alive == cut.keeps_alive);
  require(whole.response.headers.size() <= limits.headers_max);
  require(whole.response.body.size() <= 96);
  if (whole.state == ResponseParser::State::complete) {
    require(whole.response.status >= 200);
    require(whole.left == cut.left && is_same(whole.response, cut.response));
  }
  return 0;
}
