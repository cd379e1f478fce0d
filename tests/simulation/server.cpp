#include "server.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace belay::simulation {

namespace {

using namespace std::chrono_literals;
using resilience::Failure;

}  // namespace

Server::Server(Plan const& plan, Timeline& timeline, Record& record, Random random)
    : plan_(plan), timeline_(timeline), record_(record), random_(random) {}

duration Server::latency() {
  auto const usual = plan_.latency / 2 + within(random_, plan_.latency);
  return trouble.delay > 1 ? usual + within(random_, duration(static_cast<std::int64_t>(trouble.delay * 1e6))) : usual;
}

/// Messages of one direction stay in order; a black hole holds them back, since TCP repeats what was not acknowledged.
time_point Server::arrival(time_point& last) {
  last = std::max(std::max(timeline_.now(), trouble.hole_until) + latency(), last + 1ns);
  return last;
}

void Server::to_server(Link& link, std::function<void()> arrives) {
  timeline_.at(arrival(link.to_server), std::move(arrives));
}

void Server::to_client(Link& link, std::function<void()> arrives) {
  timeline_.at(arrival(link.to_client), [&link, arrives = std::move(arrives)] {
    if (link.is_open) arrives();
  });
}

Link& Server::open(std::uint32_t owner, pool::SlotHandle slot, std::uint32_t width) {
  links_.push_back(std::make_unique<Link>());
  auto& link = *links_.back();
  link.owner = owner;
  link.slot = slot;
  link.width = width;
  return link;
}

std::optional<Server::LoginFailure> Server::judge_login() const {
  auto const refused = [](ErrorClass error_class, bool permanent) {
    return LoginFailure{{error_class, SendState::never_sent}, permanent, false};
  };
  auto const capacity = trouble.login_capacity != 0 ? trouble.login_capacity : plan_.login_capacity;
  if (logging_in_ >= capacity) return refused(ErrorClass::overload, false);
  if (std::accumulate(sessions_.begin(), sessions_.end(), 0U) >= plan_.max_connections) {
    return refused(ErrorClass::overload, false);
  }
  if (trouble.rejects_password) return refused(ErrorClass::auth, true);
  return std::nullopt;
}

void Server::log_in(Link& link, Login login) {
  to_server(link, [this, &link, login = std::move(login)] {
    if (!link.is_open) return;
    if (trouble.is_dead || trouble.refuses) {
      return to_client(link, [login] {
        login(LoginFailure{{ErrorClass::transport, SendState::never_sent}, false, true});
      });
    }
    if (auto const failure = judge_login()) return to_client(link, [login, failure] { login(failure); });
    ++logging_in_;
    auto const takes = plan_.login / 2 + within(random_, plan_.login);
    timeline_.at(std::max(timeline_.now() + takes, trouble.frozen_until), [this, &link, login] {
      --logging_in_;
      if (trouble.is_dead) {
        return to_client(link, [login] {
          login(LoginFailure{{ErrorClass::transport, SendState::never_sent}, false, false});
        });
      }
      if (link.session == Link::Session::ended) return;
      begin_session(link);
      to_client(link, [login] { login(std::nullopt); });
    });
  });
}

void Server::begin_session(Link& link) {
  link.session = Link::Session::alive;
  ++sessions_[link.owner];
}

/// What was not committed is rolled back.
void Server::end_session(Link& link) {
  bool const was_alive = std::exchange(link.session, Link::Session::ended) == Link::Session::alive;
  for (auto& stream : link.streams) stream = {};
  if (!was_alive) return;
  --sessions_[link.owner];
  if (session_ended) session_ended(link);
}

bool Server::send(Link& link, Request request, Link::Handler handler) {
  if (!link.is_open) return false;
  link.expected.push_back({request.nonce, request.stream, std::move(handler)});
  to_server(link, [this, &link, request] { receive(link, request); });
  return true;
}

void Server::receive(Link& link, Request const& request) {
  if (link.session != Link::Session::alive) return;
  auto& inbox = link.streams[request.stream].inbox;
  inbox.push_back(request);
  if (inbox.size() == 1) start(link, request.stream);
}

void Server::start(Link& link, std::uint32_t stream) {
  auto const& request = link.streams[stream].inbox.front();
  bool const is_brief = request.kind == Request::Kind::ping || request.kind == Request::Kind::begin;
  auto takes = is_brief ? duration(50us) : plan_.service / 2 + within(random_, plan_.service);
  if (chance(random_, 0.01)) takes *= 20;
  takes = duration(static_cast<duration::rep>(static_cast<double>(takes.count()) * trouble.slowness));
  timeline_.in(takes, [this, &link, stream, nonce = request.nonce] { finish(link, stream, nonce); });
}

void Server::finish(Link& link, std::uint32_t stream_number, std::uint64_t nonce) {
  auto& stream = link.streams[stream_number];
  if (stream.inbox.empty() || stream.inbox.front().nonce != nonce) return;  // interrupted, or the session is over
  if (timeline_.now() < trouble.frozen_until) {
    return timeline_.at(trouble.frozen_until,
                        [this, &link, stream_number, nonce] { finish(link, stream_number, nonce); });
  }
  auto const request = stream.inbox.front();
  stream.inbox.pop_front();
  auto const failure = execute(link, stream, request);
  bool const has_effect = request.kind == Request::Kind::write || request.kind == Request::Kind::commit;
  if (has_effect && chance(random_, trouble.lost_answers)) return reset(link);
  answer(link, {request.nonce, failure});
  if (!stream.inbox.empty()) start(link, stream_number);
}

