#include "apps/casefile/http/access_log.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "belay/core/error.hpp"

namespace casefile::http {
namespace {

namespace json = boost::json;

AccessRecord example() {
  AccessRecord record;
  record.id = "abc";
  record.method = "GET";
  record.target = "/api/dossiers/x?y=z";
  record.route = "/api/dossiers/{id}";
  record.peer = "127.0.0.1:1";
  record.status = 200;
  record.body_bytes = 12;
  record.duration = std::chrono::microseconds(345);
  return record;
}

struct AccessLogTest : testing::Test {
  std::string folder = (std::filesystem::temp_directory_path() / "casefile-log-XXXXXX").string();
  std::string path;
  AccessLogTest() {
    if (mkdtemp(folder.data()) == nullptr) ADD_FAILURE() << "no folder for the log";
    path = folder + "/access.log";
  }
  ~AccessLogTest() override { std::filesystem::remove_all(folder); }
  std::vector<std::string> lines() {
    std::ifstream file(path);
    std::vector<std::string> found;
    for (std::string line; std::getline(file, line);) found.push_back(line);
    return found;
  }
};

TEST(AccessLine, IsCompactJsonInOneOrder) {
  EXPECT_EQ(to_json_line(example(), std::chrono::system_clock::time_point(std::chrono::milliseconds(1'500))),
            R"({"ts":"1970-01-01T00:00:01.500Z","id":"abc","method":"GET","target":"/api/dossiers/x?y=z",)"
            R"("route":"/api/dossiers/{id}","status":200,"bytes":12,"duration_us":345,"peer":"127.0.0.1:1"})");
}

TEST(AccessLine, IsOneValidLineWhateverTheClientSent) {
  auto record = example();
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  record.target = every_byte;
  auto const line = to_json_line(record, {});
  for (char const c : line) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  EXPECT_TRUE(json::parse(line).is_object());
}

TEST(AccessLine, KeepsUtf8) {
  auto record = example();
  record.target = "/caf\xC3\xA9";
  EXPECT_EQ(json::parse(to_json_line(record, {})).at("target"), "/caf\xC3\xA9");
}

TEST_F(AccessLogTest, WritesALinePerRecordAndAllBeforeItGoes) {
  constexpr int records = 1000;
  {
    auto const log = open_access_log(path);
    for (int i = 0; i < records; ++i) log(example());
  }
  auto const written = lines();
  ASSERT_EQ(written.size(), static_cast<std::size_t>(records));
  for (auto const& line : written) EXPECT_EQ(json::parse(line).at("id"), "abc");
}

TEST_F(AccessLogTest, AppendsToWhatIsThere) {
  for (int i = 0; i < 2; ++i) open_access_log(path)(example());
  EXPECT_EQ(lines().size(), 2u);
}

// A pipe nobody reads stands for a disk that hangs.
TEST_F(AccessLogTest, DropsTheOldestAndCountsWhenTheDiskIsSlow) {
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::string text;
  std::uint64_t dropped = 0;
  std::ifstream reader;
  std::thread opener([&] { reader.open(path); });
  {
    JsonAccessLog const log(JsonAccessLog::Target::file, path, 16);
    opener.join();
    for (int i = 0; i < 10'000; ++i) {
      auto record = example();
      auto const id = std::to_string(i);
      record.id = id;
      log(record);
    }
    dropped = log.dropped();
    EXPECT_GT(dropped, 0u);
    std::thread drain([&] { text.assign(std::istreambuf_iterator<char>(reader), {}); });
    opener = std::move(drain);
  }
  opener.join();
  EXPECT_NE(text.find("\"id\":\"9999\""), std::string::npos) << "the newest are kept";
  auto const written = static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
  EXPECT_EQ(written + dropped, 10'000u);
}

TEST_F(AccessLogTest, IsSharedByThreads) {
  {
    auto const log = open_access_log(path);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([log] {
        for (int i = 0; i < 500; ++i) log(example());
      });
    }
    for (auto& thread : threads) thread.join();
  }
  auto const written = lines();
  EXPECT_EQ(written.size(), 2000u);
  for (auto const& line : written) EXPECT_TRUE(json::parse(line).is_object());
}

TEST_F(AccessLogTest, IsSilentWhenOff) { EXPECT_FALSE(open_access_log("off")); }

TEST_F(AccessLogTest, NamesTheFileItCannotOpen) {
  try {
    open_access_log(folder + "/no/such/folder/access.log");
    ADD_FAILURE() << "opened";
  } catch (belay::Error const& error) {
    EXPECT_NE(std::string(error.what()).find("no/such/folder/access.log"), std::string::npos);
  }
}

}  // namespace
}  // namespace casefile::http
