#include "belay/core/record_id.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace belay {
namespace {

constexpr std::string_view uuid_text = "018e3c3c-1111-7abc-8def-0123456789ab";

std::string reprinted(std::string_view text) {
  auto const parsed = RecordId::parse(text);
  return parsed ? parsed->to_string() : "refused";
}

TEST(RecordId, ReadsKeysOfEveryScalarKind) {
  EXPECT_EQ(RecordId::parse("person:1"), RecordId("person", 1));
  EXPECT_EQ(RecordId::parse("person:-5"), RecordId("person", -5));
  EXPECT_EQ(RecordId::parse("dossier:b7017c19984f"), RecordId("dossier", "b7017c19984f"));
  EXPECT_EQ(RecordId::parse("person:`1`"), RecordId("person", "1"));
  EXPECT_EQ(RecordId::parse("person:\u27e8a b\u27e9"), RecordId("person", "a b"));
  EXPECT_EQ(RecordId::parse("person:u'" + std::string(uuid_text) + "'"), RecordId("person", *Uuid::parse(uuid_text)));
  EXPECT_EQ(RecordId::parse("`a b`:x"), RecordId("a b", "x"));
  EXPECT_EQ(RecordId::parse("p:12345678901234567890"), RecordId("p", "12345678901234567890")) << "beyond int64";
  EXPECT_EQ(RecordId::parse("p:1e5"), RecordId("p", "1e5"));
  EXPECT_EQ(RecordId::parse("p:007"), RecordId("p", 7));
}

TEST(RecordId, QuotesNamesThatAreNotPlain) {
  EXPECT_EQ(RecordId("person", 1).to_string(), "person:1");
  EXPECT_EQ(RecordId("person", "1").to_string(), "person:`1`");
  EXPECT_EQ(RecordId("person", "1a").to_string(), "person:1a");
  EXPECT_EQ(RecordId("person", "").to_string(), "person:``");
  EXPECT_EQ(RecordId("1st", "a").to_string(), "`1st`:a");
  EXPECT_EQ(RecordId("p", "a`b\\c").to_string(), "p:`a\\`b\\\\c`");
  EXPECT_EQ(RecordId("p", "\u00e9t\u00e9").to_string(), "p:`\u00e9t\u00e9`") << "plain names are ASCII";
  EXPECT_EQ(RecordId("p", *Uuid::parse(uuid_text)).to_string(), "p:u'" + std::string(uuid_text) + "'");
}

TEST(RecordId, QuotesReservedWordsAsTables) {
  EXPECT_EQ(RecordId("select", 1).to_string(), "`select`:1");
  EXPECT_EQ(quoted_identifier("VALUE"), "`VALUE`");
  EXPECT_EQ(quoted_identifier("values_of"), "values_of");
}

TEST(RecordId, WritesCompositeKeysAndRanges) {
  EXPECT_EQ(RecordId("p", Array{1, "a", RecordId("p", 2)}).to_string(), "p:[1, 'a', p:2]");
  EXPECT_EQ(RecordId("p", Object{{"a", 1}}).to_string(), "p:{ a: 1 }");
  EXPECT_EQ(RecordId("p", Range{Bound::included(1), Bound::included(5)}).to_string(), "p:1..=5");
}

TEST(RecordId, ReadsBackWhatItWrites) {
  for (auto const& id : {RecordId("person", 1), RecordId("a`b", "c\\`"), RecordId("", ""), RecordId("p", "5"),
                         RecordId("p", std::numeric_limits<std::int64_t>::min()), RecordId("p", "a\nb"),
                         RecordId("p", std::string("a\0b", 3)), RecordId("p", "\u27e8\u27e9"), RecordId("p", "u'x'"),
                         RecordId("p", "true"), RecordId("p", "12345678901234567890"), RecordId("p", Uuid())}) {
    EXPECT_EQ(RecordId::parse(id.to_string()), id) << id.to_string();
  }
}

TEST(RecordId, RefusesEverythingElse) {
  for (auto const* text : {"",
                           ":",
                           "person",
                           "person:",
                           ":1",
                           "person:a b",
                           "person:1 ",
                           " person:1",
                           "person :1",
                           "person: 1",
                           "a:b:c",
                           "person:a.b",
                           "person:1.5",
                           "1st:a",
                           "person:`a",
                           "person:a`",
                           "person:`a\\b`",
                           "person:\u27e8a",
                           "person:u'x'",
                           "person:u'018e3c3c-1111-7abc-8def-0123456789ab",
                           "person:u'018e3c3c-1111-7abc-8def-0123456789ab\"",
                           "person:-",
                           "person:--1",
                           "person:-9223372036854775809",
                           "person:[1]",
                           "person:{a:1}",
                           "person:1..5",
                           "\u00e9:b",
                           "person:`a`b",
                           "person:'a'"}) {
    EXPECT_EQ(reprinted(text), "refused") << text;
  }
}

TEST(RecordId, TellsKeysOfDifferentKindsApart) {
  EXPECT_NE(RecordId("p", 5), RecordId("p", "5"));
  EXPECT_LT(RecordId("p", 5), RecordId("p", "5"));
  EXPECT_LT(RecordId("a", 9), RecordId("b", 1));
  EXPECT_LT(RecordId("p", Array{1}), RecordId("p", Array{2}));
  EXPECT_LT(RecordId("p", Array{9}), RecordId("p", Object{}));
}

TEST(RecordId, ComesFromATypedId) {
  EXPECT_EQ(record_id_of("p", ScalarKey(std::int64_t{5})), RecordId("p", 5));
  EXPECT_EQ(record_id_of("p", ScalarKey(std::string("5"))), RecordId("p", "5"));
  EXPECT_EQ(record_id_of("p", ScalarKey(Uuid())), RecordId("p", Uuid()));
  EXPECT_THROW(record_id_of("p", ScalarKey()), Error);
}

}  // namespace
}  // namespace belay
