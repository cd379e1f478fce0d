// casefile: the reference back-end.
#include <cstdio>
#include <exception>
#include <iostream>

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "apps/casefile/application.hpp"
#include "apps/casefile/config.hpp"

extern char** environ;

namespace {

casefile::Sources sources_of_this_process(int argc, char** argv) {
  casefile::Sources sources;
  sources.arguments.assign(argv + 1, argv + argc);
  for (char** variable = environ; *variable; ++variable) {
    std::string const text = *variable;
    auto const equals = text.find('=');
    if (equals != std::string::npos) sources.environment[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return sources;
}

/// One line per event on standard error: a person follows it, a collector splits it at the brackets.
void set_up_log(std::string const& level) {
  auto const log = spdlog::stderr_logger_mt("casefile");
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ [%l] %v", spdlog::pattern_time_type::utc);
  log->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(log);
}

int check(casefile::Start const& start) {
  for (auto const& line : start.explanation) std::cout << line << '\n';
  casefile::Application(start.config).check();
  std::cout << "settings, database and queries are in order" << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    auto const loaded = casefile::load(sources_of_this_process(argc, argv));
    if (auto const* message = std::get_if<casefile::Message>(&loaded)) {
      std::cout << message->text << std::flush;
      return 0;
    }
    auto const& start = std::get<casefile::Start>(loaded);
    set_up_log(start.config.log_level);
    if (start.check_only) return check(start);
    return casefile::Application(start.config).run();
  } catch (std::exception const& error) {
    std::fprintf(stderr, "casefile: %s\n", error.what());
    return 1;
  }
}
