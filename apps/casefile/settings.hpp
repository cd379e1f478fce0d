#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/casefile/config.hpp"

namespace casefile {

/// One setting of casefile: everything that flags, environment, file, help and checks need to know of it.
struct Setting {
  char const* name;         ///< flag without its dashes, and key of the file
  char const* environment;  ///< variable
  char const* value;        ///< what stands for the value in --help
  char const* help;
  /// Throws belay::Error (request) that says what is wrong with the text and what would be right.
  std::function<void(Config&, std::string const&)> apply;
  /// The value as it would be written, secrets masked.
  std::function<std::string(Config const&)> show;
  /// From the environment only: a flag would stand in the list of processes, a file in backups.
  bool is_secret = false;
};

/// All of them, in the order of --help.
std::vector<Setting> const& settings();

/// "a, b" as {"a", "b"}: the items of a value that is a list. Throws belay::Error for an empty item.
std::vector<std::string> split(std::string const&);

}  // namespace casefile
