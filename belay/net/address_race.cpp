#include "belay/net/address_race.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace belay::net {

namespace {

using namespace std::chrono_literals;
using time_point = AddressRace::time_point;
using nanoseconds = std::chrono::nanoseconds;

time_point later(time_point from, nanoseconds by) noexcept {
  return by >= time_point::max() - from ? time_point::max() : from + by;
}

std::string in_milliseconds(nanoseconds duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + " ms";
}

void require_range(std::string_view option, nanoseconds value, nanoseconds low, nanoseconds high) {
  if (value >= low && value <= high) return;
  throw Error(ErrorClass::request, SendState::never_sent,
              "connect option " + std::string(option) + " is " + in_milliseconds(value) + ", it must lie between " +
                  in_milliseconds(low) + " and " + in_milliseconds(high));
}

bool allows(FamilyChoice choice, AddressFamily family) noexcept {
  switch (choice) {
    case FamilyChoice::automatic: return true;
    case FamilyChoice::ipv4: return family == AddressFamily::ipv4;
    case FamilyChoice::ipv6: return family == AddressFamily::ipv6;
  }
  return false;
}

AddressFamily other(AddressFamily family) noexcept {
  return family == AddressFamily::ipv4 ? AddressFamily::ipv6 : AddressFamily::ipv4;
}

/// What happened, without the address and the verb that the whole sentence says anyway.
std::string reason_of(Error const& error) {
  auto const reason = error.detail("reason");
  return reason.empty() ? error.what() : std::string(reason);
}

}  // namespace

void validate(RaceOptions const& options) {
  require_range("stagger", options.stagger, 10ms, 2s);
  require_range("attempt_timeout", options.attempt_timeout, 1s, 10min);
  require_range("hello_patience", options.hello_patience, 1s, 10min);
}

bool is_unreachable(Error const& error) noexcept {
  constexpr std::array<std::string_view, 5> codes{"ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT",
                                                  "ENETDOWN"};
  return std::find(codes.begin(), codes.end(), error.engine_code()) != codes.end();
}

AddressRace::AddressRace(std::string target, std::vector<RaceAddress> addresses, RaceOptions options, Hello hello,
                         FamilyMemory& memory, Deadline deadline)
    : target_(std::move(target)),
      addresses_(std::move(addresses)),
      options_(options),
      hello_(hello),
      memory_(memory),
      deadline_(deadline),
      fates_(addresses_.size()) {
  validate(options_);
}

void AddressRace::begin(time_point now) {
  line_up(now);
  next_start_at_ = now;
  advance(now);
}

/// Each family in the resolver's order, but the remembered winner first; then one of each family in turn.
void AddressRace::line_up(time_point now) {
  std::array<std::deque<std::size_t>, 2> lanes;
  auto const lane = [&](AddressFamily family) -> auto& { return lanes[family == AddressFamily::ipv6]; };
  std::optional<AddressFamily> first = memory_.preferred(now);
  std::array const winners{memory_.winner(AddressFamily::ipv4, now), memory_.winner(AddressFamily::ipv6, now)};
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    auto const family = addresses_[i].family;
    auto const& text = addresses_[i].text;
    auto const is_same = [&](std::size_t seen) { return addresses_[seen].text == text; };
    auto& queue = lane(family);
    if (!allows(options_.family, family) || std::any_of(queue.begin(), queue.end(), is_same)) continue;
    if (!first) first = family;
    if (text == winners[family == AddressFamily::ipv6]) {
      queue.push_front(i);
    } else {
      queue.push_back(i);
    }
  }
  for (auto family = first.value_or(AddressFamily::ipv6); !lanes[0].empty() || !lanes[1].empty();
       family = other(family)) {
    auto& queue = lane(family);
    if (queue.empty()) continue;
    waiting_.push_back(queue.front());
    queue.pop_front();
  }
}

void AddressRace::tick(time_point now) { advance(now); }

void AddressRace::connected(std::size_t attempt, time_point now) {
  auto& one = attempts_.at(attempt);
  if (one.state != State::connecting) {  // a late winner: whoever holds it must let go
    if (one.state == State::cancelled || one.state == State::failed) {
      actions_.push_back({Action::Kind::cancel, attempt, one.address});
    }
    return;
  }
  if (hello_ == Hello::none) return win(attempt, now);
  one.state = State::greeting;
  one.connected_at = now;
  put_back_connecting();
  advance(now);
}

void AddressRace::failed(std::size_t attempt, Error reason, time_point now) {
  if (!is_active(attempts_.at(attempt))) return;
  fail(attempt, std::move(reason), now);
  advance(now);
}

void AddressRace::accepted(std::size_t attempt, time_point now) {
  if (attempts_.at(attempt).state == State::greeting) win(attempt, now);
}

void AddressRace::rejected(std::size_t attempt, Error reason, time_point now) {
  failed(attempt, std::move(reason), now);
}

void AddressRace::abandon() {
  if (!is_over_) lose(Ending::abandoned);
}

void AddressRace::advance(time_point now) {
  if (is_over_) return;
  if (deadline_.expired(now)) return lose(Ending::deadline);
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    if (!is_active(attempts_[i]) || times_out_at(attempts_[i]) > now) continue;
    auto const reason =
        (attempts_[i].state == State::greeting ? "connected, but no hello within " : "no answer within ") +
        in_milliseconds(options_.attempt_timeout);
    actions_.push_back({Action::Kind::cancel, i, attempts_[i].address});
    fail(i, Error(ErrorClass::transport, SendState::never_sent, reason), now);
  }
  if (!waiting_.empty() && held_until() <= now && (!has_active() || next_start_at_ <= now)) start_next(now);
  if (waiting_.empty() && !has_active()) lose(Ending::exhausted);
}

