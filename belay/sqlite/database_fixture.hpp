#pragma once

#include <chrono>
#include <exception>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/sqlite/client.hpp"

namespace belay::sqlite {

/// A directory of its own, removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "belay-sqlite-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::system_category(), "mkdtemp");
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(TemporaryDirectory const&) = delete;
  TemporaryDirectory& operator=(TemporaryDirectory const&) = delete;

  std::string file(std::string const& name) const { return (path_ / name).string(); }
  std::filesystem::path const& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// Runs an awaitable on the context until it is done; returns its value or throws what it threw.
template <class T>
T run_on(boost::asio::io_context& context, boost::asio::awaitable<T> operation) {
  std::exception_ptr failure;
  bool done = false;
  std::conditional_t<std::is_void_v<T>, int, std::optional<T>> result{};
  auto body = [&]() -> boost::asio::awaitable<void> {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(operation);
    } else {
      result.emplace(co_await std::move(operation));
    }
  };
  boost::asio::co_spawn(context, body, [&](std::exception_ptr thrown) {
    failure = thrown;
    done = true;
  });
  context.restart();
  while (!done && context.run_one() > 0) {
  }
  if (failure) std::rethrow_exception(failure);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// The error an awaitable fails with.
template <class T>
Error error_of(boost::asio::io_context& context, boost::asio::awaitable<T> operation) {
  try {
    run_on(context, std::move(operation));
  } catch (Error const& failure) {
    return failure;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorClass::internal, SendState::unknown, "no error");
}

/// Keeps each row as text, cells separated by '|', NULL as "NULL".
class TextRows final : public RowSink {
 public:
  void row(Row const& row) override {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += '|';
      switch (row.type(i)) {
        case Row::Type::null: line += "NULL"; break;
        case Row::Type::integer: line += std::to_string(row.integer(i)); break;
        case Row::Type::real: line += std::to_string(row.real(i)); break;
        case Row::Type::text: line += row.text(i); break;
        case Row::Type::blob: line += "blob:" + std::to_string(row.blob(i).size()); break;
      }
    }
    lines.push_back(std::move(line));
  }
  void restart() override {
    lines.clear();
    ++restarts;
  }

  std::vector<std::string> lines;
  int restarts = 0;
};

/// Holds its thread at the first row until opened: a worker that is busy for exactly as long as the test wants.
class Gate final : public RowSink {
 public:
  void row(Row const&) override {
    entered_.set_value();
    opened_.get_future().wait();
  }
  void restart() override {}

  void wait_until_entered() { entered_.get_future().wait(); }
  void open() { opened_.set_value(); }

 private:
  std::promise<void> entered_;
  std::promise<void> opened_;
};

/// A call started on the context without waiting for it: driven by whoever runs the context.
template <class T>
class Started {
 public:
  Started(boost::asio::io_context& context, boost::asio::awaitable<T> operation)
      : context_(context), state_(std::make_shared<State>()) {
    boost::asio::co_spawn(context, std::move(operation),
                          boost::asio::bind_cancellation_slot(state_->signal.slot(), Completion{state_}));
  }

  void cancel() { state_->signal.emit(boost::asio::cancellation_type::terminal); }
  bool done() const noexcept { return state_->done; }
  /// Runs the context until the call is done.
  T get() {
    context_.restart();
    while (!state_->done && context_.run_one() > 0) {
    }
    if (state_->failure) std::rethrow_exception(state_->failure);
    if constexpr (!std::is_void_v<T>) return std::move(*state_->result);
  }
  Error error() {
    try {
      get();
    } catch (Error const& failure) {
      return failure;
    }
    ADD_FAILURE() << "no error";
    return Error(ErrorClass::internal, SendState::unknown, "no error");
  }

 private:
  struct State {
    boost::asio::cancellation_signal signal;
    std::exception_ptr failure;
    std::conditional_t<std::is_void_v<T>, int, std::optional<T>> result{};
    bool done = false;
  };
  struct Completion {
    std::shared_ptr<State> state;
    template <class... Result>
    void operator()(std::exception_ptr thrown, Result&&... result) const {
      state->failure = thrown;
      if constexpr (sizeof...(Result) > 0) {
        if (!thrown) state->result.emplace(std::forward<Result>(result)...);
      }
      state->done = true;
    }
  };

  boost::asio::io_context& context_;
  std::shared_ptr<State> state_;
};

/// An open client on a fresh file.
class DatabaseTest : public testing::Test {
 protected:
  Client open(Options options) { return run_on(context, Client::open(std::move(options))); }
  Client open() { return open(Options(file())); }
  std::string file() const { return directory.file("test.db"); }

  template <class T>
  T run(boost::asio::awaitable<T> operation) {
    return run_on(context, std::move(operation));
  }
  template <class T>
  Error failure(boost::asio::awaitable<T> operation) {
    return error_of(context, std::move(operation));
  }
  std::vector<std::string> rows(Client client, Statement statement) {
    auto sink = std::make_shared<TextRows>();
    run(client.read(std::move(statement), sink));
    return sink->lines;
  }

  template <class T>
  Started<T> start(boost::asio::awaitable<T> operation) {
    Started<T> started(context, std::move(operation));
    // As far as it goes without its answer: the job is with its worker now.
    context.restart();
    context.poll();
    return started;
  }

  /// Waits, driving the context, until a condition of the workers holds.
  template <class Condition>
  void until(Condition condition) {
    auto const limit = Deadline::in(std::chrono::seconds(10));
    while (!condition()) {
      ASSERT_FALSE(limit.expired()) << "it never came";
      context.restart();
      context.run_one_for(std::chrono::milliseconds(1));
    }
  }

  TemporaryDirectory directory;
  boost::asio::io_context context;
};

}  // namespace belay::sqlite
