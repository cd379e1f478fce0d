#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay {

enum class Engine { sqlite, postgresql, surrealdb };

/// "sqlite", "postgresql", "surrealdb".
std::string_view name_of(Engine) noexcept;

/// Where a database is and how to reach it, as one line of configuration:
///
///     sqlite:case-files.db?readers=4&synchronous=full      a file, relative or absolute
///     postgresql://ann:secret@h1:5432,h2/db?sslmode=require   several hosts; also postgres://
///     surrealdb+ws://host:8000   surrealdb+wss://   surrealdb+http://   surrealdb+https://
///     ws://host:8000/rpc         the same without "surrealdb+"
///
/// Everything is percent-decoded: a password's '@', ':', '/', '?', '#' and '%' are written %40, %3A, %2F, %3F, %23,
/// %25. No error and no text of this class but the accessors that say so ever holds a password or another secret.
class Url {
 public:
  struct Host {
    std::string name;        ///< a name, an address (IPv6 without brackets), or the folder of a PostgreSQL socket
    std::uint16_t port = 0;  ///< the scheme's default when the text has none: 5432, 80, 443
    friend bool operator==(Host const&, Host const&) = default;
  };
  using Params = std::vector<std::pair<std::string, std::string>>;

  /// Error(request) that says what is wrong and what would be right, and never repeats what may be a secret.
  static Url parse(std::string_view);

  Engine engine() const noexcept { return engine_; }
  /// In its one form: "sqlite", "postgresql", "ws", "wss", "http", "https".
  std::string const& scheme() const noexcept { return scheme_; }
  /// In the order given; none for SQLite, exactly one for SurrealDB, any number for PostgreSQL (none: libpq's default).
  std::vector<Host> const& hosts() const noexcept { return hosts_; }
  /// Empty when there is none.
  std::string const& user() const noexcept { return user_; }
  bool has_password() const noexcept { return password_.has_value(); }
  /// SECRET. Empty when there is none.
  std::string const& reveal_password() const noexcept;
  /// SQLite: the file. PostgreSQL: the database's name. SurrealDB: the path, "" or "/rpc". Never with a slash at the
  /// end, except for SQLite's.
  std::string const& path() const noexcept { return path_; }
  /// What follows '?', in the order given, each name once. May hold secrets: do not log them, use to_string().
  Params const& params() const noexcept { return params_; }
  std::optional<std::string_view> param(std::string_view name) const noexcept;

  /// The URL with every password, and every parameter whose name suggests a secret, replaced by "***".
  std::string to_string() const;
  /// SECRET. The URL with everything in it; parse() reads it back as an equal one.
  std::string reveal() const;

  friend bool operator==(Url const&, Url const&) = default;

 private:
  Url() = default;
  friend class UrlParser;

  Engine engine_ = Engine::sqlite;
  std::string scheme_;
  std::vector<Host> hosts_;
  std::string user_;
  std::optional<std::string> password_;
  std::string path_;
  Params params_;
};

}  // namespace belay
