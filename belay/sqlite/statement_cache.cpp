#include "belay/sqlite/statement_cache.hpp"

#include <utility>

#include <sqlite3.h>

namespace belay::sqlite {

void FinalizeStatement::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

PreparedStatement* StatementCache::find(std::string_view sql) {
  if (!entries_.empty() && entries_.front().sql == sql) return &entries_.front();
  auto const found = by_text_.find(sql);
  if (found == by_text_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &entries_.front();
}

PreparedStatement& StatementCache::keep(PreparedStatement statement) {
  if (entries_.size() == capacity_) {
    by_text_.erase(entries_.back().sql);
    entries_.pop_back();
  }
  entries_.push_front(std::move(statement));
  by_text_.emplace(entries_.front().sql, entries_.begin());
  return entries_.front();
}

}  // namespace belay::sqlite
