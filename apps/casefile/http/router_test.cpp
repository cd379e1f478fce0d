#include "apps/casefile/http/router.hpp"

#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/casefile/http/target.hpp"
#include "belay/core/error.hpp"

namespace casefile::http {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;
using testing::Pair;

Handler answering(std::string text) {
  return [text = std::move(text)](Request&) -> asio::awaitable<Response> {
    Response response;
    response.body = text;
    co_return response;
  };
}

struct RouterTest : testing::Test {
  Router router;
  Request request;

  RouterTest() {
    router.add("GET", "/", answering("root"))
        .add("GET", "/api/dossiers", answering("list"))
        .add("POST", "/api/dossiers", answering("create"))
        .add("GET", "/api/dossiers/{id}", answering("get"))
        .add("GET", "/api/dossiers/recent", answering("recent"))
        .add("PATCH", "/api/dossiers/{id}/pin", answering("pin"))
        .add("HEAD", "/own-head", answering("own head"))
        .add("GET", "/own-head", answering("get of own head"));
  }

  Response ask(std::string const& method, std::string const& target) {
    request = Request();
    request.method = method;
    EXPECT_FALSE(read_target(target, 100, request)) << target;
    asio::io_context context;
    std::optional<Response> answer;
    asio::co_spawn(context, router(request),
                   [&](std::exception_ptr, Response response) { answer = std::move(response); });
    context.run();
    return answer.value_or(Response());
  }
  std::string header(Response const& response, std::string const& name) {
    for (auto const& [known, value] : response.headers) {
      if (known == name) return value;
    }
    return "absent";
  }
};

TEST_F(RouterTest, FindsARouteByMethodAndPath) {
  EXPECT_EQ(ask("GET", "/").body, "root");
  EXPECT_EQ(ask("GET", "/api/dossiers").body, "list");
  EXPECT_EQ(ask("POST", "/api/dossiers?x=y").body, "create");
  EXPECT_EQ(request.route, "/api/dossiers");
}

TEST_F(RouterTest, HandsThePlaceholderOverDecoded) {
  for (auto const* target :
       {"/api/dossiers/dossier:xxx", "/api/dossiers/dossier%3Axxx", "/api/dossiers/dossier%3axxx"}) {
    EXPECT_EQ(ask("GET", target).body, "get");
    EXPECT_EQ(request.parameter("id"), "dossier:xxx");
    EXPECT_EQ(request.route, "/api/dossiers/{id}");
  }
  EXPECT_THROW((void)request.parameter("name"), std::out_of_range);
}

TEST_F(RouterTest, KeepsAnEncodedSlashInsideItsSegment) {
  EXPECT_EQ(ask("GET", "/api/dossiers/a%2Fb").body, "get");
  EXPECT_THAT(request.parameters, ElementsAre(Pair("id", "a/b")));
  EXPECT_EQ(ask("GET", "/api/dossiers/..%2f..").body, "get");
  EXPECT_EQ(request.parameter("id"), "../..");
}

TEST_F(RouterTest, PrefersALiteralToAPlaceholder) {
  EXPECT_EQ(ask("GET", "/api/dossiers/recent").body, "recent");
  EXPECT_EQ(ask("GET", "/api/dossiers/recent2").body, "get");
}

TEST_F(RouterTest, ComparesLiteralsDecoded) { EXPECT_EQ(ask("GET", "/%61pi/dossiers").body, "list"); }

TEST_F(RouterTest, IgnoresATrailingSlash) {
  EXPECT_EQ(ask("GET", "/api/dossiers/").body, "list");
  EXPECT_EQ(ask("PATCH", "/api/dossiers/x/pin/").body, "pin");
}

TEST_F(RouterTest, AnswersAnUnknownPathWith404) {
  for (auto const* target : {"/api", "/api/dossier", "/api/dossiers/x/y", "//", "/api//dossiers", "/api/dossiers//",
                             "/API/dossiers", "/api/dossiers/x/pin/y"}) {
    EXPECT_EQ(ask("GET", target).status, 404u) << target;
    EXPECT_EQ(request.route, "");
  }
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "/a";
  EXPECT_EQ(ask("GET", deep).status, 404u);
}

TEST_F(RouterTest, ShapesItsOwnAnswersAsTold) {
  EXPECT_EQ(ask("GET", "/nothing").body, R"({"error":{"message":"Not Found","type":"HTTPException"}})");
  router = Router([](unsigned status, std::string_view type, std::string_view) {
    Response response;
    response.status = status;
    response.body = type;
    return response;
  });
  EXPECT_EQ(ask("GET", "/nothing").body, "HTTPException");
}

TEST_F(RouterTest, AnswersAMethodThatIsNotThereWith405AndAllow) {
  auto const answer = ask("DELETE", "/api/dossiers");
  EXPECT_EQ(answer.status, 405u);
  EXPECT_EQ(header(answer, "Allow"), "GET, HEAD, POST");
  EXPECT_EQ(header(ask("GET", "/api/dossiers/x/pin"), "Allow"), "PATCH");
  EXPECT_EQ(request.route, "/api/dossiers/{id}/pin");
}

TEST_F(RouterTest, AnswersOptionsWithAllow) {
  auto const answer = ask("OPTIONS", "/api/dossiers");
  EXPECT_EQ(answer.status, 204u);
  EXPECT_EQ(header(answer, "Allow"), "GET, HEAD, POST");
  EXPECT_EQ(ask("OPTIONS", "*").status, 204u);
}

TEST_F(RouterTest, AnswersHeadByGetUnlessItHasItsOwn) {
  EXPECT_EQ(ask("HEAD", "/api/dossiers").body, "list");
  EXPECT_EQ(ask("HEAD", "/own-head").body, "own head");
  EXPECT_EQ(ask("HEAD", "/api/dossiers/x/pin").status, 405u);
}

TEST_F(RouterTest, RefusesPatternsThatMakeNoSense) {
  for (auto const* pattern : {"", "api", "/a//b", "/{}", "/a{b}", "/{a}{b}", "/{a"}) {
    EXPECT_THROW(router.add("GET", pattern, answering("")), belay::Error) << pattern;
  }
  EXPECT_THROW(router.add("G ET", "/a", answering("")), belay::Error);
}

TEST_F(RouterTest, RefusesARouteThatIsThereAlready) {
  EXPECT_THROW(router.add("GET", "/api/dossiers", answering("")), belay::Error);
  EXPECT_THROW(router.add("PUT", "/api/dossiers/{key}", answering("")), belay::Error)
      << "the same paths otherwise named";
  router.add("PUT", "/api/dossiers/{id}", answering("put"));
  EXPECT_EQ(ask("PUT", "/api/dossiers/x").body, "put");
}

}  // namespace
}  // namespace casefile::http
