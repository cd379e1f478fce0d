#include "belay/orm/detail/operand.hpp"

#include "belay/core/error.hpp"

namespace belay::orm::detail {

void throw_bad_operand(Column const& column, BadScalar const& bad) {
  std::string const name(column.name);
  throw Error(ErrorClass::request, SendState::never_sent, "field " + name + ": " + bad.what(), "bad_value",
              {{"field", name}});
}

}  // namespace belay::orm::detail
