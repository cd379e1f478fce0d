#pragma once

#include <algorithm>
#include <string_view>

namespace casefile {

/// Whether `text` is what any record key of the API looks like: [A-Za-z0-9_-]{1,64}.
inline bool is_record_key(std::string_view text) noexcept {
  auto const is_legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), is_legal);
}

}  // namespace casefile
