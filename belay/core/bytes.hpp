#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "belay/core/text_form.hpp"

namespace belay {

/// Binary data.
using Bytes = std::vector<std::byte>;

/// Base64 with the standard alphabet and padding (RFC 4648, section 4), no line breaks.
std::string to_base64(std::span<std::byte const>);
/// The inverse; nullopt for anything to_base64 does not write: white space, missing padding, other alphabets, bits set
/// in what padding cuts off.
std::optional<Bytes> from_base64(std::string_view);

template <>
struct TextForm<Bytes> {
  static constexpr std::string_view what = "base64 text";
  static std::string to_text(Bytes const& bytes) { return to_base64(bytes); }
  static std::optional<Bytes> from_text(std::string_view text) { return from_base64(text); }
};

}  // namespace belay
