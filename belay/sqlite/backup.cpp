#include "belay/sqlite/backup.hpp"

#include <cerrno>
#include <filesystem>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "belay/sqlite/classify.hpp"

namespace belay::sqlite {

namespace {

/// One step copies a megabyte: short enough to be stopped, long enough to be quick.
constexpr int pages_per_step = 256;

[[noreturn]] void refuse(std::string const& path, std::string const& why) {
  throw Error(ErrorClass::transport, SendState::refused, "cannot write the backup " + path + ": " + why);
}

[[noreturn]] void refuse_errno(std::string const& path) { refuse(path, std::system_category().message(errno)); }

class Descriptor {
 public:
  Descriptor(std::string const& path, int flags, std::string const& subject)
      : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR)), subject_(subject) {
    if (descriptor_ < 0) refuse_errno(subject_);
  }
  ~Descriptor() { ::close(descriptor_); }
  Descriptor(Descriptor const&) = delete;
  Descriptor& operator=(Descriptor const&) = delete;

  void sync() const {
    if (::fsync(descriptor_) != 0) refuse_errno(subject_);
  }

 private:
  int descriptor_;
  std::string subject_;
};

/// A file under a passing name next to its final one, removed unless published.
class PartialFile {
 public:
  explicit PartialFile(std::string path) : path_(std::move(path)), partial_(path_ + ".partial") {
    // What an interrupted process left behind is nobody's.
    ::unlink(partial_.c_str());
    Descriptor const created(partial_, O_RDWR | O_CREAT | O_EXCL, path_);
  }
  ~PartialFile() {
    if (!published_) ::unlink(partial_.c_str());
  }
  PartialFile(PartialFile const&) = delete;
  PartialFile& operator=(PartialFile const&) = delete;

  std::string const& name() const noexcept { return partial_; }

  /// The content first, then the name: after a power cut the name never stands for half a copy.
  void publish() {
    Descriptor(partial_, O_RDWR, path_).sync();
    if (::rename(partial_.c_str(), path_.c_str()) != 0) refuse_errno(path_);
    published_ = true;
    std::filesystem::path const path(path_);
    auto const directory = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    Descriptor(directory.string(), O_RDONLY | O_DIRECTORY, path_).sync();
  }

 private:
  std::string path_;
  std::string partial_;
  bool published_ = false;
};

struct CloseDatabase {
  void operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
};
using DatabaseHandle = std::unique_ptr<sqlite3, CloseDatabase>;

[[noreturn]] void fail(sqlite3* database, int code, std::string const& path) {
  throw make_error(code, Phase::running, "cannot write the backup " + path, sqlite3_errmsg(database), {});
}

DatabaseHandle open_copy(Options const& source, PartialFile const& file) {
  sqlite3* database = nullptr;
  int const code = sqlite3_open_v2(file.name().c_str(), &database,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                   source.vfs.empty() ? nullptr : source.vfs.c_str());
  DatabaseHandle handle(database);
  if (database == nullptr) throw std::bad_alloc();
  if (code != SQLITE_OK) fail(database, code, file.name());
  return handle;
}

void run_pragma(sqlite3* database, char const* pragma, std::string const& path) {
  int const code = sqlite3_exec(database, pragma, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(database, code, path);
}

void copy_pages(sqlite3* from, sqlite3* to, std::string const& path, StopCheck& stop_check) {
  auto* const backup = sqlite3_backup_init(to, "main", from, "main");
  if (backup == nullptr) fail(to, sqlite3_extended_errcode(to), path);
  int code = SQLITE_OK;
  bool stopped = false;
  while (code == SQLITE_OK && !stopped) {
    code = sqlite3_backup_step(backup, pages_per_step);
    stopped = stop_check.must_stop();
  }
  sqlite3_backup_finish(backup);
  if (code == SQLITE_DONE) return;
  if (code == SQLITE_OK) throw Interrupted{};
  throw make_error(code, Phase::running, "cannot write the backup " + path, sqlite3_errstr(code), {});
}

}  // namespace

void copy_database(Options const& source, std::string const& path, StopCheck& stop_check) {
  Connection from(source, Connection::Role::reader, stop_check);
  PartialFile file(path);
  auto to = open_copy(source, file);
  // Durability comes from publish(): until then the copy may as well be lost.
  run_pragma(to.get(), "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", path);
  from.hold_snapshot();
  copy_pages(from.handle(), to.get(), path, stop_check);
  // The copy says "write-ahead log" in its header, like the source; a reader of the file would have to create one.
  run_pragma(to.get(), "PRAGMA journal_mode=DELETE", path);
  to.reset();
  file.publish();
}

}  // namespace belay::sqlite
