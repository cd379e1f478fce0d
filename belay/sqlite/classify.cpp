#include "belay/sqlite/classify.hpp"

#include <utility>

#include <sqlite3.h>

#include "belay/sqlite/statement_digest.hpp"

namespace belay::sqlite {

namespace {

Verdict classify_primary(int primary, Phase phase) noexcept {
  bool const committing = phase == Phase::committing;
  // Opening touches no data of the caller: whatever it meets, the request itself was not sent.
  auto const refused = phase == Phase::opening ? SendState::never_sent : SendState::refused;
  switch (primary) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:  // the log's locks were fought over for too long
    case SQLITE_FULL: return {ErrorClass::overload, refused};
    case SQLITE_CANTOPEN: return {ErrorClass::transport, SendState::never_sent};
    case SQLITE_READONLY: return {ErrorClass::role, refused};
    case SQLITE_PERM: return {ErrorClass::auth, refused};
    case SQLITE_IOERR: return {ErrorClass::internal, committing ? SendState::unknown : refused};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_NOMEM: return {ErrorClass::internal, refused};
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR:
    case SQLITE_AUTH: return {ErrorClass::request, SendState::executed};
    case SQLITE_SCHEMA: return {ErrorClass::conflict, refused};  // the schema kept changing under the statement
    case SQLITE_ABORT: return {ErrorClass::conflict, refused};   // a statement's transaction was rolled back under it
    default: return {ErrorClass::internal, committing ? SendState::unknown : refused};
  }
}

std::string_view constraint_kind(int extended_code) noexcept {
  switch (extended_code) {
    case SQLITE_CONSTRAINT_CHECK: return "check";
    case SQLITE_CONSTRAINT_FOREIGNKEY: return "foreign key";
    case SQLITE_CONSTRAINT_NOTNULL: return "not null";
    case SQLITE_CONSTRAINT_PRIMARYKEY: return "primary key";
    case SQLITE_CONSTRAINT_ROWID: return "rowid";
    case SQLITE_CONSTRAINT_TRIGGER: return "trigger";
    case SQLITE_CONSTRAINT_UNIQUE: return "unique";
    case SQLITE_CONSTRAINT_DATATYPE: return "datatype";
    case SQLITE_CONSTRAINT_PINNED: return "pinned";
    default: return "other";
  }
}

}  // namespace

Verdict classify(int extended_code, Phase phase) noexcept {
  if (extended_code == SQLITE_BUSY_SNAPSHOT) return {ErrorClass::conflict, SendState::refused};
  return classify_primary(extended_code & 0xFF, phase);
}

