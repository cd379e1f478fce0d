#include "belay/pool/failure_signal.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

namespace belay::pool {
namespace {

Error error(ErrorClass error_class, SendState send_state, std::string code = "") {
  return {error_class, send_state, "it failed", std::move(code)};
}

TEST(FailureSignal, IsLookedUpInTheTableOfOutcomes) {
  EXPECT_EQ(signal_of(error(ErrorClass::transport, SendState::unknown)), Signal::transport);
  EXPECT_EQ(signal_of(error(ErrorClass::transport, SendState::unknown, "tls_truncated")), Signal::tls);
  EXPECT_EQ(signal_of(error(ErrorClass::role, SendState::refused)), Signal::role);
  EXPECT_EQ(signal_of(error(ErrorClass::auth, SendState::refused)), Signal::credentials);
  EXPECT_EQ(signal_of(error(ErrorClass::auth, SendState::never_sent, "tls_expired")), Signal::tls);
  EXPECT_EQ(signal_of(error(ErrorClass::protocol, SendState::unknown)), Signal::taint);
  for (auto const harmless :
       {ErrorClass::timeout_local, ErrorClass::timeout_server, ErrorClass::overload, ErrorClass::capacity,
        ErrorClass::conflict, ErrorClass::request, ErrorClass::cancelled, ErrorClass::internal}) {
    EXPECT_EQ(signal_of(error(harmless, SendState::executed)), Signal::nothing) << name_of(harmless);
  }
}

TEST(FailureSignal, TellsWhichConnectsCannotSucceed) {
  EXPECT_FALSE(connect_failure_of(error(ErrorClass::transport, SendState::never_sent)).permanent);
  EXPECT_FALSE(connect_failure_of(error(ErrorClass::overload, SendState::refused)).permanent);
  EXPECT_TRUE(connect_failure_of(error(ErrorClass::auth, SendState::refused)).permanent);
  EXPECT_TRUE(connect_failure_of(error(ErrorClass::protocol, SendState::never_sent, "tls_version")).permanent);
  EXPECT_TRUE(connect_failure_of(error(ErrorClass::request, SendState::never_sent)).permanent);
  auto const detailed = Error(ErrorClass::transport, SendState::refused, "no", "3D000", {{"permanent", "no database"}});
  EXPECT_TRUE(connect_failure_of(detailed).permanent);
}

TEST(FailureSignal, TellsWhatAFailedConnectMayHaveLeft) {
  EXPECT_EQ(connect_failure_of(error(ErrorClass::transport, SendState::never_sent)).fate, SessionFate::gone);
  EXPECT_EQ(connect_failure_of(error(ErrorClass::transport, SendState::unknown)).fate, SessionFate::unknown);
  EXPECT_TRUE(connect_failure_of(error(ErrorClass::auth, SendState::never_sent, "tls_name_mismatch")).tls);
  EXPECT_FALSE(connect_failure_of(error(ErrorClass::transport, SendState::never_sent, "ECONNREFUSED")).tls);
}

TEST(FailureSignal, MakesAnErrorOfAnyException) {
  auto const ours = error(ErrorClass::conflict, SendState::refused);
  EXPECT_EQ(error_of(std::make_exception_ptr(ours)).error_class(), ErrorClass::conflict);
  boost::system::system_error const aborted(boost::asio::error::operation_aborted);
  EXPECT_EQ(error_of(std::make_exception_ptr(aborted)).error_class(), ErrorClass::cancelled);
  boost::system::system_error const reset(boost::asio::error::connection_reset);
  EXPECT_EQ(error_of(std::make_exception_ptr(reset)).error_class(), ErrorClass::transport);
  EXPECT_EQ(error_of(std::make_exception_ptr(std::runtime_error("odd"))).error_class(), ErrorClass::internal);
  EXPECT_EQ(error_of(std::make_exception_ptr(42)).error_class(), ErrorClass::internal);
}

}  // namespace
}  // namespace belay::pool
