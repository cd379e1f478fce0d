#include "belay/core/url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace belay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

/// What parsing says against a text; "accepted" when nothing.
std::string complaint(std::string_view text) {
  try {
    Url::parse(text);
    return "accepted";
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::request);
    EXPECT_EQ(error.send_state(), SendState::never_sent);
    EXPECT_TRUE(error.details().empty());
    return error.what();
  }
}

TEST(Url, NamesAnSqliteFile) {
  auto const url = Url::parse("sqlite:relative.db?readers=4&synchronous=full");
  EXPECT_EQ(url.engine(), Engine::sqlite);
  EXPECT_EQ(url.scheme(), "sqlite");
  EXPECT_EQ(url.path(), "relative.db");
  EXPECT_THAT(url.params(), ElementsAre(Pair("readers", "4"), Pair("synchronous", "full")));
  EXPECT_EQ(url.param("synchronous"), "full");
  EXPECT_EQ(url.param("absent"), std::nullopt);
  EXPECT_TRUE(url.hosts().empty());
  EXPECT_EQ(Url::parse("sqlite:/var/lib/a%20b.db").path(), "/var/lib/a b.db");
  EXPECT_EQ(Url::parse("sqlite:///var/lib/x.db").path(), "/var/lib/x.db");
  EXPECT_EQ(Url::parse("SQLITE:x").path(), "x");
  EXPECT_EQ(Url::parse("sqlite:a@b:c.db").path(), "a@b:c.db");
}

TEST(Url, RefusesSqliteDatabasesThatConnectionsCannotShare) {
  EXPECT_THAT(complaint("sqlite::memory:"), HasSubstr("write for example sqlite:"));
  EXPECT_THAT(complaint("sqlite:%3Amemory%3a"), HasSubstr("cannot be shared"));
  EXPECT_THAT(complaint("sqlite:file:x?mode=memory"), HasSubstr("plain file"));
  EXPECT_THAT(complaint("sqlite:"), HasSubstr("names no file"));
  EXPECT_THAT(complaint("sqlite://relative.db"), HasSubstr("write sqlite:PATH"));
}

TEST(Url, NamesPostgresqlHosts) {
  auto const url = Url::parse("postgresql://user:pw@h1:5433,h2,[::1]:5434/db?sslmode=require");
  EXPECT_EQ(url.engine(), Engine::postgresql);
  EXPECT_THAT(url.hosts(), ElementsAre(Url::Host{"h1", 5433}, Url::Host{"h2", 5432}, Url::Host{"::1", 5434}));
  EXPECT_EQ(url.user(), "user");
  EXPECT_EQ(url.reveal_password(), "pw");
  EXPECT_EQ(url.path(), "db");
  EXPECT_EQ(url.param("sslmode"), "require");
  EXPECT_EQ(Url::parse("postgres://h/db").scheme(), "postgresql");
}

TEST(Url, NamesSurrealdbServers) {
  std::tuple<std::string_view, std::string_view, std::uint16_t> const cases[] = {{"surrealdb+ws://h", "ws", 80},
                                                                                 {"surrealdb+wss://h", "wss", 443},
                                                                                 {"surrealdb+http://h", "http", 80},
                                                                                 {"surrealdb+https://h", "https", 443},
                                                                                 {"ws://h", "ws", 80},
                                                                                 {"wss://h", "wss", 443},
                                                                                 {"http://h", "http", 80},
                                                                                 {"https://h", "https", 443},
                                                                                 {"WSS://h", "wss", 443}};
  for (auto const& [text, scheme, port] : cases) {
    auto const url = Url::parse(text);
    EXPECT_EQ(url.engine(), Engine::surrealdb);
    EXPECT_EQ(url.scheme(), scheme);
    EXPECT_THAT(url.hosts(), ElementsAre(Url::Host{"h", port}));
  }
}

TEST(Url, DropsSlashesAtTheEnd) {
  EXPECT_EQ(Url::parse("ws://h:8000/rpc/").path(), "/rpc");
  EXPECT_EQ(Url::parse("ws://h:8000/").path(), "");
  EXPECT_EQ(Url::parse("ws://h:8000//").path(), "");
  EXPECT_EQ(Url::parse("ws://h:8000/"), Url::parse("ws://h:8000"));
  EXPECT_EQ(Url::parse("postgresql://h/db/").path(), "db");
  EXPECT_EQ(Url::parse("postgresql://h/").path(), "");
}

