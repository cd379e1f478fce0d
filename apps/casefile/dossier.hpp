#pragma once

#include <optional>
#include <string>

#include <boost/describe.hpp>

#include "belay/core/datetime.hpp"
#include "belay/core/enum_names.hpp"
#include "belay/core/id.hpp"
#include "belay/core/json.hpp"
#include "belay/orm/orm.hpp"

namespace casefile {

enum class TypeTransaction { vente, achat, hypotheque, testament, succession, donation, autre };
BOOST_DESCRIBE_ENUM(TypeTransaction, vente, achat, hypotheque, testament, succession, donation, autre)

enum class Statut { nouveau, en_analyse, termine, en_erreur, archive };
BOOST_DESCRIBE_ENUM(Statut, nouveau, en_analyse, termine, en_erreur, archive)

/// A case file. The order of the members is the order of the JSON object.
struct Dossier {
  belay::Id<Dossier> id;
  std::string nom_dossier;  ///< 1 to 200 characters
  TypeTransaction type_transaction = TypeTransaction::vente;
  std::optional<std::string> summary;  ///< at most 200 characters
  Statut statut = Statut::nouveau;
  std::string user_id;                    ///< "user:KEY"
  std::optional<double> score_confiance;  ///< 0 to 1
  bool pinned = false;
  belay::Datetime created_at;
  belay::Datetime updated_at;

  friend bool operator==(Dossier const&, Dossier const&) = default;
};
BOOST_DESCRIBE_STRUCT(Dossier, (),
                      (id, nom_dossier, type_transaction, summary, statut, user_id, score_confiance, pinned, created_at,
                       updated_at))

/// What POST takes.
struct NewDossier {
  std::string nom_dossier;
  std::string user_id;
  std::optional<TypeTransaction> type_transaction;
  std::optional<std::string> summary;
};
BOOST_DESCRIBE_STRUCT(NewDossier, (), (nom_dossier, user_id, type_transaction, summary))

/// What PUT takes: a member that is absent or null stays as it is.
struct DossierChanges {
  std::optional<std::string> nom_dossier;
  std::optional<std::string> user_id;
  std::optional<TypeTransaction> type_transaction;
  std::optional<std::string> summary;
  std::optional<Statut> statut;
  std::optional<double> score_confiance;
  std::optional<bool> pinned;
};
BOOST_DESCRIBE_STRUCT(DossierChanges, (),
                      (nom_dossier, user_id, type_transaction, summary, statut, score_confiance, pinned))

}  // namespace casefile

template <>
struct belay::EnumAliases<casefile::Statut> {
  static constexpr std::pair<std::string_view, casefile::Statut> values[] = {
      {"complete", casefile::Statut::termine},
      {"valide", casefile::Statut::termine},
      {"analyse_complete", casefile::Statut::termine},
      {"erreur", casefile::Statut::en_erreur}};
};

/// In JSON and in messages an id carries its table: "dossier:b7017c19984f".
template <>
struct belay::TextForm<belay::Id<casefile::Dossier>> {
  static constexpr std::string_view what = "a dossier id such as dossier:b7017c19984f";
  static std::string to_text(belay::Id<casefile::Dossier> const& id) { return "dossier:" + id.to_string(); }
  static std::optional<belay::Id<casefile::Dossier>> from_text(std::string_view);
};

template <>
struct belay::orm::Table<casefile::Dossier> {
  static constexpr auto name = "dossier";
  /// The second serves GET /api/dossiers?user_id=…, the first the list of all, newest first.
  static constexpr auto indexes = std::tuple{
      belay::orm::index<&casefile::Dossier::created_at, &casefile::Dossier::id>,
      belay::orm::index<&casefile::Dossier::user_id, &casefile::Dossier::created_at, &casefile::Dossier::id>};
};
