// Database URLs: an accepted one must survive being revealed and parsed again, and its text must not show its password.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "belay/core/error.hpp"
#include "belay/core/url.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  try {
    auto const url = belay::Url::parse(text);
    if (belay::Url::parse(url.reveal()) != url) std::abort();
    auto const masked = belay::Url::parse(url.to_string());
    if (masked.has_password() != url.has_password()) std::abort();
    if (url.has_password() && masked.reveal_password() != "***") std::abort();
  } catch (belay::Error const& error) {
    if (error.error_class() != belay::ErrorClass::request) std::abort();
  }
  return 0;
}
