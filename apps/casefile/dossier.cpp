#include "apps/casefile/dossier.hpp"

#include "apps/casefile/record_key.hpp"

std::optional<belay::Id<casefile::Dossier>> belay::TextForm<belay::Id<casefile::Dossier>>::from_text(
    std::string_view text) {
  constexpr std::string_view table = "dossier:";
  if (text.starts_with(table)) text.remove_prefix(table.size());
  if (!casefile::is_record_key(text)) return std::nullopt;
  return belay::Id<casefile::Dossier>(std::string(text));
}
