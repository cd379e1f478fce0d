#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "belay/core/bytes.hpp"
#include "belay/core/datetime.hpp"
#include "belay/core/decimal.hpp"
#include "belay/core/duration.hpp"
#include "belay/core/id.hpp"
#include "belay/core/uuid.hpp"

namespace belay::orm {

/// The kinds of value that an engine's column can hold for a member, whatever the engine.
enum class Kind : unsigned char {
  boolean,
  integer,  ///< any C++ integer; the range of int64
  real,
  text,
  text_form,    ///< a type of the application's with a belay::TextForm: equal or not, but without an order
  enumeration,  ///< by name
  bytes,
  datetime,
  duration,
  uuid,
  decimal,
  key,  ///< the key of a record: integer, text or UUID
  json  ///< what has no column type of its own: lists, maps, nested structs
};

/// "integer", "text", "record key".
std::string_view name_of(Kind) noexcept;

/// What a ScalarSink or RowSource throws when a value cannot be stored or is not what the member holds. Its caller
/// knows table, record and field, and makes an Error of it.
class BadScalar : public std::exception {
 public:
  /// A sentence's middle: "text 'foo' is not one of nouveau, archive".
  explicit BadScalar(std::string what) : what_(std::move(what)) {}
  char const* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

/// Takes values one after the other: an engine's list of parameters. Throws BadScalar for what the engine cannot hold.
class ScalarSink {
 public:
  virtual ~ScalarSink() = default;
  virtual void null() = 0;
  virtual void boolean(bool) = 0;
  virtual void integer(std::int64_t) = 0;
  virtual void real(double) = 0;
  virtual void text(std::string_view) = 0;
  virtual void bytes(std::span<std::byte const>) = 0;
  virtual void datetime(Datetime const&) = 0;
  virtual void duration(Duration const&) = 0;
  virtual void uuid(Uuid const&) = 0;
  virtual void decimal(Decimal const&) = 0;
  /// Never an empty key.
  virtual void key(ScalarKey const&) = 0;
  /// A valid JSON text.
  virtual void json(std::string_view) = 0;
};

/// The values of one row by position. Views are valid until the row is left. Throws BadScalar when the value is not
/// of the kind asked for, NULL included.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual bool is_null(std::size_t column) const = 0;
  virtual bool boolean(std::size_t column) const = 0;
  virtual std::int64_t integer(std::size_t column) const = 0;
  virtual double real(std::size_t column) const = 0;
  virtual std::string_view text(std::size_t column) const = 0;
  virtual std::span<std::byte const> bytes(std::size_t column) const = 0;
  virtual Datetime datetime(std::size_t column) const = 0;
  virtual Duration duration(std::size_t column) const = 0;
  virtual Uuid uuid(std::size_t column) const = 0;
  virtual Decimal decimal(std::size_t column) const = 0;
  virtual ScalarKey key(std::size_t column) const = 0;
  virtual std::string_view json(std::size_t column) const = 0;
};

struct JsonText {
  std::string text;
  friend bool operator==(JsonText const&, JsonText const&) = default;
};

/// A value kept: the operand of a condition, the new value of an update. monostate is the missing value.
using Scalar = std::variant<std::monostate, bool, std::int64_t, double, std::string, Bytes, Datetime, Duration, Uuid,
                            Decimal, ScalarKey, JsonText>;

void write_scalar(Scalar const&, ScalarSink&);

/// Whether storing one in place of the other would change nothing. Decimals are compared digit by digit: 1.5 and 1.50
/// are equal numbers that are stored differently.
bool same_scalar(Scalar const&, Scalar const&);

/// Keeps the last value written to it.
class ScalarCapture final : public ScalarSink {
 public:
  Scalar take() noexcept { return std::move(value_); }

  void null() override { value_ = std::monostate(); }
  void boolean(bool value) override { value_ = value; }
  void integer(std::int64_t value) override { value_ = value; }
  void real(double value) override { value_ = value; }
  void text(std::string_view value) override { value_ = std::string(value); }
  void bytes(std::span<std::byte const> value) override { value_ = Bytes(value.begin(), value.end()); }
  void datetime(Datetime const& value) override { value_ = value; }
  void duration(Duration const& value) override { value_ = value; }
  void uuid(Uuid const& value) override { value_ = value; }
  void decimal(Decimal const& value) override { value_ = value; }
  void key(ScalarKey const& value) override { value_ = value; }
  void json(std::string_view value) override { value_ = JsonText{std::string(value)}; }

 private:
  Scalar value_;
};

/// Text for a message: at most 40 characters' worth of bytes, in single quotes, with control characters replaced.
std::string quoted_for_message(std::string_view);

}  // namespace belay::orm
