#include "apps/casefile/dossier_service.hpp"

#include "apps/casefile/api_error.hpp"
#include "belay/core/error.hpp"
#include "belay/core/random.hpp"
#include "belay/orm/sqlite.hpp"

namespace asio = boost::asio;
namespace orm = belay::orm;

namespace casefile {

namespace {

/// 12 lower-case hexadecimal digits: 48 random bits, so that a collision is one in 280 million at a million dossiers
/// and is settled by drawing again.
belay::Id<Dossier> draw_id() {
  static thread_local auto random = belay::Random::from_entropy();
  static constexpr char digits[] = "0123456789abcdef";
  auto bits = random.next();
  std::string key(12, '0');
  for (auto& digit : key) {
    digit = digits[bits & 15u];
    bits >>= 4;
  }
  return belay::Id<Dossier>(std::move(key));
}

bool is_duplicate_key(belay::Error const& error) { return error.engine_code() == "SQLITE_CONSTRAINT_PRIMARYKEY"; }

belay::Id<Dossier> parse_id(std::string const& text) {
  auto id = belay::TextForm<belay::Id<Dossier>>::from_text(text);
  if (!id) throw ApiError::not_found("Dossier", text);
  return *id;
}

template <class T>
void assign_if_given(T& member, std::optional<T> const& change) {
  if (change) member = *change;
}
template <class T>
void assign_if_given(std::optional<T>& member, std::optional<T> const& change) {
  if (change) member = change;
}

/// Stores `after` where it differs from `before`, stamping it only then.
template <class Db>
asio::awaitable<Dossier> store_changes(Db& db, Dossier const& before, Dossier after, belay::Deadline deadline) {
  if (after == before) co_return after;
  after.updated_at = belay::Datetime::now();
  co_await orm::update(db, before, after, deadline);
  co_return after;
}

}  // namespace

asio::awaitable<Dossier> DossierService::create(NewDossier const& given) {
  Dossier dossier;
  dossier.nom_dossier = given.nom_dossier;
  dossier.user_id = given.user_id;
  dossier.type_transaction = given.type_transaction.value_or(TypeTransaction::vente);
  dossier.summary = given.summary;
  dossier.created_at = belay::Datetime::now();
  dossier.updated_at = dossier.created_at;
  for (int draws_left = 3;; --draws_left) {
    dossier.id = draw_id();
    try {
      co_await orm::insert(database_, dossier, deadline_);
      co_return dossier;
    } catch (belay::Error const& error) {
      if (draws_left == 0 || !is_duplicate_key(error)) throw;
    }
  }
}

asio::awaitable<Dossier> DossierService::get(std::string const& id) {
  auto const key = parse_id(id);
  auto found = co_await orm::find<Dossier>(database_, key, deadline_);
  if (!found) throw ApiError::not_found("Dossier", id);
  co_return std::move(*found);
}

asio::awaitable<std::vector<Dossier>> DossierService::list(DossierPage const& page) {
  auto query = orm::from<Dossier>()
                   .order_by(orm::desc<&Dossier::created_at>, orm::desc<&Dossier::id>)
                   .limit(page.limit)
                   .offset(page.offset);
  if (page.user_id) query = query.where(orm::field<&Dossier::user_id> == *page.user_id);
  co_return co_await query.all(database_, deadline_);
}

asio::awaitable<Dossier> DossierService::update(std::string const& id, DossierChanges const& changes) {
  auto const before = co_await get(id);
  auto after = before;
  assign_if_given(after.nom_dossier, changes.nom_dossier);
  assign_if_given(after.user_id, changes.user_id);
  assign_if_given(after.type_transaction, changes.type_transaction);
  assign_if_given(after.summary, changes.summary);
  assign_if_given(after.statut, changes.statut);
  assign_if_given(after.score_confiance, changes.score_confiance);
  assign_if_given(after.pinned, changes.pinned);
  try {
    co_return co_await store_changes(database_, before, after, deadline_);
  } catch (belay::Error const& error) {
    if (error.engine_code() == "not_found") throw ApiError::not_found("Dossier", id);  // deleted in between
    throw;
  }
}

asio::awaitable<Dossier> DossierService::toggle_pin(std::string const& id) {
  auto const key = parse_id(id);
  // Reading and writing under the writer's lease: two clients that toggle at once undo each other exactly.
  auto const deadline = deadline_;
  auto toggle = [&key, &id, deadline](belay::sqlite::Transaction& transaction) -> asio::awaitable<Dossier> {
    auto const before = co_await orm::find<Dossier>(transaction, key, deadline);
    if (!before) throw ApiError::not_found("Dossier", id);
    auto after = *before;
    after.pinned = !after.pinned;
    co_return co_await store_changes(transaction, *before, after, deadline);
  };
  co_return co_await database_.transaction(toggle, deadline_);
}

asio::awaitable<void> DossierService::remove(std::string const& id) {
  auto const key = parse_id(id);
  try {
    co_await orm::remove(database_, key, deadline_);
  } catch (belay::Error const& error) {
    if (error.engine_code() == "not_found") throw ApiError::not_found("Dossier", id);
    throw;
  }
}

asio::awaitable<void> prepare_schema(belay::sqlite::Client& database, belay::Deadline deadline) {
  co_await orm::create_tables<Dossier>(database, deadline);
  co_await orm::verify_table<Dossier>(database, deadline);
}

asio::awaitable<void> try_every_query(belay::sqlite::Client database, belay::Deadline deadline) {
  co_await prepare_schema(database, deadline);
  DossierService service(database, deadline);
  NewDossier given;
  given.nom_dossier = "self-test";
  given.user_id = "user:self-test";
  auto const dossier = co_await service.create(given);
  auto const id = "dossier:" + dossier.id.to_string();
  DossierChanges changes;
  changes.statut = Statut::archive;
  (void)co_await service.update(id, changes);
  (void)co_await service.toggle_pin(id);
  DossierPage page;
  (void)co_await service.list(page);
  page.user_id = given.user_id;
  (void)co_await service.list(page);
  co_await service.remove(id);
}

}  // namespace casefile
