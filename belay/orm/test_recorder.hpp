#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "belay/orm/session.hpp"
#include "belay/orm/sqlite_dialect.hpp"

namespace belay::orm::test {

/// A database that only notes what it is asked to run, rendered for SQLite.
class Recorder {
 public:
  struct Entry {
    std::string text;
    std::vector<Scalar> values;
  };
  std::vector<Entry> entries;
  /// What a write answers.
  std::int64_t changed_rows = 1;

  std::string last_text() const { return entries.empty() ? std::string() : entries.back().text; }
  std::vector<Scalar> last_values() const { return entries.empty() ? std::vector<Scalar>() : entries.back().values; }
};

class ScalarList final : public ScalarSink {
 public:
  std::vector<Scalar> take() noexcept { return std::exchange(values_, {}); }

  void null() override {
    keep([](ScalarSink& sink) { sink.null(); });
  }
  void boolean(bool value) override {
    keep([&](ScalarSink& sink) { sink.boolean(value); });
  }
  void integer(std::int64_t value) override {
    keep([&](ScalarSink& sink) { sink.integer(value); });
  }
  void real(double value) override {
    keep([&](ScalarSink& sink) { sink.real(value); });
  }
  void text(std::string_view value) override {
    keep([&](ScalarSink& sink) { sink.text(value); });
  }
  void bytes(std::span<std::byte const> value) override {
    keep([&](ScalarSink& sink) { sink.bytes(value); });
  }
  void datetime(Datetime const& value) override {
    keep([&](ScalarSink& sink) { sink.datetime(value); });
  }
  void duration(Duration const& value) override {
    keep([&](ScalarSink& sink) { sink.duration(value); });
  }
  void uuid(Uuid const& value) override {
    keep([&](ScalarSink& sink) { sink.uuid(value); });
  }
  void decimal(Decimal const& value) override {
    keep([&](ScalarSink& sink) { sink.decimal(value); });
  }
  void key(ScalarKey const& value) override {
    keep([&](ScalarSink& sink) { sink.key(value); });
  }
  void json(std::string_view value) override {
    keep([&](ScalarSink& sink) { sink.json(value); });
  }

 private:
  template <class Write>
  void keep(Write const& write) {
    ScalarCapture capture;
    write(capture);
    values_.push_back(capture.take());
  }
  std::vector<Scalar> values_;
};

class RecordingSession final : public Session {
 public:
  explicit RecordingSession(Recorder& recorder) noexcept : recorder_(recorder) {}

  Dialect const& dialect() const noexcept override { return sqlite_dialect(); }
  ScalarSink& parameters() noexcept override { return parameters_; }
  boost::asio::awaitable<void> read(std::string text, std::shared_ptr<RowReader>, Deadline) override {
    note(std::move(text));
    co_return;
  }
  boost::asio::awaitable<std::int64_t> write(std::string text, Deadline) override {
    note(std::move(text));
    co_return recorder_.changed_rows;
  }
  boost::asio::awaitable<void> write_all(std::vector<std::string> texts, Deadline) override {
    for (auto& text : texts) note(std::move(text));
    co_return;
  }
  boost::asio::awaitable<std::vector<std::string>> schema_problems(TableInfo const&, Deadline) override {
    co_return std::vector<std::string>();
  }
  Deadline default_deadline() const override { return Deadline::never(); }

 private:
  void note(std::string text) { recorder_.entries.push_back({std::move(text), parameters_.take()}); }

  Recorder& recorder_;
  ScalarList parameters_;
};

inline std::unique_ptr<Session> session_of(Recorder& recorder) { return std::make_unique<RecordingSession>(recorder); }

}  // namespace belay::orm::test
