#pragma once

#include <string>

namespace belay::orm {

/// A new key as SurrealDB makes them: 20 characters [a-z0-9], 103 random bits from the operating system, so that keys
/// neither collide nor can be guessed. Thread-safe.
std::string generated_key();

}  // namespace belay::orm