TEST(Url, LeavesHostsToPostgresqlsOwnDefault) {
  EXPECT_TRUE(Url::parse("postgresql:///db").hosts().empty());
  EXPECT_EQ(Url::parse("postgresql://ann@/db?host=/run/postgresql").user(), "ann");
  EXPECT_EQ(Url::parse("postgresql://%2Frun%2Fpostgresql/db").hosts().front().name, "/run/postgresql");
}

TEST(Url, DecodesPercentSignsEverywhere) {
  auto const url = Url::parse("postgresql://a%40b:p%40%3A%2F%3F%23%25@h/d%2Fb?application_name=a%26b%3D%20c");
  EXPECT_EQ(url.user(), "a@b");
  EXPECT_EQ(url.reveal_password(), "p@:/?#%");
  EXPECT_EQ(url.path(), "d/b");
  EXPECT_EQ(url.param("application_name"), "a&b= c");
}

TEST(Url, TellsAnEmptyPasswordFromNone) {
  EXPECT_FALSE(Url::parse("ws://u@h").has_password());
  EXPECT_EQ(Url::parse("ws://u@h").reveal_password(), "");
  EXPECT_TRUE(Url::parse("ws://u:@h").has_password());
}

TEST(Url, ListsTheAcceptedSchemesWhenItKnowsNone) {
  for (auto const* text : {"mysql://h/db", "", "x", "postgresql", "file.db", "://h"}) {
    EXPECT_THAT(complaint(text), HasSubstr("sqlite:PATH, postgresql://")) << text;
    EXPECT_THAT(complaint(text), HasSubstr("wss://")) << text;
  }
  EXPECT_THAT(complaint("mysql://h/db"), HasSubstr("'mysql'"));
  EXPECT_THAT(complaint("postgresql:h/db"), HasSubstr("needs '//'"));
}

TEST(Url, ExplainsWhatIsWrong) {
  std::pair<std::string_view, std::string_view> const cases[] = {
      {"ws://", "names no host"},
      {"ws:///rpc", "names no host"},
      {"ws://a,b", "several hosts"},
      {"postgresql://a,,b/db", "empty host"},
      {"postgresql://a,/db", "empty host"},
      {"ws://:8000", "empty host"},
      {"ws://h:0", "1 to 65535"},
      {"ws://h:65536", "1 to 65535"},
      {"ws://h:", "1 to 65535"},
      {"ws://h:80a", "1 to 65535"},
      {"ws://h:-1", "1 to 65535"},
      {"ws://::1", "in brackets"},
      {"ws://[::1", "without its ']'"},
      {"ws://[host]", "no IPv6 address"},
      {"ws://[::1]80", "after an IPv6 address"},
      {"ws://h%", "two hexadecimal digits"},
      {"ws://h%4", "two hexadecimal digits"},
      {"ws://h/%zz", "two hexadecimal digits"},
      {"ws://h%00", "NUL"},
      {"ws://a b", "%20"},
      {"ws://h\n", "control character"},
      {"ws://h#x", "%23"},
      {"ws://h?a", "NAME=VALUE"},
      {"ws://h?=a", "NAME=VALUE"},
      {"ws://h?a=1&a=2", "'a' twice"},
      {"postgresql://h/a/b", "%2F"},
      {"ws://:pw@h", "without a user's name"},
  };
  for (auto const& [text, expected] : cases) EXPECT_THAT(complaint(text), HasSubstr(expected)) << text;
}

TEST(Url, HelpsWithPasswordsThatAreNotEncoded) {
  EXPECT_THAT(complaint("postgresql://ann:hun@ter2@h/db"), HasSubstr("'@' is written %40"));
  EXPECT_THAT(complaint("postgresql://ann:hun/ter2@h/db"), HasSubstr("'/' is written %2F"));
  EXPECT_THAT(complaint("postgresql://ann:hun?ter2@h/db"), HasSubstr("'?' is written %3F"));
  EXPECT_THAT(complaint("postgresql://ann:hun#ter2@h/db"), HasSubstr("%23"));
  EXPECT_THAT(complaint("postgresql://ann:hun:ter2@h/db"), HasSubstr("%3A"));
  EXPECT_THAT(complaint("postgresql://ann:hun%ter2@h/db"), HasSubstr("%25"));
}

