#include "belay/orm/detail/sql_cache.hpp"

#include <memory>

#include "belay/orm/dialect.hpp"

namespace belay::orm::detail {

SqlCache::~SqlCache() {
  for (auto& text : texts_) delete text.load(std::memory_order_relaxed);
}

std::string const& SqlCache::get(TableInfo const& table, Dialect const& dialect, FixedStatement statement) {
  auto& slot = texts_.at(dialect.slot() * fixed_statements + static_cast<std::size_t>(statement));
  if (auto const* text = slot.load(std::memory_order_acquire)) return *text;
  auto rendered = std::make_unique<std::string const>(dialect.fixed(table, statement));
  std::string const* first = nullptr;
  // Two threads may render at the same time; the first to publish wins, so that references stay valid.
  if (!slot.compare_exchange_strong(first, rendered.get(), std::memory_order_acq_rel)) return *first;
  return *rendered.release();
}

}  // namespace belay::orm::detail
