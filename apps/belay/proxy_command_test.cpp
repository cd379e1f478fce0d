// `belay proxy` as a person runs it: a process with arguments, standard input and signals.
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <regex>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "belay/testkit/test_peers.hpp"

namespace belay::cli {
namespace {

using namespace std::chrono_literals;
using testkit::EchoServer;
using testkit::TestClient;

/// A running `belay`, killed with the object.
class BelayProcess {
 public:
  explicit BelayProcess(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), BELAY_BINARY);
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    int input[2];
    int output[2];
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
    pid_ = fork();
    if (pid_ == 0) {
      dup2(input[0], STDIN_FILENO);
      dup2(output[1], STDOUT_FILENO);
      dup2(output[1], STDERR_FILENO);
      execv(pointers[0], pointers.data());
      _exit(127);
    }
    close(input[0]);
    close(output[1]);
    input_ = input[1];
    reader_ = std::thread([this, fd = output[0]] {
      char buffer[4096];
      for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) {
        std::lock_guard const lock(mutex_);
        output_.append(buffer, static_cast<std::size_t>(n));
        grew_.notify_all();
      }
      close(fd);
      std::lock_guard const lock(mutex_);
      has_ended_ = true;
      grew_.notify_all();
    });
  }
  ~BelayProcess() {
    if (pid_ > 0) kill(SIGKILL);
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
    end_input();
    reader_.join();
  }
  BelayProcess(BelayProcess const&) = delete;
  BelayProcess& operator=(BelayProcess const&) = delete;

  void type(std::string const& line) { EXPECT_GT(write(input_, (line + "\n").data(), line.size() + 1), 0); }
  void end_input() {
    if (input_ >= 0) close(input_);
    input_ = -1;
  }
  void kill(int signal) { ::kill(pid_, signal); }

  /// Waits for text in the output; the whole output so far, or so far as it came in time.
  bool says(std::string const& text) {
    std::unique_lock lock(mutex_);
    auto const found = [&] { return output_.find(text) != std::string::npos; };
    grew_.wait_for(lock, 20s, [&] { return has_ended_ || found(); });
    return found();
  }
  std::string output() {
    std::lock_guard const lock(mutex_);
    return output_;
  }
  std::uint16_t port() {
    if (!says("plan: ")) throw std::runtime_error("it does not listen: " + output());
    auto const text = output();
    std::smatch match;
    if (!std::regex_search(text, match, std::regex("listening on 127\\.0\\.0\\.1:([0-9]+),"))) {
      throw std::runtime_error("it does not say where it listens: " + text);
    }
    return static_cast<std::uint16_t>(std::stoi(match[1]));
  }
  /// The exit code; 128 + signal when it died of one; -1 when it runs on.
  int exit_code() {
    {
      std::unique_lock lock(mutex_);
      if (!grew_.wait_for(lock, 20s, [&] { return has_ended_; })) return -1;
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  std::mutex mutex_;
  std::condition_variable grew_;
  std::string output_;
  bool has_ended_ = false;
  std::thread reader_;
};

struct ProxyCommand : testing::Test {
  EchoServer server;
  std::string const target = "127.0.0.1:" + std::to_string(server.port());
};

TEST_F(ProxyCommand, ForwardsUntilItIsInterrupted) {
  BelayProcess belay({"proxy", "--to", target});
  TestClient client(belay.port());
  EXPECT_EQ(client.ask("hello"), "hello");
  EXPECT_TRUE(belay.says("plan: none (seed 1)"));
  belay.kill(SIGINT);
  EXPECT_EQ(belay.exit_code(), 0) << belay.output();
  EXPECT_TRUE(belay.says("accepted         1\n")) << belay.output();
  EXPECT_TRUE(belay.says("bytes up         5\n")) << belay.output();
}

TEST_F(ProxyCommand, AppliesItsFaultsAndTellsOfThem) {
  BelayProcess belay({"proxy", "--to", target, "--listen", "127.0.0.1:0", "--fault", "cut=3:down connection=1",
                      "--fault", "none", "--fault", "rst connection=2", "--seed", "7", "--verbose"});
  TestClient first(belay.port());
  first.send("hello");
  EXPECT_EQ(first.read_to_end().bytes, "hel");
  EXPECT_EQ(TestClient(belay.port()).read_to_end().error, ECONNRESET);
  EXPECT_TRUE(belay.says("plan: cut=3:down connection=1; rst connection=2 (seed 7)\n")) << belay.output();
  EXPECT_TRUE(belay.says("connection 1 accepted from 127.0.0.1:")) << belay.output();
  EXPECT_TRUE(belay.says("connection 1 connected to " + target)) << belay.output();
  EXPECT_TRUE(belay.says("connection 1 cut after 5 bytes up, 3 down: cut=3:down connection=1\n")) << belay.output();
  EXPECT_TRUE(belay.says("connection 2 reset after 0 bytes up, 0 down: rst connection=2\n")) << belay.output();
  belay.kill(SIGTERM);
  EXPECT_EQ(belay.exit_code(), 0);
}

TEST_F(ProxyCommand, ObeysWhatIsTyped) {
  BelayProcess belay({"proxy", "--to", target});
  TestClient cut(belay.port());
  EXPECT_EQ(cut.ask("hello"), "hello");
  belay.type("cut");
  EXPECT_EQ(cut.read_to_end().error, 0);

  TestClient reset(belay.port());
  EXPECT_EQ(reset.ask("hello"), "hello");
  belay.type("  reset \r");
  EXPECT_EQ(reset.read_to_end().error, ECONNRESET);

  belay.type("refuse");
  ASSERT_TRUE(belay.says("plan: refuse\n"));
  EXPECT_EQ(TestClient(belay.port()).connect_error(), ECONNREFUSED);
  belay.type("latency=soon");
  EXPECT_TRUE(belay.says("belay: fault plan, column 1, 'latency=soon'")) << belay.output();
  EXPECT_EQ(TestClient(belay.port()).connect_error(), ECONNREFUSED) << "nonsense changes nothing";
  belay.type("");
  belay.type("latency=1ms");
  ASSERT_TRUE(belay.says("plan: latency=1ms\n"));
  EXPECT_EQ(TestClient(belay.port()).ask("hello"), "hello");
  belay.type("counters");
  EXPECT_TRUE(belay.says("accepted         3\n")) << belay.output();
  belay.type("quit");
  EXPECT_EQ(belay.exit_code(), 0);
}

TEST_F(ProxyCommand, RunsOnWithoutStandardInput) {
  BelayProcess belay({"proxy", "--to", target});
  auto const port = belay.port();
  belay.end_input();
  EXPECT_EQ(TestClient(port).ask("hello"), "hello");
  belay.kill(SIGINT);
  EXPECT_EQ(belay.exit_code(), 0);
}

TEST_F(ProxyCommand, EndsAfterItsTime) {
  BelayProcess belay({"proxy", "--to", target, "--for", "50ms"});
  EXPECT_EQ(belay.exit_code(), 0);
  EXPECT_TRUE(belay.says("accepted         0\n")) << belay.output();
}

TEST_F(ProxyCommand, TeachesByHelp) {
  BelayProcess belay({"proxy", "--help"});
  EXPECT_EQ(belay.exit_code(), 0);
  for (auto const* text : {"--to", "--fault", "half_close=500:down", "blackhole=up", "Examples:", "Exit status:"}) {
    EXPECT_TRUE(belay.says(text)) << text << "\n" << belay.output();
  }
}

TEST_F(ProxyCommand, RefusesInASentence) {
  struct Case {
    std::vector<std::string> arguments;
    int exit_code;
    std::string says;
  };
  auto const taken = target;
  for (auto const& [arguments, exit_code, says] :
       {Case{{}, 2, "--to is required"}, Case{{"--to", "5432"}, 2, "--to '5432' is not host:port"},
        Case{{"--to", "db:0"}, 2, "a port from 1 to 65535"}, Case{{"--to", "db:5432x"}, 2, "is not host:port"},
        Case{{"--to", target, "--listen", "127.0.0.1"}, 2, "--listen '127.0.0.1' is not host:port"},
        Case{{"--to", target, "--listen", "localhost:0"}, 2, "'localhost' is not a numeric address"},
        Case{{"--to", target, "--fault", "latency=20"},
             2,
             "--fault 'latency=20': fault plan, column 1, 'latency=20': '20' is not a duration"},
        Case{{"--to", target, "--fault", "none", "--fault", "cutt"}, 2, "did you mean 'cut'?"},
        Case{{"--to", target, "--for", "soon"}, 2, "--for 'soon' is not a duration"},
        Case{{"--to", target, "--seed", "x"}, 2, "--seed"}, Case{{"--to", target, "--nonsense"}, 2, "--nonsense"},
        Case{{"--to", "no.such.host.invalid:1"}, 1, "cannot resolve the target no.such.host.invalid"},
        Case{{"--to", target, "--listen", taken}, 1, "cannot listen on " + taken}}) {
    auto whole = arguments;
    whole.insert(whole.begin(), "proxy");
    BelayProcess belay(whole);
    EXPECT_EQ(belay.exit_code(), exit_code) << says;
    EXPECT_TRUE(belay.says(says)) << belay.output();
  }
}

}  // namespace
}  // namespace belay::cli