std::string_view code_name(int extended_code) noexcept {
  switch (extended_code) {
    case SQLITE_ERROR: return "SQLITE_ERROR";
    case SQLITE_INTERNAL: return "SQLITE_INTERNAL";
    case SQLITE_PERM: return "SQLITE_PERM";
    case SQLITE_ABORT: return "SQLITE_ABORT";
    case SQLITE_BUSY: return "SQLITE_BUSY";
    case SQLITE_LOCKED: return "SQLITE_LOCKED";
    case SQLITE_NOMEM: return "SQLITE_NOMEM";
    case SQLITE_READONLY: return "SQLITE_READONLY";
    case SQLITE_INTERRUPT: return "SQLITE_INTERRUPT";
    case SQLITE_IOERR: return "SQLITE_IOERR";
    case SQLITE_CORRUPT: return "SQLITE_CORRUPT";
    case SQLITE_NOTFOUND: return "SQLITE_NOTFOUND";
    case SQLITE_FULL: return "SQLITE_FULL";
    case SQLITE_CANTOPEN: return "SQLITE_CANTOPEN";
    case SQLITE_PROTOCOL: return "SQLITE_PROTOCOL";
    case SQLITE_SCHEMA: return "SQLITE_SCHEMA";
    case SQLITE_TOOBIG: return "SQLITE_TOOBIG";
    case SQLITE_CONSTRAINT: return "SQLITE_CONSTRAINT";
    case SQLITE_MISMATCH: return "SQLITE_MISMATCH";
    case SQLITE_MISUSE: return "SQLITE_MISUSE";
    case SQLITE_NOLFS: return "SQLITE_NOLFS";
    case SQLITE_AUTH: return "SQLITE_AUTH";
    case SQLITE_RANGE: return "SQLITE_RANGE";
    case SQLITE_NOTADB: return "SQLITE_NOTADB";
    case SQLITE_ERROR_MISSING_COLLSEQ: return "SQLITE_ERROR_MISSING_COLLSEQ";
    case SQLITE_ERROR_RETRY: return "SQLITE_ERROR_RETRY";
    case SQLITE_ERROR_SNAPSHOT: return "SQLITE_ERROR_SNAPSHOT";
    case SQLITE_IOERR_READ: return "SQLITE_IOERR_READ";
    case SQLITE_IOERR_SHORT_READ: return "SQLITE_IOERR_SHORT_READ";
    case SQLITE_IOERR_WRITE: return "SQLITE_IOERR_WRITE";
    case SQLITE_IOERR_FSYNC: return "SQLITE_IOERR_FSYNC";
    case SQLITE_IOERR_DIR_FSYNC: return "SQLITE_IOERR_DIR_FSYNC";
    case SQLITE_IOERR_TRUNCATE: return "SQLITE_IOERR_TRUNCATE";
    case SQLITE_IOERR_FSTAT: return "SQLITE_IOERR_FSTAT";
    case SQLITE_IOERR_UNLOCK: return "SQLITE_IOERR_UNLOCK";
    case SQLITE_IOERR_RDLOCK: return "SQLITE_IOERR_RDLOCK";
    case SQLITE_IOERR_DELETE: return "SQLITE_IOERR_DELETE";
    case SQLITE_IOERR_NOMEM: return "SQLITE_IOERR_NOMEM";
    case SQLITE_IOERR_ACCESS: return "SQLITE_IOERR_ACCESS";
    case SQLITE_IOERR_CHECKRESERVEDLOCK: return "SQLITE_IOERR_CHECKRESERVEDLOCK";
    case SQLITE_IOERR_LOCK: return "SQLITE_IOERR_LOCK";
    case SQLITE_IOERR_CLOSE: return "SQLITE_IOERR_CLOSE";
    case SQLITE_IOERR_SHMOPEN: return "SQLITE_IOERR_SHMOPEN";
    case SQLITE_IOERR_SHMSIZE: return "SQLITE_IOERR_SHMSIZE";
    case SQLITE_IOERR_SHMLOCK: return "SQLITE_IOERR_SHMLOCK";
    case SQLITE_IOERR_SHMMAP: return "SQLITE_IOERR_SHMMAP";
    case SQLITE_IOERR_SEEK: return "SQLITE_IOERR_SEEK";
    case SQLITE_IOERR_DELETE_NOENT: return "SQLITE_IOERR_DELETE_NOENT";
    case SQLITE_IOERR_MMAP: return "SQLITE_IOERR_MMAP";
    case SQLITE_IOERR_GETTEMPPATH: return "SQLITE_IOERR_GETTEMPPATH";
    case SQLITE_IOERR_DATA: return "SQLITE_IOERR_DATA";
    case SQLITE_IOERR_CORRUPTFS: return "SQLITE_IOERR_CORRUPTFS";
    case SQLITE_LOCKED_SHAREDCACHE: return "SQLITE_LOCKED_SHAREDCACHE";
    case SQLITE_LOCKED_VTAB: return "SQLITE_LOCKED_VTAB";
    case SQLITE_BUSY_RECOVERY: return "SQLITE_BUSY_RECOVERY";
    case SQLITE_BUSY_SNAPSHOT: return "SQLITE_BUSY_SNAPSHOT";
    case SQLITE_BUSY_TIMEOUT: return "SQLITE_BUSY_TIMEOUT";
    case SQLITE_CANTOPEN_NOTEMPDIR: return "SQLITE_CANTOPEN_NOTEMPDIR";
    case SQLITE_CANTOPEN_ISDIR: return "SQLITE_CANTOPEN_ISDIR";
    case SQLITE_CANTOPEN_FULLPATH: return "SQLITE_CANTOPEN_FULLPATH";
    case SQLITE_CANTOPEN_SYMLINK: return "SQLITE_CANTOPEN_SYMLINK";
    case SQLITE_CORRUPT_VTAB: return "SQLITE_CORRUPT_VTAB";
    case SQLITE_CORRUPT_SEQUENCE: return "SQLITE_CORRUPT_SEQUENCE";
    case SQLITE_CORRUPT_INDEX: return "SQLITE_CORRUPT_INDEX";
    case SQLITE_READONLY_RECOVERY: return "SQLITE_READONLY_RECOVERY";
    case SQLITE_READONLY_CANTLOCK: return "SQLITE_READONLY_CANTLOCK";
    case SQLITE_READONLY_ROLLBACK: return "SQLITE_READONLY_ROLLBACK";
    case SQLITE_READONLY_DBMOVED: return "SQLITE_READONLY_DBMOVED";
    case SQLITE_READONLY_CANTINIT: return "SQLITE_READONLY_CANTINIT";
    case SQLITE_READONLY_DIRECTORY: return "SQLITE_READONLY_DIRECTORY";
    case SQLITE_ABORT_ROLLBACK: return "SQLITE_ABORT_ROLLBACK";
    case SQLITE_CONSTRAINT_CHECK: return "SQLITE_CONSTRAINT_CHECK";
    case SQLITE_CONSTRAINT_COMMITHOOK: return "SQLITE_CONSTRAINT_COMMITHOOK";
    case SQLITE_CONSTRAINT_FOREIGNKEY: return "SQLITE_CONSTRAINT_FOREIGNKEY";
    case SQLITE_CONSTRAINT_FUNCTION: return "SQLITE_CONSTRAINT_FUNCTION";
    case SQLITE_CONSTRAINT_NOTNULL: return "SQLITE_CONSTRAINT_NOTNULL";
    case SQLITE_CONSTRAINT_PRIMARYKEY: return "SQLITE_CONSTRAINT_PRIMARYKEY";
    case SQLITE_CONSTRAINT_TRIGGER: return "SQLITE_CONSTRAINT_TRIGGER";
    case SQLITE_CONSTRAINT_UNIQUE: return "SQLITE_CONSTRAINT_UNIQUE";
    case SQLITE_CONSTRAINT_VTAB: return "SQLITE_CONSTRAINT_VTAB";
    case SQLITE_CONSTRAINT_ROWID: return "SQLITE_CONSTRAINT_ROWID";
    case SQLITE_CONSTRAINT_PINNED: return "SQLITE_CONSTRAINT_PINNED";
    case SQLITE_CONSTRAINT_DATATYPE: return "SQLITE_CONSTRAINT_DATATYPE";
    case SQLITE_AUTH_USER: return "SQLITE_AUTH_USER";
    default: return extended_code > 0xFF ? code_name(extended_code & 0xFF) : "SQLITE_ERROR";
  }
}

