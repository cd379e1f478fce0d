#include "tests/integration/casefile_process.hpp"

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <stdexcept>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace belay::tests {

namespace {

using namespace std::chrono_literals;

struct Child {
  pid_t pid = -1;
  int log = -1;  ///< the reading end of what it writes
};

/// Starts casefile; both its outputs go to the pipe unless `only_errors`, when standard output goes nowhere.
Child start(std::vector<std::string> arguments, std::vector<std::string> environment, bool only_errors) {
  arguments.insert(arguments.begin(), CASEFILE_BINARY);
  std::vector<char*> argument_pointers;
  for (auto& argument : arguments) argument_pointers.push_back(argument.data());
  argument_pointers.push_back(nullptr);
  std::vector<char*> environment_pointers;
  for (char** variable = environ; *variable; ++variable) environment_pointers.push_back(*variable);
  for (auto& variable : environment) environment_pointers.push_back(variable.data());
  environment_pointers.push_back(nullptr);

  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
  int const nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  auto const pid = fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) {
    dup2(pipe_ends[1], STDERR_FILENO);
    dup2(only_errors ? nowhere : pipe_ends[1], STDOUT_FILENO);
    execve(argument_pointers[0], argument_pointers.data(), environment_pointers.data());
    _exit(127);
  }
  close(pipe_ends[1]);
  close(nowhere);
  return {pid, pipe_ends[0]};
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

}  // namespace

TemporaryFolder::TemporaryFolder() {
  auto pattern = (std::filesystem::temp_directory_path() / "belay-test-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Finished run_casefile(std::vector<std::string> arguments, std::vector<std::string> environment) {
  auto const child = start(std::move(arguments), std::move(environment), false);
  Finished finished;
  char buffer[4096];
  for (ssize_t n; (n = read(child.log, buffer, sizeof buffer)) > 0;) {
    finished.output.append(buffer, static_cast<std::size_t>(n));
  }
  close(child.log);
  int status = 0;
  waitpid(child.pid, &status, 0);
  finished.exit_code = exit_code_of(status);
  return finished;
}

/// What the reading thread has collected.
struct CasefileProcess::Log {
  std::mutex mutex;
  std::condition_variable grew;
  std::string text;
  bool ended = false;
};

CasefileProcess::CasefileProcess(std::string const& database, std::vector<std::string> arguments)
    : log_(std::make_shared<Log>()) {
  arguments.insert(arguments.begin(), {"--database", database, "--listen", "127.0.0.1:0"});
  auto const child = start(std::move(arguments), {}, true);
  pid_ = child.pid;
  reader_ = std::thread([log = log_, fd = child.log] {
    char buffer[4096];
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) {
      std::lock_guard const lock(log->mutex);
      log->text.append(buffer, static_cast<std::size_t>(n));
      log->grew.notify_all();
    }
    close(fd);
    std::lock_guard const lock(log->mutex);
    log->ended = true;
    log->grew.notify_all();
  });
  std::string const announcement = "listening on http://127.0.0.1:";
  if (!wait_for_log(announcement, 30s)) {
    kill();
    reader_.join();
    throw std::runtime_error("casefile did not start:\n" + log());
  }
  std::unique_lock lock(log_->mutex);
  auto const digits = log_->text.find(announcement) + announcement.size();
  // The number is complete when something stands behind it.
  log_->grew.wait(lock, [&] { return log_->text.find('\n', digits) != std::string::npos || log_->ended; });
  port_ = static_cast<std::uint16_t>(std::stoi(log_->text.substr(digits)));
}

CasefileProcess::~CasefileProcess() {
  if (pid_ > 0) kill();
  if (reader_.joinable()) reader_.join();
}

void CasefileProcess::signal(int number) { ::kill(pid_, number); }

void CasefileProcess::kill() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

int CasefileProcess::terminate(std::chrono::seconds patience) {
  signal(SIGTERM);
  return wait(patience);
}

int CasefileProcess::wait(std::chrono::seconds patience) {
  std::unique_lock lock(log_->mutex);
  if (!log_->grew.wait_for(lock, patience, [&] { return log_->ended; })) return -1;
  lock.unlock();
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return exit_code_of(status);
}

std::string CasefileProcess::log() {
  std::lock_guard const lock(log_->mutex);
  return log_->text;
}

bool CasefileProcess::wait_for_log(std::string const& text, std::chrono::seconds patience) {
  std::unique_lock lock(log_->mutex);
  log_->grew.wait_for(lock, patience, [&] { return log_->ended || log_->text.find(text) != std::string::npos; });
  return log_->text.find(text) != std::string::npos;
}

}  // namespace belay::tests
