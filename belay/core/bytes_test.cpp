#include "belay/core/bytes.hpp"

#include <gtest/gtest.h>

namespace belay {
namespace {

Bytes bytes_of(std::string_view text) {
  Bytes bytes;
  for (char const c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

TEST(Base64, WritesTheTestVectorsOfItsStandard) {  // RFC 4648, section 10
  std::pair<std::string_view, std::string_view> const vectors[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
  for (auto const& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(bytes_of(plain)), encoded);
    EXPECT_EQ(from_base64(encoded), bytes_of(plain));
  }
}

TEST(Base64, RoundTripsEveryOctetAtEveryOffset) {
  for (std::size_t length = 0; length < 260; ++length) {
    Bytes bytes;
    for (std::size_t i = 0; i < length; ++i) bytes.push_back(static_cast<std::byte>(255 - i % 256));
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
}

TEST(Base64, RefusesWhatItWouldNotWrite) {
  for (auto const* text : {"Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zm9v\n", " Zm9v", "Zm-v", "Zm_v",
                           "Zg==Zg==", "Zm=v", "Zh==", "Zm9=", "Zm9\xff"}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

}  // namespace
}  // namespace belay