Error::Details constraint_details(int extended_code, std::string_view message) {
  Error::Details details;
  if ((extended_code & 0xFF) != SQLITE_CONSTRAINT) return details;
  auto const kind = constraint_kind(extended_code);
  details.emplace_back("constraint", kind);

  // SQLite writes "UNIQUE constraint failed: t.a, t.b", and "…: index 'x'" for an index on expressions.
  constexpr std::string_view before = "constraint failed: ";
  auto const found = message.find(before);
  if (found == std::string_view::npos) return details;
  auto const subject = message.substr(found + before.size());
  bool const names_columns = kind != "check" && subject.substr(0, 6) != "index ";
  details.emplace_back(names_columns ? "column" : "name", subject);
  return details;
}

Error make_error(int extended_code, Phase phase, std::string_view doing, std::string_view message,
                 std::string_view sql) {
  auto const verdict = classify(extended_code, phase);
  auto const code = code_name(extended_code);
  std::string sentence(doing);
  sentence.append(": ").append(without_literals(message)).append(" (").append(code).append(")");
  if (!sql.empty()) sentence.append(" in: ").append(statement_digest(sql));
  return Error(verdict.error_class, verdict.send_state, std::move(sentence), std::string(code),
               constraint_details(extended_code, message));
}

}  // namespace belay::sqlite
