#include "belay/sqlite/options.hpp"

#include <string>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/url.hpp"

namespace belay::sqlite {
namespace {

using namespace std::chrono_literals;

std::string refusal_of(std::string const& url) {
  try {
    options_from(Url::parse(url));
  } catch (Error const& failure) {
    EXPECT_EQ(failure.error_class(), ErrorClass::request);
    EXPECT_EQ(failure.send_state(), SendState::never_sent);
    return failure.what();
  }
  return "accepted";
}

TEST(Options, AreReadFromAUrl) {
  auto const options =
      options_from(Url::parse("sqlite:data/app.db?readers=2&queue_max=10&group_max=8&slow_in_company=50&busy_timeout=0"
                              "&statement_timeout=1500&statement_cache=7&synchronous=normal&cache_bytes=131072"
                              "&result_rows_max=5&result_bytes_max=6&vfs=unix"));
  EXPECT_EQ(options.path, "data/app.db");
  EXPECT_EQ(options.readers, 2);
  EXPECT_EQ(options.queue_max, 10U);
  EXPECT_EQ(options.group_max, 8U);
  EXPECT_EQ(options.slow_in_company, 50ms);
  EXPECT_EQ(options.busy_timeout, 0ms);
  EXPECT_EQ(options.statement_timeout, 1500ms);
  EXPECT_EQ(options.statement_cache, 7U);
  EXPECT_EQ(options.synchronous, Synchronous::normal);
  EXPECT_EQ(options.cache_bytes, 131072U);
  EXPECT_EQ(options.result_rows_max, 5U);
  EXPECT_EQ(options.result_bytes_max, 6U);
  EXPECT_EQ(options.vfs, "unix");
}

TEST(Options, AreRefusedWithTheNameAndWhatIsRight) {
  EXPECT_NE(refusal_of("sqlite:a.db?reader=2").find("no option 'reader'; there are: readers"), std::string::npos);
  EXPECT_NE(refusal_of("sqlite:a.db?readers=x").find("readers wants a whole number, not 'x'"), std::string::npos);
  EXPECT_NE(refusal_of("sqlite:a.db?readers=-1").find("whole number"), std::string::npos);
  EXPECT_NE(refusal_of("sqlite:a.db?readers=65").find("between 0 and 64"), std::string::npos);
  EXPECT_NE(refusal_of("sqlite:a.db?queue_max=99999999999999999999").find("whole number"), std::string::npos);
  EXPECT_NE(refusal_of("sqlite:a.db?synchronous=FULL").find("one of off, normal, full, extra"), std::string::npos);
  EXPECT_NE(refusal_of("postgresql://h/db").find("another engine"), std::string::npos);
  EXPECT_NE(refusal_of("sqlite::memory:").find("in-memory"), std::string::npos);
}

TEST(Options, AreCheckedAtTheirBounds) {
  struct Bound {
    void (*set)(Options&, long long);
    long long low, high;
  };
  Bound const bounds[] = {
      {[](Options& o, long long v) { o.readers = static_cast<int>(v); }, 0, 64},
      {[](Options& o, long long v) { o.queue_max = static_cast<std::size_t>(v); }, 1, 1'000'000},
      {[](Options& o, long long v) { o.group_max = static_cast<std::size_t>(v); }, 1, 64},
      {[](Options& o, long long v) { o.reads_at_once = static_cast<std::size_t>(v); }, 1, 64},
      {[](Options& o, long long v) { o.acquire_timeout = std::chrono::milliseconds(v); }, 1, 86'400'000},
      {[](Options& o, long long v) { o.slow_in_company = std::chrono::milliseconds(v); }, 1, 3'600'000},
      {[](Options& o, long long v) { o.busy_timeout = std::chrono::milliseconds(v); }, 0, 3'600'000},
      {[](Options& o, long long v) { o.statement_timeout = std::chrono::milliseconds(v); }, 1, 86'400'000},
      {[](Options& o, long long v) { o.statement_cache = static_cast<std::size_t>(v); }, 1, 10'000},
      {[](Options& o, long long v) { o.cache_bytes = static_cast<std::uint64_t>(v); }, 65536, 16LL << 30},
  };
  for (auto const& bound : bounds) {
    Options options("a.db");
    bound.set(options, bound.low);
    EXPECT_NO_THROW(check(options));
    bound.set(options, bound.high);
    EXPECT_NO_THROW(check(options));
    bound.set(options, bound.low - 1);
    EXPECT_THROW(check(options), Error);
    bound.set(options, bound.high + 1);
    EXPECT_THROW(check(options), Error);
  }
}

}  // namespace
}  // namespace belay::sqlite
