#include "belay/orm/detail/sqlite_values.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

namespace belay::orm::detail {

using Type = sqlite::Row::Type;

void SqliteParameters::null() { params_.emplace_back(nullptr); }
void SqliteParameters::boolean(bool value) { params_.emplace_back(std::int64_t{value ? 1 : 0}); }
void SqliteParameters::integer(std::int64_t value) { params_.emplace_back(value); }

void SqliteParameters::real(double value) {
  if (std::isnan(value)) throw BadScalar("NaN cannot be stored: SQLite would make NULL of it");
  params_.emplace_back(value);
}

void SqliteParameters::text(std::string_view value) { params_.emplace_back(std::string(value)); }
void SqliteParameters::bytes(std::span<std::byte const> value) {
  params_.emplace_back(Bytes(value.begin(), value.end()));
}

void SqliteParameters::datetime(Datetime const& value) {
  auto const nanoseconds = value.unix_nanoseconds();
  if (!nanoseconds) {
    throw BadScalar("the datetime " + value.to_string() +
                    " cannot be stored: SQLite holds those from 1677-09-21T00:12:43.145224192Z to "
                    "2262-04-11T23:47:16.854775807Z, as 64-bit nanoseconds");
  }
  params_.emplace_back(*nanoseconds);
}

void SqliteParameters::duration(Duration const& value) {
  auto const nanoseconds = value.nanoseconds();
  if (!nanoseconds) {
    throw BadScalar("the duration " + value.to_string() +
                    " cannot be stored: SQLite holds those up to 292 years, as 64-bit nanoseconds");
  }
  params_.emplace_back(std::int64_t{nanoseconds->count()});
}

void SqliteParameters::uuid(Uuid const& value) {
  Bytes bytes(value.octets().size());
  std::transform(value.octets().begin(), value.octets().end(), bytes.begin(),
                 [](std::uint8_t octet) { return std::byte{octet}; });
  params_.emplace_back(std::move(bytes));
}

void SqliteParameters::decimal(Decimal const& value) { params_.emplace_back(value.to_string()); }

void SqliteParameters::key(ScalarKey const& value) {
  if (auto const* number = std::get_if<std::int64_t>(&value)) return integer(*number);
  if (auto const* name = std::get_if<std::string>(&value)) return text(*name);
  if (auto const* unique = std::get_if<Uuid>(&value)) return uuid(*unique);
  throw BadScalar("the id is empty");
}

void SqliteParameters::json(std::string_view value) { params_.emplace_back(std::string(value)); }

void SqliteRow::expect(std::size_t column, Type type, std::string_view wanted) const {
  auto const found = row_.type(column);
  if (found == type) return;
  throw BadScalar(std::string(sqlite::name_of(found)) + " was found where " + std::string(wanted) + " is expected");
}

bool SqliteRow::is_null(std::size_t column) const { return row_.is_null(column); }

bool SqliteRow::boolean(std::size_t column) const {
  expect(column, Type::integer, "a boolean (integer 0 or 1)");
  auto const number = row_.integer(column);
  if (number != 0 && number != 1) throw BadScalar("integer " + std::to_string(number) + " is no boolean (0 or 1)");
  return number == 1;
}

std::int64_t SqliteRow::integer(std::size_t column) const {
  expect(column, Type::integer, "an integer");
  return row_.integer(column);
}

double SqliteRow::real(std::size_t column) const {
  expect(column, Type::real, "a real number");
  return row_.real(column);
}

std::string_view SqliteRow::text(std::size_t column) const {
  expect(column, Type::text, "text");
  return row_.text(column);
}

std::span<std::byte const> SqliteRow::bytes(std::size_t column) const {
  expect(column, Type::blob, "a blob");
  return row_.blob(column);
}

Datetime SqliteRow::datetime(std::size_t column) const {
  expect(column, Type::integer, "a datetime (integer nanoseconds)");
  return Datetime::from_unix_nanoseconds(row_.integer(column));
}

Duration SqliteRow::duration(std::size_t column) const {
  expect(column, Type::integer, "a duration (integer nanoseconds)");
  auto const nanoseconds = row_.integer(column);
  if (nanoseconds < 0) throw BadScalar("integer " + std::to_string(nanoseconds) + " is negative, durations are not");
  return Duration::from(std::chrono::nanoseconds(nanoseconds));
}

Uuid SqliteRow::uuid(std::size_t column) const {
  expect(column, Type::blob, "a UUID (16-byte blob)");
  auto const blob = row_.blob(column);
  Uuid::Octets octets{};
  if (blob.size() != octets.size()) {
    throw BadScalar("a blob of " + std::to_string(blob.size()) + " bytes is no UUID, which has 16");
  }
  std::transform(blob.begin(), blob.end(), octets.begin(),
                 [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
  return Uuid(octets);
}

Decimal SqliteRow::decimal(std::size_t column) const {
  expect(column, Type::text, "a decimal (text)");
  auto const text = row_.text(column);
  auto number = Decimal::parse(text);
  if (!number) throw BadScalar("text " + quoted_for_message(text) + " is no decimal number");
  return *std::move(number);
}

ScalarKey SqliteRow::key(std::size_t column) const {
  switch (row_.type(column)) {
    case Type::integer: return row_.integer(column);
    case Type::text: return std::string(row_.text(column));
    case Type::blob: return uuid(column);
    case Type::null:
    case Type::real: break;
  }
  throw BadScalar(std::string(sqlite::name_of(row_.type(column))) +
                  " was found where a record key (integer, text or 16-byte blob) is expected");
}

std::string_view SqliteRow::json(std::size_t column) const {
  expect(column, Type::text, "JSON text");
  return row_.text(column);
}

}  // namespace belay::orm::detail
