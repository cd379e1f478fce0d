#include "belay/sqlite/database_file.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "belay/core/error.hpp"

namespace belay::sqlite {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void cannot_open(std::string const& path, std::string const& why) {
  throw Error(ErrorClass::transport, SendState::never_sent, "cannot open " + path + ": " + why, "SQLITE_CANTOPEN");
}

void check_place(std::string const& path) {
  std::error_code failure;
  fs::path const file(path);
  auto const directory = file.has_parent_path() ? file.parent_path() : fs::path(".");
  auto const status = fs::status(directory, failure);
  if (!fs::exists(status)) cannot_open(path, "the directory " + directory.string() + " does not exist");
  if (!fs::is_directory(status)) cannot_open(path, directory.string() + " is not a directory");
  if (fs::is_directory(file, failure)) cannot_open(path, "it is a directory");
}

}  // namespace

void prepare_database_file(std::string const& path) {
  check_place(path);
  // O_EXCL also because closing a descriptor of a file that another connection of this process has open would drop
  // that connection's locks.
  int const descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor >= 0) {
    ::close(descriptor);
  } else if (errno != EEXIST) {
    cannot_open(path, std::system_category().message(errno));
  }
}

}  // namespace belay::sqlite