TEST(Url, NeverRepeatsAPasswordInAnError) {
  // Each text is broken in another way around the same password.
  for (auto const* text : {"postgresql://ann:hunter2@h:port/db",
                           "postgresql://ann:hunter2@h/a/b",
                           "postgresql://ann:hunter2@/db?x",
                           "postgresql://ann:hunter2/db",
                           "postgresql://hunter2",
                           "ws://ann:hunter2@",
                           "ws://ann:hunter2@h:99999",
                           "ws://ann:hunter2@[::1",
                           "ws://ann:hunter2@a,b",
                           "ws://ann:hunter2%zz@h",
                           "ws://ann:hunter2%00@h",
                           "ann:hunter2@h/db",
                           "hunter2:ann@h/db",
                           "hunter2",
                           "hunter2:",
                           "mysql:hunter2@h",
                           "ann:hunter2://h",
                           "ws://ann:hunter2@h?token=hunter2&token=hunter2",
                           "ws://h?password=hunter2%",
                           "ws://ann:hunter2@h#f",
                           "ws://ann:hunter2@h x",
                           "ws://ann:hunter2@[x]",
                           "ws://:hunter2@h",
                           "ws://ann:hunter2:hunter2@h",
                           "ws://ann:hunter2@h@h",
                           "sqlite://hunter2",
                           "postgresql://ann:@hunter2@h/db",
                           "ws://ann:hun@hunter2"}) {
    EXPECT_THAT(complaint(text), Not(HasSubstr("hunter2"))) << text;
  }
}

TEST(Url, MasksSecretsInItsText) {
  auto const url = Url::parse(
      "postgresql://ann:hunter2@h:5433/db?sslpassword=hunter2&sslmode=require&API_Key=hunter2&token=hunter2");
  EXPECT_EQ(url.to_string(), "postgresql://ann:***@h:5433/db?sslpassword=***&sslmode=require&API_Key=***&token=***");
  EXPECT_THAT(url.reveal(), HasSubstr("ann:hunter2@"));
}

TEST(Url, ReadsBackWhatItReveals) {
  for (auto const* text : {"sqlite:relative.db?readers=4", "sqlite:/abs/a%20b%3F.db", "sqlite:////x", "sqlite:a:b@c",
                           "postgresql://a%40b:p%40%3A%2F%3F%23%25@h1:1,h2,[fe80::1%25eth0]:9/d%2Fb?a=%26%3D",
                           "postgresql:///db", "postgresql://%2Frun/db", "postgresql://u@", "wss://u:@h/rpc/",
                           "http://[::1]:80", "surrealdb+https://h:443/a%2520b", "ws://h?x=&y=%25"}) {
    auto const url = Url::parse(text);
    EXPECT_EQ(Url::parse(url.reveal()), url) << text << " -> " << url.reveal();
  }
}

TEST(Url, OmitsTheDefaultPort) {
  EXPECT_EQ(Url::parse("surrealdb+wss://h:443/").to_string(), "wss://h");
  EXPECT_EQ(Url::parse("postgresql://h:5432/db").to_string(), "postgresql://h/db");
  EXPECT_EQ(Url::parse("ws://[::1]:8000/rpc").to_string(), "ws://[::1]:8000/rpc");
}

TEST(Url, BoundsItsInput) {
  EXPECT_THAT(complaint("sqlite:" + std::string(70'000, 'a')), HasSubstr("longer than"));
  std::string hosts = "postgresql://h", params = "ws://h?p=1";
  for (int i = 0; i < 64; ++i) hosts += ",h";
  for (int i = 0; i < 128; ++i) params += "&p" + std::to_string(i) + "=1";
  EXPECT_THAT(complaint(hosts), HasSubstr("more than 64 hosts"));
  EXPECT_THAT(complaint(params), HasSubstr("more than 128 parameters"));
}

}  // namespace
TEST(Url, HasNoSlashAtTheEndOfAnHttpPathHoweverItWasWritten) {
  EXPECT_EQ(Url::parse("ws://host/rpc/").path(), "/rpc");
  EXPECT_EQ(Url::parse("ws://host/rpc%2F").path(), "/rpc");
  EXPECT_EQ(Url::parse("ws://host/%2F").path(), "");
}

TEST(Url, RefusesAHostWithAControlCharacter) {
  EXPECT_THROW((void)Url::parse("http://ho%0Ast/"), Error);
  EXPECT_THROW((void)Url::parse("postgresql://ho%20st/db"), Error);
}

}  // namespace belay
