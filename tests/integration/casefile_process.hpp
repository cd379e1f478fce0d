#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace belay::tests {

/// A folder that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(TemporaryFolder const&) = delete;
  TemporaryFolder& operator=(TemporaryFolder const&) = delete;
  std::filesystem::path const& path() const { return path_; }
  std::string file(std::string const& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// What a program that ran to its end said.
struct Finished {
  int exit_code = -1;  ///< 128 + signal when it was killed
  std::string output;  ///< standard output and standard error
};

/// Runs casefile with these arguments and waits for it. `environment` is added to ours ("NAME=value").
Finished run_casefile(std::vector<std::string> arguments, std::vector<std::string> environment = {});

/// A running casefile on a free port, killed with the object.
class CasefileProcess {
 public:
  /// Starts it on `database` with further arguments; returns when it listens. Throws when it ends before.
  explicit CasefileProcess(std::string const& database, std::vector<std::string> arguments = {});
  ~CasefileProcess();
  CasefileProcess(CasefileProcess const&) = delete;
  CasefileProcess& operator=(CasefileProcess const&) = delete;

  std::uint16_t port() const { return port_; }
  void signal(int number);
  /// Kills it as a power switch would (SIGKILL) and waits until it is gone.
  void kill();
  /// SIGTERM, then its exit code; 128 + signal when it died of one, -1 when it did not end in time.
  int terminate(std::chrono::seconds patience = std::chrono::seconds(20));
  /// Waits for the end.
  int wait(std::chrono::seconds patience = std::chrono::seconds(20));
  /// What it has written to standard error so far; complete after it ended.
  std::string log();
  /// Waits until the log holds `text`; false when it does not in time.
  bool wait_for_log(std::string const& text, std::chrono::seconds patience = std::chrono::seconds(10));

 private:
  struct Log;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::shared_ptr<Log> log_;
  std::thread reader_;
};

}  // namespace belay::tests
