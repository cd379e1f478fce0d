#pragma once

#include <string_view>

#include "belay/core/detail/json_type.hpp"

/// The text of JSON numbers into C++ numbers, without losing anything unsaid.
namespace belay::json::detail {

/// Whether the number is written without fraction and exponent.
bool is_integer_text(std::string_view) noexcept;

enum class IntegerResult { stored, has_fraction, out_of_range };

/// Stores a number of an integer's shape at `target`; 1.0 and 1e3 are whole, too.
IntegerResult read_integer(std::string_view, Type const&, void* target);

/// Stores the nearest number of shape real at `target`, zero for what is too small; false when that is infinite.
bool read_real(std::string_view, Type const&, void* target);

}  // namespace belay::json::detail
