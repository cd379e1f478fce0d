// The text forms of scalars: what is parsed and printed must parse to the same again, and print the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "belay/core/bytes.hpp"
#include "belay/core/datetime.hpp"
#include "belay/core/decimal.hpp"
#include "belay/core/duration.hpp"
#include "belay/core/record_id.hpp"
#include "belay/core/text_form.hpp"
#include "belay/core/uuid.hpp"

namespace {

template <belay::HasTextForm T>
void check(std::string_view text) {
  using Form = belay::TextForm<T>;
  auto const value = Form::from_text(text);
  if (!value) return;
  auto const printed = Form::to_text(*value);
  auto const again = Form::from_text(printed);
  if (!again || *again != *value || Form::to_text(*again) != printed) std::abort();
}

/// Conversions must agree with the text whatever the number.
void check_decimal(std::string_view text) {
  auto const decimal = belay::Decimal::parse(text);
  if (!decimal) return;
  if (decimal->normalized() != *decimal) std::abort();
  if (auto const integer = decimal->to_int64(); integer && belay::Decimal(*integer) != *decimal) std::abort();
  auto const nearest = decimal->to_double();
  if (nearest.exact != (belay::Decimal::from_exact(nearest.value) == *decimal)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  check<belay::Datetime>(text);
  check<belay::Duration>(text);
  check<belay::Decimal>(text);
  check<belay::Uuid>(text);
  check<belay::RecordId>(text);
  check<belay::Bytes>(text);
  check_decimal(text);
  return 0;
}
