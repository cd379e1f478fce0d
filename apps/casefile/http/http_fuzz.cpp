// Whatever bytes come, however they are cut: the session ends, and every answer it gives is well-formed.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "apps/casefile/http/session_driver.hpp"

namespace {

using namespace casefile::http;

void require(bool condition) {
  if (!condition) std::abort();
}

/// Takes one answer off the front of what the session sent.
void check_answer(std::string_view& output, std::string_view method) {
  require(output.starts_with("HTTP/1.1 "));
  auto const head_end = output.find("\r\n\r\n");
  require(head_end != std::string_view::npos);
  auto const head = output.substr(0, head_end);
  auto const status = std::string(head.substr(9, 3));
  output.remove_prefix(head_end + 4);
  if (status == "100") return;
  constexpr std::string_view length_name = "\r\nContent-Length: ";
  auto const length_at = head.find(length_name);
  require(length_at != std::string_view::npos);
  auto const length = std::stoul(std::string(head.substr(length_at + length_name.size())));
  if (method == "HEAD") return;
  require(output.size() >= length);
  output.remove_prefix(length);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  Limits limits;
  limits.head_bytes_max = 512;
  limits.target_bytes_max = 128;
  limits.headers_max = 8;
  limits.body_bytes_max = 64;
  limits.discard_bytes_max = 16;
  auto const piece = std::size_t{data[0]} + 1;  // how the bytes are cut
  std::string_view input(reinterpret_cast<char const*>(data) + 1, size - 1);

  SessionDriver driver(limits, [&](Request& request) {
    require(request.body.size() <= limits.body_bytes_max);
    Response response;
    response.body = request.body + request.path;
    return response;
  });
  while (!input.empty()) {
    driver.receive(input.substr(0, piece));
    input.remove_prefix(std::min(input.size(), piece));
  }
  driver.end_input();
  driver.pass(std::chrono::hours(24));
  require(driver.is_closed());

  std::string_view output = driver.output;
  for (auto const& method : driver.methods) {
    if (output.starts_with("HTTP/1.1 100 ")) check_answer(output, method);
    check_answer(output, method);
  }
  if (output.starts_with("HTTP/1.1 100 ")) check_answer(output, "");
  require(output.empty());
  return 0;
}
