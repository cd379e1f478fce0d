#pragma once

#include <memory>

#include "belay/orm/session.hpp"

/// The ORM on SQLite: pass a belay::sqlite::Client, or the Transaction of its transaction(), as `db`.
namespace belay::sqlite {

class Client;
class Transaction;

/// The session shares the client's database: `client` itself may go.
std::unique_ptr<orm::Session> session_of(Client const& client);
/// The transaction must outlive the call. Without a deadline, the transaction's own applies.
std::unique_ptr<orm::Session> session_of(Transaction& transaction);

}  // namespace belay::sqlite
