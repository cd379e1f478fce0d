#include "belay/resilience/outcome.hpp"

#include <fstream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;

constexpr std::array all_classes{ErrorClass::transport, ErrorClass::timeout_local, ErrorClass::timeout_server,
                                 ErrorClass::overload,  ErrorClass::capacity,      ErrorClass::auth,
                                 ErrorClass::role,      ErrorClass::conflict,      ErrorClass::request,
                                 ErrorClass::cancelled, ErrorClass::protocol,      ErrorClass::internal};
constexpr std::array all_states{SendState::never_sent, SendState::refused, SendState::unknown, SendState::executed};

TEST(Outcome, HasARowForEveryClassInEverySendState) {
  for (auto const error_class : all_classes) {
    for (auto const state : all_states) {
      EXPECT_EQ(outcome_of(error_class, state).error_class, error_class) << name_of(error_class) << name_of(state);
    }
  }
}

TEST(Outcome, TellsATimeOutInOurQueueFromOneDuringTheQuery) {
  EXPECT_EQ(outcome_of(ErrorClass::timeout_local, SendState::never_sent).title, "timeout_local while queueing");
  for (auto const state : {SendState::refused, SendState::unknown, SendState::executed}) {
    EXPECT_EQ(outcome_of(ErrorClass::timeout_local, state).title, "timeout_local during the query");
  }
}

TEST(Outcome, GivesEveryRowItsOwnMetricLabel) {
  std::set<std::string_view> labels;
  for (auto const& row : outcome_table) EXPECT_TRUE(labels.insert(row.metric).second) << row.metric;
}

// The specification's table, written out a second time and by hand, row by row.
struct Expected {
  ErrorClass error_class;
  SendState send_state;
  BreakerSignal breaker;
  RetryRule retry;
  ConnectionRule connection;
  GenerationRule generation;
  HealthSignal health;
  AlertRule alert;
};

void PrintTo(Expected const& row, std::ostream* out) {
  *out << name_of(row.error_class) << ' ' << name_of(row.send_state);
}

class OutcomeRow : public testing::TestWithParam<Expected> {};

TEST_P(OutcomeRow, IsTheSpecifications) {
  auto const& expected = GetParam();
  auto const& row = outcome_of(expected.error_class, expected.send_state);
  EXPECT_EQ(row.breaker, expected.breaker);
  EXPECT_EQ(row.retry, expected.retry);
  EXPECT_EQ(row.connection, expected.connection);
  EXPECT_EQ(row.generation, expected.generation);
  EXPECT_EQ(row.health, expected.health);
  EXPECT_EQ(row.alert, expected.alert);
}

INSTANTIATE_TEST_SUITE_P(
    Specification, OutcomeRow,
    testing::Values(
        Expected{ErrorClass::transport, SendState::unknown, BreakerSignal::failure, RetryRule::by_send_state,
                 ConnectionRule::close, GenerationRule::close_if_tls_or_repeated, HealthSignal::failure,
                 AlertRule::error_rate},
        Expected{ErrorClass::timeout_local, SendState::unknown, BreakerSignal::slow_failure, RetryRule::by_send_state,
                 ConnectionRule::quarantine, GenerationRule::keep, HealthSignal::weak, AlertRule::error_rate},
        Expected{ErrorClass::timeout_local, SendState::never_sent, BreakerSignal::ignored, RetryRule::never,
                 ConnectionRule::none_held, GenerationRule::none_held, HealthSignal::none, AlertRule::none},
        Expected{ErrorClass::timeout_server, SendState::refused, BreakerSignal::slow_answer, RetryRule::by_send_state,
                 ConnectionRule::keep, GenerationRule::keep, HealthSignal::none, AlertRule::none},
        Expected{ErrorClass::overload, SendState::refused, BreakerSignal::failure, RetryRule::with_pushback,
                 ConnectionRule::close_if_opening, GenerationRule::keep, HealthSignal::failure, AlertRule::error_rate},
        Expected{ErrorClass::capacity, SendState::never_sent, BreakerSignal::ignored, RetryRule::if_asked,
                 ConnectionRule::none_held, GenerationRule::none_held, HealthSignal::saturation, AlertRule::none},
        Expected{ErrorClass::auth, SendState::refused, BreakerSignal::ignored, RetryRule::after_credential_refresh,
                 ConnectionRule::close, GenerationRule::renew_credentials, HealthSignal::failure,
                 AlertRule::error_rate},
        Expected{ErrorClass::role, SendState::refused, BreakerSignal::ignored, RetryRule::after_re_resolution,
                 ConnectionRule::close, GenerationRule::close, HealthSignal::failure, AlertRule::error_rate},
        Expected{ErrorClass::conflict, SendState::refused, BreakerSignal::ignored, RetryRule::replay,
                 ConnectionRule::keep, GenerationRule::keep, HealthSignal::none, AlertRule::none},
        Expected{ErrorClass::request, SendState::executed, BreakerSignal::success, RetryRule::never,
                 ConnectionRule::keep, GenerationRule::keep, HealthSignal::none, AlertRule::none},
        Expected{ErrorClass::cancelled, SendState::unknown, BreakerSignal::ignored, RetryRule::never,
                 ConnectionRule::quarantine, GenerationRule::keep, HealthSignal::none, AlertRule::none},
        Expected{ErrorClass::protocol, SendState::unknown, BreakerSignal::failure, RetryRule::never,
                 ConnectionRule::destroy, GenerationRule::keep, HealthSignal::failure, AlertRule::at_once},
        Expected{ErrorClass::internal, SendState::executed, BreakerSignal::failure, RetryRule::never,
                 ConnectionRule::keep, GenerationRule::keep, HealthSignal::failure, AlertRule::error_rate}),
    [](auto const& row) { return std::string(outcome_of(row.param.error_class, row.param.send_state).metric); });

