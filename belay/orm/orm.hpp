#pragma once

/// Described structs as rows: tables (table.hpp), single records (record.hpp), queries (field.hpp, query.hpp) and the
/// schema (schema.hpp). Include an engine's header beside it: belay/orm/sqlite.hpp.
#include "belay/orm/assignment.hpp"
#include "belay/orm/condition.hpp"
#include "belay/orm/field.hpp"
#include "belay/orm/order.hpp"
#include "belay/orm/query.hpp"
#include "belay/orm/record.hpp"
#include "belay/orm/schema.hpp"
#include "belay/orm/table.hpp"
