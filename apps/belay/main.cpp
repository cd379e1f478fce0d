// The `belay` command: ask a database from a terminal or a script, or make the way to one fail.
#include <clocale>
#include <cstdio>
#include <iostream>
#include <iterator>

#include <CLI/CLI.hpp>

#include "apps/belay/commands.hpp"
#include "apps/belay/proxy_command.hpp"
#include "belay/core/duration.hpp"
#include "belay/core/error.hpp"

namespace {

constexpr char const* teaching = R"(
URLs:
  sqlite:PATH                 a SQLite file, for example sqlite:casefile.db or sqlite:/var/lib/casefile/casefile.db

Examples:
  belay ping sqlite:casefile.db
  belay query sqlite:casefile.db 'SELECT id, nom_dossier FROM dossier LIMIT 5'
  belay query --json sqlite:casefile.db 'SELECT count(*) AS n FROM dossier' | python3 -m json.tool
  belay query sqlite:casefile.db - < report.sql
  belay proxy --to 127.0.0.1:5432 --fault "latency=20ms jitter=10ms"   (belay proxy --help teaches the faults)

Exit status: 0 when the database answered, 1 when it failed (one sentence on standard error says why), 2 for a wrong
command line.)";

struct Arguments {
  std::string url;
  std::string sql;
  std::string timeout = "30s";
  bool json = false;
};

std::chrono::milliseconds to_milliseconds(std::string const& text) {
  auto const duration = belay::Duration::parse(text);
  auto const exact = duration ? duration->nanoseconds() : std::nullopt;
  if (!exact || *exact <= std::chrono::nanoseconds::zero()) {
    throw belay::Error(belay::ErrorClass::request, belay::SendState::never_sent,
                       "--timeout '" + text + "' is not a duration; write for example 500ms, 30s or 1m30s");
  }
  return std::chrono::ceil<std::chrono::milliseconds>(*exact);
}

std::string statement_from(std::string const& argument) {
  if (argument != "-") return argument;
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "C.UTF-8");  // column widths on a terminal do not depend on the user's language
  Arguments arguments;
  CLI::App app("Ask a database, or make the way to one fail.", "belay");
  app.footer(teaching);
  app.require_subcommand(1);
  app.set_version_flag("--version", "belay " BELAY_VERSION);

  auto* ping = app.add_subcommand("ping", "open the database and ask it one question");
  auto* query = app.add_subcommand("query", "run one statement and print its rows");
  for (auto* command : {ping, query}) {
    command->add_option("URL", arguments.url, "the database, sqlite:PATH")->required();
    command->add_option("--timeout", arguments.timeout, "give up after this long (default 30s)")->type_name("DURATION");
  }
  query->add_option("SQL", arguments.sql, "the statement; '-' reads it from standard input")->required();
  query->add_flag("--json", arguments.json, "print a JSON array of objects instead of a table");

  belay::cli::ProxyArguments proxy_arguments;
  auto* proxy = app.add_subcommand("proxy", "forward TCP connections and make them fail as told");
  proxy->footer(belay::cli::proxy_teaching);
  proxy->add_option("--to", proxy_arguments.to, "where to forward to")->required()->type_name("HOST:PORT");
  proxy->add_option("--listen", proxy_arguments.listen, "where to listen (default 127.0.0.1:0, a free port)")
      ->type_name("ADDRESS:PORT");
  proxy->add_option("--fault", proxy_arguments.faults, "rules of the fault plan; may be repeated")
      ->type_name("RULES")
      ->allow_extra_args(false);
  proxy->add_option("--seed", proxy_arguments.seed, "decides probabilities and jitter (default 1)")->type_name("N");
  proxy->add_option("--for", proxy_arguments.lasts, "end after this long")->type_name("DURATION");
  proxy->add_flag("--verbose", proxy_arguments.is_verbose, "print a line for each event of a connection");

  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (proxy->parsed()) return belay::cli::proxy(proxy_arguments);
  try {
    auto const timeout = to_milliseconds(arguments.timeout);
    auto const output = arguments.json ? belay::cli::Output::json : belay::cli::Output::table;
    auto const text = ping->parsed() ? belay::cli::ping(arguments.url, timeout)
                                     : belay::cli::query(arguments.url, statement_from(arguments.sql), output, timeout);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return std::fflush(stdout) == 0 ? 0 : 1;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "belay: %s\n", error.what());
    return 1;
  }
}
