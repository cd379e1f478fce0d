#include "belay/orm/dialect.hpp"

#include "belay/core/error.hpp"

namespace belay::orm {

std::string quoted_name(std::string_view name) {
  if (!is_identifier(name)) {
    throw Error(ErrorClass::request, SendState::never_sent,
                quoted_for_message(name) +
                    " is no name for a table or column: 1 to 63 ASCII letters, digits and underscores, not beginning "
                    "with a digit");
  }
  std::string quoted;
  quoted.reserve(name.size() + 2);
  quoted.append(1, '"').append(name).append(1, '"');
  return quoted;
}

}  // namespace belay::orm
