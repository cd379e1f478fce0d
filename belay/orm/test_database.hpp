#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include "belay/core/deadline.hpp"
#include "belay/orm/sqlite.hpp"
#include "belay/orm/test_coroutine.hpp"
#include "belay/sqlite/client.hpp"

namespace belay::orm::test {

/// A directory that goes with its owner.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    auto pattern = (std::filesystem::temp_directory_path() / "belay-orm-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = pattern;
  }
  TemporaryDirectory(TemporaryDirectory const&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path const& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// A SQLite database in a file of its own.
class TestDatabase {
 public:
  TestDatabase() : client_(run(sqlite::Client::open(options()))) {}

  sqlite::Client& client() noexcept { return client_; }
  void execute(std::string sql) { run(client_.write(sqlite::Statement(std::move(sql)))); }

 private:
  sqlite::Options options() const {
    sqlite::Options options((directory_.path() / "test.db").string());
    options.synchronous = sqlite::Synchronous::off;
    return options;
  }

  TemporaryDirectory directory_;
  sqlite::Client client_;
};

}  // namespace belay::orm::test