TEST(ResendRule, FollowsFromWhatTheServerMayHaveDone) {
  EXPECT_EQ(may_resend(SendState::never_sent), ResendRule::always_and_once_free);
  EXPECT_EQ(may_resend(SendState::refused), ResendRule::always);
  EXPECT_EQ(may_resend(SendState::unknown), ResendRule::idempotent_only);
  EXPECT_EQ(may_resend(SendState::executed), ResendRule::never);
}

TEST(Outcome, AlertsCountWhatTheHealthMonitorCounts) {
  for (auto const& row : outcome_table) {
    bool const is_server_health = row.health == HealthSignal::weak || row.health == HealthSignal::failure;
    EXPECT_EQ(row.alert != AlertRule::none, is_server_health) << row.title;
  }
}

TEST(GenerationRule, ClosesOlderConnectionsAfterATlsFailureOrASecondFailureWithinASecond) {
  auto const& transport = outcome_of(ErrorClass::transport, SendState::unknown);
  EXPECT_FALSE(should_close_generation(transport, false, 1));
  EXPECT_TRUE(should_close_generation(transport, false, 2));
  EXPECT_TRUE(should_close_generation(transport, true, 1));
  EXPECT_EQ(transport_failures_within, 1s);
  EXPECT_TRUE(should_close_generation(outcome_of(ErrorClass::role, SendState::refused), false, 0));
  EXPECT_FALSE(should_close_generation(outcome_of(ErrorClass::auth, SendState::refused), true, 9));
  EXPECT_FALSE(should_close_generation(outcome_of(ErrorClass::request, SendState::executed), true, 9));
}

HttpAnswer answer(ErrorClass error_class, SendState state, std::string engine_code = "X") {
  return http_answer(Error(error_class, state, "it failed", std::move(engine_code)));
}

TEST(HttpAnswer, IsGivenByClassAndByWhetherAnythingWasAsked) {
  HttpAnswer const soon{503, 1s};
  for (auto const state : all_states) {
    bool const was_queueing = state == SendState::never_sent;
    EXPECT_EQ(answer(ErrorClass::timeout_local, state), was_queueing ? soon : (HttpAnswer{504, std::nullopt}));
    EXPECT_EQ(answer(ErrorClass::timeout_server, state), (HttpAnswer{504, std::nullopt}));
    for (auto const unavailable : {ErrorClass::capacity, ErrorClass::transport, ErrorClass::overload, ErrorClass::auth,
                                   ErrorClass::role, ErrorClass::conflict, ErrorClass::cancelled}) {
      EXPECT_EQ(answer(unavailable, state), soon) << name_of(unavailable);
    }
    EXPECT_EQ(answer(ErrorClass::request, state), (HttpAnswer{500, std::nullopt}));
    EXPECT_EQ(answer(ErrorClass::protocol, state), (HttpAnswer{500, std::nullopt}));
    EXPECT_EQ(answer(ErrorClass::internal, state, "SQLITE_CORRUPT"), (HttpAnswer{503, 30s}));
    EXPECT_EQ(answer(ErrorClass::internal, state, ""), (HttpAnswer{500, std::nullopt})) << "a failure of our own";
  }
}

TEST(OutcomeDocument, EqualsTheTable) {
  std::ifstream file(std::string(BELAY_SOURCE_DIR) + "/docs/outcomes.md");
  std::stringstream committed;
  committed << file.rdbuf();
  EXPECT_EQ(committed.str(), describe_outcomes()) << "the table has changed: run scripts/outcomes and commit the page";
}

}  // namespace
}  // namespace belay::resilience
