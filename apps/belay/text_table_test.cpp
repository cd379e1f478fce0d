#include "apps/belay/text_table.hpp"

#include <clocale>

#include <gtest/gtest.h>

namespace belay::cli {

using Align = TextTable::Align;

TEST(TextTable, PadsToTheWidestCell) {
  std::vector<std::string> const titles = {"name", "n"};
  TextTable table(titles);
  table.add({{"a"}, {"5", Align::right}});
  table.add({{"longer"}, {"1234", Align::right}});
  EXPECT_EQ(table.to_string(),
            "name   │ n\n"
            "───────┼─────\n"
            "a      │    5\n"
            "longer │ 1234\n");
}

TEST(TextTable, CountsColumnsOfTheTerminalNotBytes) {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  EXPECT_EQ(display_width("é"), 1u);
  EXPECT_EQ(display_width("漢字"), 4u);
  EXPECT_EQ(display_width("e\xCC\x81"), 1u) << "a combining accent takes no column";
  EXPECT_EQ(display_width("\xFF"), 1u);
}

TEST(TextTable, ShowsWhatATerminalWouldObey) {
  std::vector<std::string> const titles = {"t"};
  TextTable table(titles);
  table.add({{"\x1B[2J\n\xC2\x9B\x7F"}});
  auto const text = table.to_string();
  EXPECT_EQ(text.substr(text.rfind("·[2J")), "·[2J···\n");
  EXPECT_EQ(text.find('\x1B'), std::string::npos);
}

TEST(TextTable, HasATitleRowWithoutRows) {
  std::vector<std::string> const titles = {"id"};
  EXPECT_EQ(TextTable(titles).to_string(), "id\n──\n");
}

}  // namespace belay::cli
