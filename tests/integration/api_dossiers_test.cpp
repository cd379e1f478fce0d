// The case-file API as its users call it. The first five have the names of the tests they replace.
#include <regex>
#include <set>

#include "tests/integration/api_fixture.hpp"

namespace belay::tests {

namespace json = boost::json;

using ApiDossiers = ApiTest;

TEST_F(ApiDossiers, test_create_dossier) {
  auto const answer =
      client.post("/api/dossiers", R"({"nom_dossier":"Test","user_id":"user:test","type_transaction":"vente"})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_TRUE(std::regex_search(answer.body, std::regex(R"(^\{"id":"dossier:[0-9a-f]{12}","nom_dossier":"Test",)")))
      << answer.body;
  auto const dossier = answer.json();
  EXPECT_EQ(dossier.at("user_id"), "user:test");
  EXPECT_EQ(dossier.at("type_transaction"), "vente");
  EXPECT_EQ(dossier.at("statut"), "nouveau");
  EXPECT_EQ(dossier.at("pinned"), false);
  EXPECT_TRUE(dossier.at("summary").is_null());
  EXPECT_EQ(dossier.at("created_at"), dossier.at("updated_at"));
  EXPECT_TRUE(std::string(dossier.at("created_at").as_string()).ends_with("Z"));
}

TEST_F(ApiDossiers, test_get_dossier) {
  auto const created = client.post("/api/dossiers", R"({"nom_dossier":"Été à Nîmes","user_id":"test"})");
  auto const id = std::string(created.json().at("id").as_string());
  auto const answer = client.get("/api/dossiers/" + id);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, created.body) << "what was acknowledged is what is read";
}

TEST_F(ApiDossiers, test_list_dossiers) {
  EXPECT_EQ(client.get("/api/dossiers").body, "[]") << "a bare array, never an envelope";
  auto const first = create("first");
  auto const second = create("second");
  auto const dossiers = client.get("/api/dossiers").json().as_array();
  ASSERT_EQ(dossiers.size(), 2u);
  EXPECT_EQ(dossiers[0].at("id"), second.c_str()) << "newest first";
  EXPECT_EQ(dossiers[1].at("id"), first.c_str());
}

TEST_F(ApiDossiers, test_update_dossier) {
  auto const id = create();
  auto const before = client.get("/api/dossiers/" + id).json();
  auto const answer = client.send("PUT", "/api/dossiers/" + id, R"({"nom_dossier":"Renamed","statut":"complete"})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  auto const after = client.get("/api/dossiers/" + id).json();
  EXPECT_EQ(answer.json(), after);
  EXPECT_EQ(after.at("nom_dossier"), "Renamed");
  EXPECT_EQ(after.at("statut"), "termine") << "an alias is stored under its proper name";
  EXPECT_EQ(after.at("user_id"), before.at("user_id"));
  EXPECT_EQ(after.at("created_at"), before.at("created_at"));
  EXPECT_GT(after.at("updated_at").as_string(), before.at("updated_at").as_string());
}

TEST_F(ApiDossiers, test_delete_dossier) {
  auto const id = create();
  auto const answer = client.send("DELETE", "/api/dossiers/" + id);
  EXPECT_EQ(answer.status, 204);
  EXPECT_TRUE(answer.body.empty());
  EXPECT_EQ(client.get("/api/dossiers/" + id).status, 404);
  EXPECT_EQ(client.send("DELETE", "/api/dossiers/" + id).status, 404);
  EXPECT_EQ(client.get("/api/dossiers").body, "[]");
}

TEST_F(ApiDossiers, AnswersAnUnknownIdWithTheIdAsGiven) {
  auto const answer = client.get("/api/dossiers/dossier:nonexistent");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(
      answer.body,
      R"({"error":{"message":"Dossier with ID 'dossier:nonexistent' not found","type":"ResourceNotFoundError"}})");
  EXPECT_EQ(client.get("/api/dossiers/nonexistent").json().at("error").at("message"),
            "Dossier with ID 'nonexistent' not found");
  for (auto const* method : {"PUT", "DELETE"}) {
    EXPECT_EQ(client.send(method, "/api/dossiers/dossier:nonexistent", "{}").status, 404) << method;
  }
  EXPECT_EQ(client.send("PATCH", "/api/dossiers/dossier:nonexistent/pin").status, 404);
}

TEST_F(ApiDossiers, AcceptsRawEncodedAndBareIds) {
  auto const id = create();
  auto const key = id.substr(id.find(':') + 1);
  for (auto const& form : {id, "dossier%3A" + key, "dossier%3a" + key, key}) {
    EXPECT_EQ(client.get("/api/dossiers/" + form).status, 200) << form;
  }
  EXPECT_EQ(client.get("/api/dossiers/user:" + key).status, 404) << "an id of another table is no dossier";
}

TEST_F(ApiDossiers, PinsAndUnpins) {
  auto const id = create();
  EXPECT_EQ(client.send("PATCH", "/api/dossiers/" + id + "/pin").json().at("pinned"), true);
  EXPECT_EQ(client.get("/api/dossiers/" + id).json().at("pinned"), true);
  EXPECT_EQ(client.send("PATCH", "/api/dossiers/" + id + "/pin").json().at("pinned"), false);
}

TEST_F(ApiDossiers, ListsPagesOfOneUser) {
  for (int i = 0; i < 5; ++i) create("mine " + std::to_string(i), "user:me");
  create("theirs", "user:them");
  EXPECT_EQ(client.get("/api/dossiers?user_id=me").json().as_array().size(), 5u);
  EXPECT_EQ(client.get("/api/dossiers?user_id=user%3Athem").json().as_array().size(), 1u);
  auto const page = client.get("/api/dossiers?user_id=user:me&limit=2&offset=1").json().as_array();
  ASSERT_EQ(page.size(), 2u);
  EXPECT_EQ(page[0].at("nom_dossier"), "mine 3");
  EXPECT_EQ(page[1].at("nom_dossier"), "mine 2");
  EXPECT_EQ(client.get("/api/dossiers?offset=100").body, "[]");
}

TEST_F(ApiDossiers, LeavesNullsAndUnchangedDossiersAlone) {
  auto const id = create();
  auto const before = client.get("/api/dossiers/" + id);
  EXPECT_EQ(client.send("PUT", "/api/dossiers/" + id, R"({"nom_dossier":null,"summary":null})").body, before.body);
  EXPECT_EQ(client.send("PUT", "/api/dossiers/" + id, "{}").body, before.body) << "not even updated_at";
}

TEST_F(ApiDossiers, KeepsEveryCharacter) {
  std::string const odd = "quote ' \" back\\slash \n tab\t nul\\u0000 $1 ? %s <b> é 漢字 🧗 \xE2\x80\xAE";
  json::object const body{{"nom_dossier", odd}, {"user_id", "user:test"}, {"summary", odd}};
  auto const id = std::string(client.post("/api/dossiers", json::serialize(body)).json().at("id").as_string());
  auto const dossier = client.get("/api/dossiers/" + id).json();
  EXPECT_EQ(dossier.at("nom_dossier"), odd.c_str());
  EXPECT_EQ(dossier.at("summary"), odd.c_str());
}

TEST_F(ApiDossiers, CountsCharactersNotBytes) {
  auto const of_length = [](std::size_t characters) {
    std::string text;
    for (std::size_t i = 0; i < characters; ++i) text += "é";
    return json::serialize(json::object{{"nom_dossier", text}, {"user_id", "test"}});
  };
  EXPECT_EQ(client.post("/api/dossiers", of_length(200)).status, 201);
  EXPECT_EQ(client.post("/api/dossiers", of_length(201)).status, 422);
}

TEST_F(ApiDossiers, NamesEverythingThatIsWrongWithABody) {
  auto const answer =
      client.post("/api/dossiers", R"({"nom_dossier":"","type_transaction":"location","summary":5,"nom":"x"})");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(error_type(answer), "ValidationError");
  EXPECT_EQ(answer.json().at("error").at("message"), "Validation failed");
  std::set<std::string> places;
  auto const body = answer.json();
  for (auto const& issue : body.at("error").at("details").at("errors").as_array()) {
    places.insert(json::serialize(issue.at("loc")) + " " + std::string(issue.at("type").as_string()));
    EXPECT_FALSE(issue.at("msg").as_string().empty());
  }
  EXPECT_EQ(places, (std::set<std::string>{R"(["body","nom_dossier"] out_of_range)", R"(["body","user_id"] missing)",
                                           R"(["body","type_transaction"] invalid)", R"(["body","summary"] wrong_type)",
                                           R"(["body","nom"] unknown)"}));
}

TEST_F(ApiDossiers, RefusesBadQueries) {
  for (auto const* query : {"limit=0", "limit=501", "limit=x", "limit=", "offset=-1", "offset=99999999999999999999",
                            "user_id=a%20b", "user_id=", "page=2", "limit=1&limit=1.5"}) {
    auto const answer = client.get(std::string("/api/dossiers?") + query);
    EXPECT_EQ(answer.status, 422) << query << " " << answer.body;
    EXPECT_EQ(error_type(answer), "ValidationError") << query;
  }
}

TEST_F(ApiDossiers, TellsWhatItIs) {
  auto const root = client.get("/").json();
  EXPECT_EQ(root.at("status"), "running");
  EXPECT_FALSE(root.at("version").as_string().empty());
  auto const health = client.get("/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.json().at("status"), "ok");
  EXPECT_EQ(health.json().at("checks").at("database"), "ok");
  EXPECT_EQ(client.get("/health/live").status, 200);
  EXPECT_EQ(client.get("/health/ready").status, 200);
}

TEST_F(ApiDossiers, AnswersUnknownRoutesAndMethodsInTheSameShape) {
  auto const unknown = client.get("/api/nothing");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(error_type(unknown), "HTTPException");
  auto const method = client.send("DELETE", "/api/dossiers");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(error_type(method), "HTTPException");
  EXPECT_EQ(method.header("Allow"), "GET, HEAD, POST");
}

TEST_F(ApiDossiers, AnswersHeadLikeGetWithoutTheBody) {
  auto const id = create();
  auto const get = client.get("/api/dossiers/" + id);
  auto const head = client.send("HEAD", "/api/dossiers/" + id);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), get.header("Content-Length"));
  EXPECT_EQ(client.get("/api/dossiers/" + id).body, get.body) << "the connection is in step";
}

}  // namespace belay::tests
