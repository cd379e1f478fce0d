#include "belay/core/error.hpp"

#include <set>
#include <string>
#include <type_traits>

#include <gtest/gtest.h>

namespace belay {
namespace {

constexpr ErrorClass all_classes[] = {ErrorClass::transport, ErrorClass::timeout_local, ErrorClass::timeout_server,
                                      ErrorClass::overload,  ErrorClass::capacity,      ErrorClass::auth,
                                      ErrorClass::role,      ErrorClass::conflict,      ErrorClass::request,
                                      ErrorClass::cancelled, ErrorClass::protocol,      ErrorClass::internal};

Error full_disk() {
  return {
      ErrorClass::capacity, SendState::refused, "disk is full", "SQLITE_FULL", {{"table", "dossier"}, {"rows", "2"}}};
}

TEST(Error, CarriesWhatItWasGiven) {
  auto const error = full_disk();
  EXPECT_EQ(error.error_class(), ErrorClass::capacity);
  EXPECT_EQ(error.send_state(), SendState::refused);
  EXPECT_STREQ(error.what(), "disk is full");
  EXPECT_EQ(error.engine_code(), "SQLITE_FULL");
  EXPECT_EQ(error.detail("table"), "dossier");
  EXPECT_EQ(error.detail("rows"), "2");
  EXPECT_EQ(error.detail("column"), "");
  EXPECT_EQ(error.code(), make_error_code(ErrorClass::capacity));
  EXPECT_EQ(error.code().message(), "a local limit is reached");
}

TEST(Error, AddsContextBeforeTheSentenceAndKeepsTheRest) {
  auto const error = full_disk().with_context("cannot write: ");
  EXPECT_STREQ(error.what(), "cannot write: disk is full");
  EXPECT_EQ(error.engine_code(), "SQLITE_FULL");
  EXPECT_EQ(error.send_state(), SendState::refused);
}

TEST(Error, ChangesTheSendStateOfTheCopyOnly) {
  auto const error = full_disk();
  EXPECT_EQ(error.with_send_state(SendState::executed).send_state(), SendState::executed);
  EXPECT_EQ(error.send_state(), SendState::refused);
}

TEST(Error, IsCopiedWithoutThrowing) {
  EXPECT_TRUE(std::is_nothrow_copy_constructible_v<Error>);
  auto const error = full_disk();
  Error const copy = error;  // NOLINT(performance-unnecessary-copy-initialization): the copy is what is tested
  EXPECT_EQ(copy.what(), error.what()) << "the content is shared";
}

TEST(Error, IsCaughtAsASystemError) {
  try {
    throw full_disk();
  } catch (std::system_error const& error) {
    EXPECT_EQ(error.code(), ErrorClass::capacity);
    EXPECT_STREQ(error.what(), "disk is full");
  }
}

TEST(Error, NamesEveryClassAndSendStateDifferently) {
  std::set<std::string_view> names;
  std::set<std::string> messages;
  for (auto const error_class : all_classes) {
    names.insert(name_of(error_class));
    messages.insert(make_error_code(error_class).message());
  }
  EXPECT_EQ(names.size(), std::size(all_classes));
  EXPECT_EQ(messages.size(), std::size(all_classes));
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(name_of(SendState::never_sent), "never_sent");
  EXPECT_EQ(name_of(SendState::refused), "refused");
  EXPECT_EQ(name_of(SendState::unknown), "unknown");
  EXPECT_EQ(name_of(SendState::executed), "executed");
}

}  // namespace
}  // namespace belay
