#include "apps/casefile/config.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <CLI/CLI.hpp>
#include <toml++/toml.h>

#include "apps/casefile/settings.hpp"
#include "apps/casefile/version.hpp"
#include "belay/core/error.hpp"

namespace casefile {

namespace {

[[noreturn]] void refuse(std::string message) {
  throw belay::Error(belay::ErrorClass::request, belay::SendState::never_sent, std::move(message));
}

struct Found {
  std::string text;
  std::string origin;  ///< "--listen", "the environment variable API_PORT", "casefile.toml, line 3"
};

/// The values found for each setting in one source. Two different values for one setting are an error.
class Layer {
 public:
  void add(std::string const& setting, Found found) {
    auto const [place, fresh] = values_.try_emplace(setting, found);
    if (!fresh && place->second.text != found.text) {
      refuse("two values for '" + setting + "': " + place->second.origin + " and " + found.origin +
             " differ; remove one of them");
    }
  }
  Found const* find(std::string const& setting) const {
    auto const place = values_.find(setting);
    return place == values_.end() ? nullptr : &place->second;
  }

 private:
  std::map<std::string, Found> values_;
};

std::string known_variables() {
  std::string list = "CASEFILE_CONFIG";
  for (auto const& setting : settings()) list += std::string(", ") + setting.environment;
  return list;
}

/// The listen addresses that the sources' own variables API_HOST, API_PORT and API_PORTS describe.
std::optional<Found> api_addresses(std::map<std::string, std::string> const& environment) {
  auto const value = [&](char const* name) {
    auto const place = environment.find(name);
    return place == environment.end() ? std::string() : place->second;
  };
  auto const host = value("API_HOST");
  auto const port = value("API_PORT");
  auto const ports = value("API_PORTS");
  if (host.empty() && port.empty() && ports.empty()) return std::nullopt;
  if (!port.empty() && !ports.empty() && port != ports) {
    refuse("two values for 'listen': the environment variables API_PORT and API_PORTS differ; remove one of them");
  }
  auto const chosen = !ports.empty() ? ports : !port.empty() ? port : std::string("8000");
  std::string addresses;
  for (auto const& one : split(chosen)) {
    addresses += (addresses.empty() ? "" : ",") + (host.empty() ? std::string("127.0.0.1") : host) + ":" + one;
  }
  return Found{addresses, "the environment variables API_HOST, API_PORT and API_PORTS"};
}

Layer from_environment(std::map<std::string, std::string> const& environment) {
  Layer layer;
  std::set<std::string> known = {"CASEFILE_CONFIG"};
  for (auto const& setting : settings()) {
    known.insert(setting.environment);
    auto const place = environment.find(setting.environment);
    if (place == environment.end()) continue;
    layer.add(setting.name, {place->second, std::string("the environment variable ") + setting.environment});
  }
  for (auto const& [name, value] : environment) {
    if (name.starts_with("CASEFILE_") && !known.contains(name)) {
      refuse("unknown environment variable " + name + "; known are " + known_variables());
    }
  }
  for (auto const* alias : {"DATABASE_URL", "SURREAL_URL"}) {
    auto const place = environment.find(alias);
    if (place != environment.end()) {
      layer.add("database", {place->second, std::string("the environment variable ") + alias});
    }
  }
  if (auto found = api_addresses(environment)) layer.add("listen", std::move(*found));
  return layer;
}

std::string toml_text(toml::node const& node, std::string const& where) {
  if (auto const* text = node.as_string()) return text->get();
  if (auto const* number = node.as_integer()) return std::to_string(number->get());
  if (auto const* items = node.as_array()) {
    std::string joined;
    for (auto const& item : *items) joined += (joined.empty() ? "" : ",") + toml_text(item, where);
    return joined;
  }
  refuse(where + ": a setting is a string, a whole number or a list of them");
}

Setting const* find_setting(std::string const& name) {
  for (auto const& setting : settings()) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

Layer from_file(std::string const& path) {
  Layer layer;
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (toml::parse_error const& error) {
    auto const line = error.source().begin.line;
    refuse("cannot read the settings file '" + path + "'" + (line ? ", line " + std::to_string(line) : std::string()) +
           ": " + std::string(error.description()));
  }
  for (auto const& [key, node] : table) {
    auto const where = path + ", line " + std::to_string(node.source().begin.line);
    auto const name = std::string(key.str());
    auto const* const known = find_setting(name);
    if (!known) refuse(where + ": unknown setting '" + name + "'; `casefile --help` lists the known ones");
    if (known->is_secret)
      refuse(where + ": '" + name + "' is a secret; set the environment variable " + known->environment);
    layer.add(name, {toml_text(node, where), where});
  }
  return layer;
}

constexpr char const* teaching = R"(
Settings come from flags, then environment variables, then the file given by --config (TOML, the flags' names without
dashes as keys), then the defaults. DATABASE_URL and SURREAL_URL are accepted for the database, API_HOST, API_PORT and
API_PORTS for the listen address. CASEFILE_ADMIN_TOKEN, in the environment only, opens the routes below /api/admin to
whoever sends it: Authorization: Bearer TOKEN.

Examples:
  casefile                                        serve ./casefile.db on http://127.0.0.1:8000
  casefile --database sqlite:/var/lib/casefile/casefile.db --listen 0.0.0.0:8000
  casefile --check                                validate everything, bind nothing, exit 0 when all is well

  curl -X POST http://127.0.0.1:8000/api/dossiers -H 'Content-Type: application/json' \
       -d '{"nom_dossier":"Test","user_id":"user:test","type_transaction":"vente"}'
  curl http://127.0.0.1:8000/api/dossiers

Signals: SIGTERM and SIGINT stop accepting, finish the requests in flight, close the database and exit 0.)";

struct Flags {
  Layer layer;
  std::string config_file;
  bool check = false;
  std::optional<Message> message;
};

Flags from_arguments(std::vector<std::string> arguments) {
  Flags flags;
  CLI::App app("casefile keeps case files (dossiers) and serves them over HTTP.", "casefile");
  app.footer(teaching);
  app.get_formatter()->column_width(34);
  app.set_version_flag("--version", std::string("casefile ") + version);
  app.add_option("--config", flags.config_file, "TOML file with settings (CASEFILE_CONFIG)")->type_name("FILE");
  app.add_flag("--check", flags.check, "validate the settings, the database and every query, then exit; binds nothing");

  std::map<std::string, std::vector<std::string>> given;
  Config const defaults;
  for (auto const& setting : settings()) {
    if (setting.is_secret) continue;
    auto const help =
        std::string(setting.help) + " (" + setting.environment + ", default " + setting.show(defaults) + ")";
    auto* option = app.add_option(std::string("--") + setting.name, given[setting.name], help);
    option->type_name(setting.value)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  try {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes a vector from its back
    app.parse(std::move(arguments));
  } catch (CLI::CallForHelp const&) {
    flags.message = Message{app.help()};
  } catch (CLI::CallForVersion const&) {
    flags.message = Message{std::string("casefile ") + version + "\n"};
  } catch (CLI::ParseError const& error) {
    refuse(std::string(error.what()) + "; `casefile --help` lists the flags");
  }
  for (auto const& [name, values] : given) {
    if (values.empty()) continue;
    if (values.size() > 1 && name != "listen")
      refuse("--" + name + " is given " + std::to_string(values.size()) + " times");
    std::string joined;
    for (auto const& value : values) joined += (joined.empty() ? "" : ",") + value;
    flags.layer.add(name, {joined, "--" + name});
  }
  return flags;
}

}  // namespace

std::variant<Start, Message> load(Sources const& sources) {
  auto flags = from_arguments(sources.arguments);
  if (flags.message) return *flags.message;
  auto const environment = from_environment(sources.environment);
  auto file_name = flags.config_file;
  if (file_name.empty() && sources.environment.contains("CASEFILE_CONFIG")) {
    file_name = sources.environment.at("CASEFILE_CONFIG");
  }
  auto const file = file_name.empty() ? Layer() : from_file(file_name);

  Start start;
  start.check_only = flags.check;
  for (auto const& setting : settings()) {
    std::string origin = "default";
    for (Layer const* layer : {&std::as_const(flags.layer), &environment, &file}) {
      auto const* found = layer->find(setting.name);
      if (!found) continue;
      try {
        setting.apply(start.config, found->text);
      } catch (belay::Error const& error) {
        throw error.with_context(std::string(setting.name) + " (from " + found->origin + "): ");
      }
      origin = found->origin;
      break;
    }
    start.explanation.push_back(std::string(setting.name) + " = " + setting.show(start.config) + "  (" + origin + ")");
  }
  return start;
}

}  // namespace casefile
