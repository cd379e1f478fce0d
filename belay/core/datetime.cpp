#include "belay/core/datetime.hpp"

#include <array>
#include <charconv>

#include "belay/core/error.hpp"

namespace belay {

namespace {

constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;
constexpr std::int64_t seconds_per_day = 86'400;
/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
constexpr std::int64_t first_text_second = -62'167'219'200;
constexpr std::int64_t last_text_second = 253'402'300'799;

struct Date {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

// Both conversions: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms". A year here begins in March, so that the
// leap day is its last; an era is 400 years.

constexpr std::int64_t days_from(Date date) noexcept {
  auto const year = date.month <= 2 ? date.year - 1 : date.year;
  auto const era = (year >= 0 ? year : year - 399) / 400;
  auto const year_of_era = static_cast<unsigned>(year - era * 400);
  auto const day_of_year = (153 * (date.month > 2 ? date.month - 3 : date.month + 9) + 2) / 5 + date.day - 1;
  auto const day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + static_cast<std::int64_t>(day_of_era) - 719'468;
}

constexpr Date date_from(std::int64_t days) noexcept {
  days += 719'468;
  auto const era = (days >= 0 ? days : days - 146'096) / 146'097;
  auto const day_of_era = static_cast<unsigned>(days - era * 146'097);
  auto const year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  auto const day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  auto const shifted_month = (5 * day_of_year + 2) / 153;
  auto const month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month,
          day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

constexpr unsigned days_in(std::int64_t year, unsigned month) noexcept {
  constexpr std::array<unsigned, 12> days = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool const is_leap_year = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && is_leap_year ? 29 : days[month - 1];
}

/// Consumes a text from its front; every step says whether it was there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) noexcept : rest_(text) {}

  bool digits(std::size_t count, unsigned max, unsigned& out) noexcept {
    if (rest_.size() < count) return false;
    out = 0;
    for (char const c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return false;
      out = out * 10 + static_cast<unsigned>(c - '0');
    }
    rest_.remove_prefix(count);
    return out <= max;
  }
  bool one_of(std::string_view characters) noexcept {
    if (rest_.empty() || characters.find(rest_.front()) == std::string_view::npos) return false;
    last_ = rest_.front();
    rest_.remove_prefix(1);
    return true;
  }
  std::size_t digits_ahead() const noexcept {
    auto const end = rest_.find_first_not_of("0123456789");
    return end == std::string_view::npos ? rest_.size() : end;
  }
  /// What one_of found.
  char last() const noexcept { return last_; }
  bool at_end() const noexcept { return rest_.empty(); }

 private:
  std::string_view rest_;
  char last_ = '\0';
};

bool scan_date(Scanner& scanner, std::int64_t& days) noexcept {
  unsigned year = 0, month = 0, day = 0;
  if (!scanner.digits(4, 9999, year) || !scanner.one_of("-") || !scanner.digits(2, 12, month) || !scanner.one_of("-") ||
      !scanner.digits(2, 31, day)) {
    return false;
  }
  if (month < 1 || day < 1 || day > days_in(year, month)) return false;
  days = days_from({year, month, day});
  return true;
}

bool scan_time(Scanner& scanner, std::int64_t& seconds) noexcept {
  unsigned hour = 0, minute = 0, second = 0;
  if (!scanner.digits(2, 23, hour) || !scanner.one_of(":") || !scanner.digits(2, 59, minute) || !scanner.one_of(":") ||
      !scanner.digits(2, 59, second)) {
    return false;
  }
  seconds = hour * 3600 + minute * 60 + second;
  return true;
}

bool scan_fraction(Scanner& scanner, unsigned& nanoseconds) noexcept {
  if (!scanner.one_of(".")) return true;
  auto const count = scanner.digits_ahead();
  if (count < 1 || count > 9 || !scanner.digits(count, 999'999'999, nanoseconds)) return false;
  for (auto i = count; i < 9; ++i) nanoseconds *= 10;
  return true;
}

bool scan_offset(Scanner& scanner, std::int64_t& seconds) noexcept {
  if (scanner.one_of("Zz")) return true;
  if (!scanner.one_of("+-")) return false;
  auto const sign = scanner.last() == '-' ? -1 : 1;
  unsigned hour = 0, minute = 0;
  if (!scanner.digits(2, 23, hour) || !scanner.one_of(":") || !scanner.digits(2, 59, minute)) return false;
  seconds = sign * static_cast<std::int64_t>(hour * 3600 + minute * 60);
  return true;
}

void append_padded(std::string& out, std::uint64_t number, std::size_t width) {
  std::array<char, 20> digits;
  auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  auto const length = static_cast<std::size_t>(end - digits.data());
  if (length < width) out.append(width - length, '0');
  out.append(digits.data(), length);
}

void append_fraction(std::string& out, std::uint32_t nanoseconds) {
  if (nanoseconds == 0) return;
  out += '.';
  if (nanoseconds % 1'000'000 == 0) {
    append_padded(out, nanoseconds / 1'000'000, 3);
  } else if (nanoseconds % 1'000 == 0) {
    append_padded(out, nanoseconds / 1'000, 6);
  } else {
    append_padded(out, nanoseconds, 9);
  }
}

}  // namespace

Datetime Datetime::from_unix(std::int64_t seconds, std::uint32_t nanoseconds) {
  if (nanoseconds >= nanoseconds_per_second) {
    throw Error(ErrorClass::request, SendState::never_sent,
                "a date and time has 0 to 999999999 nanoseconds, not " + std::to_string(nanoseconds));
  }
  return {seconds, nanoseconds};
}

Datetime Datetime::from_unix_nanoseconds(std::int64_t count) noexcept {
  auto seconds = count / nanoseconds_per_second;
  auto nanoseconds = count % nanoseconds_per_second;
  if (nanoseconds < 0) {
    nanoseconds += nanoseconds_per_second;
    --seconds;
  }
  return {seconds, static_cast<std::uint32_t>(nanoseconds)};
}

Datetime Datetime::from(std::chrono::system_clock::time_point time) noexcept {
  return from_unix_nanoseconds(std::chrono::nanoseconds(time.time_since_epoch()).count());
}

Datetime Datetime::now() noexcept { return from(std::chrono::system_clock::now()); }

std::optional<Datetime> Datetime::parse(std::string_view text) {
  Scanner scanner(text);
  std::int64_t days = 0, time = 0, offset = 0;
  unsigned nanoseconds = 0;
  if (!scan_date(scanner, days) || !scanner.one_of("Tt") || !scan_time(scanner, time) ||
      !scan_fraction(scanner, nanoseconds) || !scan_offset(scanner, offset) || !scanner.at_end()) {
    return std::nullopt;
  }
  auto const seconds = days * seconds_per_day + time - offset;
  if (seconds < first_text_second || seconds > last_text_second) return std::nullopt;
  return Datetime(seconds, nanoseconds);
}

std::optional<std::int64_t> Datetime::unix_nanoseconds() const noexcept {
  // Counted from the second above for times before 1970: the product alone may pass the lowest int64 when the sum with
  // the nanoseconds does not.
  bool const borrow = seconds_ < 0 && nanoseconds_ > 0;
  std::int64_t result = 0;
  if (__builtin_mul_overflow(borrow ? seconds_ + 1 : seconds_, nanoseconds_per_second, &result)) return std::nullopt;
  auto const rest = static_cast<std::int64_t>(nanoseconds_) - (borrow ? nanoseconds_per_second : 0);
  if (__builtin_add_overflow(result, rest, &result)) return std::nullopt;
  return result;
}

std::string Datetime::to_string() const {
  auto days = seconds_ / seconds_per_day;
  auto second_of_day = seconds_ % seconds_per_day;
  if (second_of_day < 0) {
    second_of_day += seconds_per_day;
    --days;
  }
  auto const date = date_from(days);
  auto const time = static_cast<std::uint64_t>(second_of_day);

  std::string text;
  text.reserve(30);
  if (date.year < 0) text += '-';
  if (date.year > 9999) text += '+';
  append_padded(text, static_cast<std::uint64_t>(date.year < 0 ? -date.year : date.year), 4);
  text += '-';
  append_padded(text, date.month, 2);
  text += '-';
  append_padded(text, date.day, 2);
  text += 'T';
  append_padded(text, time / 3600, 2);
  text += ':';
  append_padded(text, time / 60 % 60, 2);
  text += ':';
  append_padded(text, time % 60, 2);
  append_fraction(text, nanoseconds_);
  text += 'Z';
  return text;
}

}  // namespace belay