void AddressRace::start_next(time_point now) {
  auto const address = waiting_.front();
  waiting_.pop_front();
  attempts_.push_back({address, State::connecting, now, now});
  actions_.push_back({Action::Kind::start, attempts_.size() - 1, address});
  next_start_at_ = later(now, options_.stagger);
}

void AddressRace::put_back_connecting() {
  for (std::size_t i = attempts_.size(); i-- > 0;) {
    if (attempts_[i].state != State::connecting) continue;
    cancel(i);
    waiting_.push_front(attempts_[i].address);
  }
}

void AddressRace::fail(std::size_t attempt, Error reason, time_point now) {
  auto& one = attempts_[attempt];
  (one.state == State::greeting ? last_rejected_ : last_failed_) = one.address;
  one.state = State::failed;
  fates_[one.address] = std::move(reason);
  memory_.forget(addresses_[one.address].family);
  next_start_at_ = now;
}

void AddressRace::win(std::size_t attempt, time_point now) {
  auto& winner = attempts_[attempt];
  winner.state = State::won;
  is_over_ = true;
  actions_.push_back({Action::Kind::won, attempt, winner.address});
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    if (is_active(attempts_[i])) cancel(i);
  }
  memory_.remember(addresses_[winner.address].family, addresses_[winner.address].text, now);
}

void AddressRace::lose(Ending ending) {
  is_over_ = true;
  ending_ = ending;
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    if (!is_active(attempts_[i])) continue;
    auto const& address = addresses_[attempts_[i].address];
    fates_[attempts_[i].address] =
        Error(ErrorClass::transport, SendState::never_sent,
              attempts_[i].state == State::greeting ? "connected, but no hello yet" : "no answer yet");
    // An address that hangs until the caller's patience ends must not come first again.
    if (ending == Ending::deadline) memory_.forget(address.family);
    cancel(i);
  }
  actions_.push_back({Action::Kind::lost, 0, 0});
}

void AddressRace::cancel(std::size_t attempt) {
  attempts_[attempt].state = State::cancelled;
  actions_.push_back({Action::Kind::cancel, attempt, attempts_[attempt].address});
}

bool AddressRace::is_active(Attempt const& attempt) const noexcept {
  return attempt.state == State::connecting || attempt.state == State::greeting;
}

bool AddressRace::has_active() const noexcept {
  return std::any_of(attempts_.begin(), attempts_.end(), [this](Attempt const& one) { return is_active(one); });
}

/// Until when an address that has connected keeps the others from starting.
time_point AddressRace::held_until() const noexcept {
  auto until = time_point::min();
  for (auto const& one : attempts_) {
    if (one.state == State::greeting) until = std::max(until, later(one.connected_at, options_.hello_patience));
  }
  return until;
}

time_point AddressRace::times_out_at(Attempt const& attempt) const noexcept {
  return later(attempt.started_at, options_.attempt_timeout);
}

std::optional<AddressRace::Action> AddressRace::next_action() {
  if (actions_.empty()) return std::nullopt;
  auto const action = actions_.front();
  actions_.pop_front();
  return action;
}

Deadline AddressRace::wake_at() const noexcept {
  if (is_over_) return Deadline::never();
  auto earliest = deadline_.at();
  for (auto const& one : attempts_) {
    if (is_active(one)) earliest = std::min(earliest, times_out_at(one));
  }
  if (!waiting_.empty()) earliest = std::min(earliest, std::max(next_start_at_, held_until()));
  return Deadline::at(earliest);
}

std::string AddressRace::fate_of(std::size_t address) const {
  if (!allows(options_.family, addresses_[address].family)) return "not allowed by the option family";
  return fates_[address] ? reason_of(*fates_[address]) : "not tried";
}

bool AddressRace::needs_ipv6_that_is_missing() const {
  return !addresses_.empty() && std::all_of(addresses_.begin(), addresses_.end(), [this](RaceAddress const& one) {
    auto const& fate = fates_[static_cast<std::size_t>(&one - addresses_.data())];
    return one.family == AddressFamily::ipv6 && fate && is_unreachable(*fate);
  });
}

Error AddressRace::failure() const {
  auto error_class = ErrorClass::transport;
  std::string engine_code;
  if (ending_ == Ending::abandoned) {
    error_class = ErrorClass::cancelled;
  } else if (ending_ == Ending::deadline) {
    error_class = ErrorClass::timeout_local;
  } else if (last_rejected_) {
    auto const& rejection = *fates_[*last_rejected_];
    error_class = rejection.error_class();
    engine_code = rejection.engine_code();
  } else if (last_failed_) {
    engine_code = fates_[*last_failed_]->engine_code();
  }
  std::string sentence = ending_ == Ending::abandoned  ? "stopped trying to connect to " + target_
                         : ending_ == Ending::deadline ? "could not connect to " + target_ + " before the deadline"
                                                       : "cannot connect to " + target_;
  if (addresses_.empty()) sentence += ": it has no address";
  Error::Details details;
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    auto const& text = addresses_[i].text;
    bool const is_told = addresses_.size() == 1 && text == target_;
    sentence += (i == 0 ? ": " : "; ") + (is_told ? std::string() : text + ": ") + fate_of(i);
    details.emplace_back(text, fate_of(i));
  }
  if (needs_ipv6_that_is_missing()) {
    sentence +=
        " (this host has IPv6 addresses only and IPv6 does not work from here: use a name that has an IPv4 address, "
        "for a hosted database its IPv4 connection pooler)";
  }
  return {error_class, SendState::never_sent, sentence, engine_code, details};
}

}  // namespace belay::net