std::optional<Failure> Server::refusal(Request const& request) {
  bool const writes = request.kind == Request::Kind::write;
  if (writes && trouble.is_read_only) return Failure{ErrorClass::role, SendState::refused};
  if (writes && chance(random_, trouble.conflicts)) return Failure{ErrorClass::conflict, SendState::refused};
  if (!chance(random_, trouble.errors)) return std::nullopt;
  switch (random_.below(6)) {
    case 0: return Failure{ErrorClass::request, SendState::executed};
    case 1: return Failure{ErrorClass::timeout_server, SendState::refused};
    case 2: return Failure{ErrorClass::overload, SendState::refused, within(random_, 2s) + 1ms};
    case 3: return Failure{ErrorClass::internal, SendState::executed};
    case 4: return Failure{ErrorClass::auth, SendState::refused};
    default: return Failure{ErrorClass::overload, SendState::refused};
  }
}

std::optional<Failure> Server::execute(Link&, Link::Stream& stream, Request const& request) {
  if (request.lease != 0) ++calls_;
  bool const cleans = request.kind == Request::Kind::rollback || request.kind == Request::Kind::reset;
  if (cleans && request.lease == 0 && chance(random_, trouble.errors))
    return Failure{ErrorClass::internal, SendState::executed};
  if (request.alters_session) stream.is_altered = true;
  switch (request.kind) {
    case Request::Kind::ping: break;
    case Request::Kind::read: return refusal(request);
    case Request::Kind::begin: stream.in_transaction = true; break;
    case Request::Kind::write:
      if (auto const failure = refusal(request)) return failure;
      if (stream.in_transaction) {
        stream.staged = request.unit;
      } else {
        take_effect(request.unit);
      }
      break;
    case Request::Kind::commit:
      take_effect(std::exchange(stream.staged, 0));
      stream.in_transaction = false;
      break;
    case Request::Kind::rollback:
      stream.in_transaction = false;
      stream.staged = 0;
      stream.is_altered = false;
      break;
    case Request::Kind::reset: stream.is_altered = false; break;
  }
  return std::nullopt;
}

void Server::take_effect(std::uint64_t unit) {
  if (unit != 0) ++effects_[unit];
}

void Server::answer(Link& link, Reply const& reply) {
  to_client(link, [this, &link, reply] { deliver(link, reply); });
}

void Server::deliver(Link& link, Reply const& reply) {
  auto const matches = [&](Link::Expected const& each) { return each.nonce == reply.nonce; };
  auto const found = std::find_if(link.expected.begin(), link.expected.end(), matches);
  if (found == link.expected.end()) return record_.violate("M1", "a reply that belongs to nobody");
  // Without numbers on the wire the first who waits takes whatever comes.
  if (link.width == 1 && found != link.expected.begin()) {
    return record_.violate("P11", "a query got bytes of another's reply");
  }
  auto const handler = std::move(found->handler);
  link.expected.erase(found);
  if (handler) handler(&reply);
}

void Server::forget(Link& link, std::uint64_t nonce) {
  for (auto& each : link.expected) {
    if (each.nonce == nonce) each.handler = nullptr;
  }
}

std::size_t Server::awaited(Link const& link, std::uint32_t stream) const {
  return static_cast<std::size_t>(std::count_if(link.expected.begin(), link.expected.end(),
                                                [=](Link::Expected const& each) { return each.stream == stream; }));
}

void Server::part(Link& link, std::function<void()> gone) {
  to_server(link, [this, &link, gone = std::move(gone)] {
    if (timeline_.now() < trouble.frozen_until && link.session == Link::Session::alive) {
      return timeline_.at(trouble.frozen_until, [this, &link, gone] {
        end_session(link);
        to_client(link, gone);
      });
    }
    end_session(link);
    to_client(link, gone);
  });
}

void Server::abandon(Link& link) {
  if (!std::exchange(link.is_open, false)) return;
  // Whoever still waits for an answer is told, once.
  timeline_.in(0ns, [expected = std::exchange(link.expected, {})] {
    for (auto const& each : expected) {
      if (each.handler) each.handler(nullptr);
    }
  });
  auto const noticed = timeline_.now() + within(random_, plan_.kill_delay);
  timeline_.at(noticed, [this, &link] {
    if (timeline_.now() < trouble.frozen_until) {
      return timeline_.at(trouble.frozen_until, [this, &link] { end_session(link); });
    }
    end_session(link);
  });
}

void Server::cancel(Link& link, std::uint32_t stream_number, std::uint64_t lease, std::function<void()> ended) {
  // On a way of its own: it may overtake, and be overtaken.
  auto const arrives = std::max(timeline_.now(), trouble.hole_until) + latency();
  timeline_.at(arrives, [this, &link, stream_number, lease, ended = std::move(ended)] {
    auto& stream = link.streams[stream_number];
    if (link.session == Link::Session::alive && !stream.inbox.empty() && timeline_.now() >= trouble.frozen_until) {
      auto const hit = stream.inbox.front();
      record_.require(hit.lease == lease || hit.lease == 0, "P12", "a late cancel interrupted a later borrower");
      if (hit.lease == lease) {
        stream.inbox.pop_front();
        answer(link, {hit.nonce, Failure{ErrorClass::cancelled, SendState::refused}});
        if (!stream.inbox.empty()) start(link, stream_number);
      }
    }
    to_client(link, ended);
  });
}

void Server::kill_all() {
  for (auto const& link : links_) {
    if (link->session == Link::Session::alive) reset(*link);
  }
}

/// The session ends at once; the client notices when the reset arrives.
void Server::reset(Link& link) {
  end_session(link);
  to_client(link, [&link] {
    link.is_open = false;
    auto const expected = std::exchange(link.expected, {});
    if (link.lost) link.lost();
    for (auto const& each : expected) {
      if (each.handler) each.handler(nullptr);
    }
  });
}

}  // namespace belay::simulation
