#include "belay/orm/detail/terminals.hpp"

#include <algorithm>

#include "belay/core/error.hpp"
#include "belay/orm/detail/record_name.hpp"

namespace asio = boost::asio;

namespace belay::orm::detail {

namespace {

[[noreturn]] void refuse(std::string message, std::string code, Error::Details details) {
  throw Error(ErrorClass::request, SendState::never_sent, std::move(message), std::move(code), std::move(details));
}

void require_distinct(TableInfo const& table, std::vector<ColumnValue> const& values) {
  for (auto value = values.begin(); value != values.end(); ++value) {
    auto const is_same = [&](ColumnValue const& other) { return other.column == value->column; };
    if (std::none_of(std::next(value), values.end(), is_same)) continue;
    std::string const field(value->column->name);
    refuse("update_many on " + std::string(table.name) + " sets field " + field + " twice", "bad_value",
           {{"table", std::string(table.name)}, {"field", field}});
  }
}

[[noreturn]] void throw_bad_value(TableInfo const& table, Column const& column, ScalarKey const& id,
                                  BadScalar const& bad) {
  auto const record = record_name(table, id);
  std::string const field(column.name);
  refuse(record + " field " + field + ": " + bad.what(), "bad_value",
         {{"table", std::string(table.name)}, {"id", record}, {"field", field}});
}

Scalar captured(TableInfo const& table, Column const& column, void const* object, ScalarKey const& id) {
  ScalarCapture capture;
  try {
    column.write(object, capture);
  } catch (BadScalar const& bad) {
    throw_bad_value(table, column, id, bad);
  }
  return capture.take();
}

}  // namespace

void throw_not_found(TableInfo const& table, ScalarKey const& id) {
  auto const record = record_name(table, id);
  throw Error(ErrorClass::request, SendState::executed, record + " does not exist", "not_found",
              {{"table", std::string(table.name)}, {"id", record}});
}

void throw_not_one(TableInfo const& table, std::size_t found) {
  std::string const name(table.name);
  auto const message = found == 0 ? "no row of " + name + " matches the query, which expects one"
                                  : "several rows of " + name + " match the query, which expects one";
  throw Error(ErrorClass::request, SendState::executed, message, found == 0 ? "not_found" : "multiple_found",
              {{"table", name}});
}

void require_key(TableInfo const& table, ScalarKey const& id) {
  if (id.index() != 0) return;
  refuse("an id of " + std::string(table.name) + " is needed, but this one is empty", "bad_value",
         {{"table", std::string(table.name)}, {"field", "id"}});
}

void require_same_id(TableInfo const& table, ScalarKey const& before, ScalarKey const& after) {
  require_key(table, before);
  if (before == after) return;
  refuse("a row keeps its id: " + record_name(table, before) + " cannot become " + record_name(table, after),
         "bad_value", {{"table", std::string(table.name)}, {"field", "id"}});
}

Selection limited(Selection const& selection, std::int64_t limit) {
  auto result = selection;
  result.limit = std::min(result.limit.value_or(limit), limit);
  return result;
}

void write_row(TableInfo const& table, void const* object, ScalarKey const& id, ScalarSink& sink) {
  for (std::size_t position = 0; position < table.columns.size(); ++position) {
    auto const& column = table.columns[position];
    try {
      if (position == table.id_position) {
        sink.key(id);
      } else {
        column.write(object, sink);
      }
    } catch (BadScalar const& bad) {
      throw_bad_value(table, column, id, bad);
    }
  }
}

std::vector<std::size_t> write_changes(TableInfo const& table, ScalarKey const& id, void const* before,
                                       void const* after, ScalarSink& sink) {
  std::vector<std::size_t> changed;
  for (std::size_t position = 0; position < table.columns.size(); ++position) {
    if (position == table.id_position) continue;
    auto const& column = table.columns[position];
    auto const value = captured(table, column, after, id);
    if (same_scalar(captured(table, column, before, id), value)) continue;
    try {
      write_scalar(value, sink);
    } catch (BadScalar const& bad) {
      throw_bad_value(table, column, id, bad);
    }
    changed.push_back(position);
  }
  return changed;
}

asio::awaitable<void> run_select(Call& call, Selection const& selection, std::shared_ptr<RowReader> reader) {
  auto& session = call.session();
  auto text = session.dialect().select(selection, session.parameters());
  co_await session.read(std::move(text), std::move(reader), call.deadline());
}

asio::awaitable<std::int64_t> run_count(Call call, SelectionPointer selection) {
  auto& session = call.session();
  auto reader = std::make_shared<NumberReader>(NumberReader::Of::integer);
  auto text = session.dialect().count(*selection, session.parameters());
  co_await session.read(std::move(text), reader, call.deadline());
  co_return reader->number();
}

asio::awaitable<bool> run_exists(Call call, SelectionPointer selection) {
  auto& session = call.session();
  auto reader = std::make_shared<NumberReader>(NumberReader::Of::boolean);
  auto text = session.dialect().exists(*selection, session.parameters());
  co_await session.read(std::move(text), reader, call.deadline());
  co_return reader->number() != 0;
}

asio::awaitable<std::int64_t> run_update(Call call, SelectionPointer selection, std::vector<ColumnValue> values) {
  require_distinct(*selection->table, values);
  auto& session = call.session();
  auto text = session.dialect().update(*selection, values, session.parameters());
  co_return co_await session.write(std::move(text), call.deadline());
}

asio::awaitable<std::int64_t> run_remove(Call call, SelectionPointer selection) {
  auto& session = call.session();
  auto text = session.dialect().remove(*selection, session.parameters());
  co_return co_await session.write(std::move(text), call.deadline());
}

asio::awaitable<void> run_find(Call& call, TableInfo const& table, ScalarKey const& id,
                               std::shared_ptr<RowReader> reader) {
  require_key(table, id);
  auto& session = call.session();
  session.parameters().key(id);
  auto text = table.cache->get(table, session.dialect(), FixedStatement::find);
  co_await session.read(std::move(text), std::move(reader), call.deadline());
}

asio::awaitable<void> run_remove_row(Call call, TableInfo const& table, ScalarKey id) {
  require_key(table, id);
  auto& session = call.session();
  session.parameters().key(id);
  auto text = table.cache->get(table, session.dialect(), FixedStatement::remove);
  auto const removed = co_await session.write(std::move(text), call.deadline());
  if (removed == 0) throw_not_found(table, id);
}

asio::awaitable<void> run_insert(Call& call, TableInfo const& table) {
  auto& session = call.session();
  auto text = table.cache->get(table, session.dialect(), FixedStatement::insert);
  (void)co_await session.write(std::move(text), call.deadline());
}

asio::awaitable<bool> run_update_row(Call call, TableInfo const& table, std::vector<std::size_t> changed,
                                     ScalarKey id) {
  if (changed.empty()) co_return false;
  auto& session = call.session();
  session.parameters().key(id);
  auto text = session.dialect().update_row(table, changed);
  auto const updated = co_await session.write(std::move(text), call.deadline());
  if (updated == 0) throw_not_found(table, id);
  co_return true;
}

asio::awaitable<void> run_create_tables(Call call, std::vector<TableInfo const*> tables) {
  auto& session = call.session();
  std::vector<std::string> texts;
  for (auto const* table : tables) {
    for (auto& text : session.dialect().create_table(*table)) texts.push_back(std::move(text));
  }
  co_await session.write_all(std::move(texts), call.deadline());
}

asio::awaitable<void> run_verify_table(Call call, TableInfo const& table) {
  auto const problems = co_await call.session().schema_problems(table, call.deadline());
  if (problems.empty()) co_return;
  std::string message = "table " + std::string(table.name) + " does not fit its model: ";
  for (std::size_t i = 0; i < problems.size(); ++i) message.append(i == 0 ? "" : "; ").append(problems[i]);
  throw Error(ErrorClass::request, SendState::executed, message, "schema_mismatch",
              {{"table", std::string(table.name)}});
}

}  // namespace belay::orm::detail
