#include "belay/pool/failure_signal.hpp"

#include <new>
#include <string>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "belay/resilience/outcome.hpp"

namespace belay::pool {

bool is_tls_failure(Error const& error) noexcept { return error.engine_code().starts_with("tls_"); }

Signal signal_of(Error const& error) noexcept {
  using resilience::ConnectionRule;
  using resilience::GenerationRule;
  auto const& outcome = resilience::outcome_of(error);
  switch (outcome.generation) {  // no default: the compiler reports a missing enumerator
    case GenerationRule::close_if_tls_or_repeated: return is_tls_failure(error) ? Signal::tls : Signal::transport;
    case GenerationRule::close: return Signal::role;
    case GenerationRule::renew_credentials: return is_tls_failure(error) ? Signal::tls : Signal::credentials;
    case GenerationRule::none_held:
    case GenerationRule::keep: break;
  }
  bool const ends_it = outcome.connection == ConnectionRule::close || outcome.connection == ConnectionRule::destroy;
  return ends_it ? Signal::taint : Signal::nothing;
}

ConnectFailure connect_failure_of(Error const& error) {
  auto const error_class = error.error_class();
  ConnectFailure failure{error};
  failure.permanent = error_class == ErrorClass::auth || error_class == ErrorClass::request ||
                      error_class == ErrorClass::protocol || !error.detail("permanent").empty();
  failure.tls = is_tls_failure(error);
  failure.fate = error.send_state() == SendState::unknown ? SessionFate::unknown : SessionFate::gone;
  return failure;
}

Error error_of(std::exception_ptr const& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (Error const& error) {
    return error;
  } catch (boost::system::system_error const& error) {
    if (error.code() == boost::asio::error::operation_aborted) {
      return {ErrorClass::cancelled, SendState::unknown, "the operation was cancelled"};
    }
    return {ErrorClass::transport, SendState::unknown, error.what()};
  } catch (std::exception const& error) {
    return {ErrorClass::internal, SendState::unknown, error.what()};
  } catch (...) {
    return {ErrorClass::internal, SendState::unknown, "an exception of an unknown type"};
  }
}

}  // namespace belay::pool
