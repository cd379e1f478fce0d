#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <string>

namespace belay::orm {
class Dialect;
struct TableInfo;
}  // namespace belay::orm

namespace belay::orm::detail {

/// The statements of a table whose text never varies, rendered once per engine.
enum class FixedStatement : std::size_t { insert, find, remove, select_prefix };
inline constexpr std::size_t fixed_statements = 4;
/// The engines a process can use at the same time, by Dialect::slot().
inline constexpr std::size_t dialect_slots = 3;

/// Texts that are rendered when first needed and then kept until the program ends. Thread-safe, lock-free.
class SqlCache {
 public:
  constexpr SqlCache() noexcept = default;
  SqlCache(SqlCache const&) = delete;
  ~SqlCache();

  std::string const& get(TableInfo const&, Dialect const&, FixedStatement);

 private:
  std::array<std::atomic<std::string const*>, fixed_statements * dialect_slots> texts_{};
};

}  // namespace belay::orm::detail
