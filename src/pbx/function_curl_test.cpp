#include "io/http_server.hpp"
#include "pbx/test_exchange.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using testing::TestCaller;
using testing::TestExchange;

/// A web server in the exchange's own loop, and a dialplan that can name it as ${GLOBAL(web)}.
struct Web {
    TestExchange exchange;
    io::HttpServer server{exchange.loop, io::HttpServer::Options{}};
    std::vector<io::HttpRequest> asked;

    explicit Web(const std::string& dialplan) : exchange(dialplan) {
        const auto take = [this](const io::HttpRequest& request) {
            asked.push_back(request);
            if (request.path == "/moved") {
                auto response = io::HttpResponse::text(302, "");
                response.headers.set("Location", "/there?x=1");
                return response;
            }
            if (request.path == "/circle") {
                auto response = io::HttpResponse::text(302, "");
                response.headers.set("Location", "/circle");
                return response;
            }
            if (request.path == "/missing") return io::HttpResponse::text(404, "not here");
            if (request.path == "/row") return io::HttpResponse::text(200, "name=Ann+B&age=7\n");
            if (request.path == "/large")
                return io::HttpResponse::text(200, std::string(100'000, 'x'));
            return io::HttpResponse::text(
                200, fmt::format("{} {} {}\r\n", request.method, request.target, request.body));
        };
        for (const auto* path :
             {"/a", "/moved", "/there", "/circle", "/missing", "/row", "/large"}) {
            server.route_now("GET", path, take);
            server.route_now("POST", path, take);
        }
        const auto bound = server.listen({*IpAddress::parse("127.0.0.1"), 0});
        EXPECT_TRUE(bound) << bound.error().text();
        exchange.exchange->globals().set("web", bound->text());
    }
    std::string run(const std::string& name) {
        TestCaller caller(exchange);
        EXPECT_EQ(caller.call("1"), 200);
        return exchange.say(name);
    }
};

TEST(Curl, AsksAServerAndGivesItsAnswerWithoutTheLineEnd) {
    Web web(
        "exten => 1,1,Answer()\nsame => n,Set(x=${CURL(http://${web}/a?q=1)})\n"
        "same => n,Set(y=${CURL(${web}/a,k=v&l=w)})\n"
        "same => n,UserEvent(done,is: [${x}][${y}])\n");
    EXPECT_EQ(web.run("done"), "[GET /a?q=1][POST /a k=v&l=w]");
    EXPECT_EQ(web.asked.at(1).headers.get("Content-Type"), "application/x-www-form-urlencoded");
}

TEST(Curl, SendsWhatItsOptionsSay) {
    Web web(
        "exten => 1,1,Answer()\nsame => n,Set(CURLOPT(useragent)=test)\n"
        "same => n,Set(CURLOPT(userpwd)=Aladdin:open sesame)\n"
        "same => n,Set(CURLOPT(cookie)=a=1)\nsame => n,Set(CURLOPT(cookie)=b=2)\n"
        "same => n,Set(CURLOPT(httpheader)=X-One: 1)\n"
        "same => n,Set(CURLOPT(httpheader)=Content-Type: text/plain)\n"
        "same => n,UserEvent(done,is: ${CURLOPT(useragent)}${CURL(http://${web}/a,x):0:0})\n");
    EXPECT_EQ(web.run("done"), "test");
    ASSERT_EQ(web.asked.size(), 1u);
    const auto& headers = web.asked[0].headers;
    EXPECT_EQ(headers.get("User-Agent"), "test");
    // RFC 7617 section 2.
    EXPECT_EQ(headers.get("Authorization"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    EXPECT_EQ(headers.get("Cookie"), "a=1; b=2");
    EXPECT_EQ(headers.get("X-One"), "1");
    EXPECT_EQ(headers.get("Content-Type"), "text/plain");
}

TEST(Curl, FollowsRedirectionsOnlyWhenToldAndNotForEver) {
    Web web(
        "exten => 1,1,Answer()\nsame => n,Set(a=${CURL(http://${web}/moved)})\n"
        "same => n,Set(CURLOPT(followlocation)=1)\nsame => n,Set(b=${CURL(http://${web}/moved)})\n"
        "same => n,Set(CURLOPT(maxredirs)=3)\nsame => n,Set(c=${CURL(http://${web}/circle)})\n"
        "same => n,UserEvent(done,is: [${a}][${b}][${c}])\n");
    EXPECT_EQ(web.run("done"), "[][GET /there?x=1][]");
    EXPECT_EQ(web.asked.size(), 1u + 2u + 4u);
}

TEST(Curl, GivesNothingForAFailureAndGoesOn) {
    Web web(
        "exten => 1,1,Answer()\nsame => n,Set(a=${CURL(http://${web}/missing)})\n"
        "same => n,Set(CURLOPT(failurecodes)=404,500)\n"
        "same => n,Set(b=${CURL(http://${web}/missing)})\n"
        "same => n,Set(c=${CURL(http://${web}/large)})\n"
        "same => n,Set(CURLOPT(httptimeout)=1)\nsame => n,Set(d=${CURL(http://127.0.0.1:1/)})\n"
        "same => n,Set(e=${CURL(ftp://${web}/a)})\n"
        "same => n,UserEvent(done,is: [${a}][${b}][${c}][${d}][${e}])\n");
    EXPECT_EQ(web.run("done"), "[not here][][][][]");
}

TEST(Curl, MakesARowForAHash) {
    Web web(
        "exten => 1,1,Answer()\nsame => n,Set(CURLOPT(hashcompat)=yes)\n"
        "same => n,Set(HASH(who)=${CURL(http://${web}/row)})\n"
        "same => n,UserEvent(done,is: ${HASH(who,name)} ${HASH(who,age)})\n");
    EXPECT_EQ(web.run("done"), "Ann B 7");
}

TEST(Curl, WorksAfterTheCallHasEnded) {
    Web web(
        "exten => 1,1,Answer()\nsame => n,Hangup()\n"
        "exten => h,1,UserEvent(done,is: ${CURL(http://${web}/a)})\n");
    EXPECT_EQ(web.run("done"), "GET /a");
}

TEST(Shell, GivesWhatTheCommandPrints) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,Set(x=${SHELL(printf 'a b' && echo c)})\n"
        "same => n,UserEvent(done,is: [${x:0:4}])\n");
    TestCaller caller(exchange);
    EXPECT_EQ(caller.call("1"), 200);
    EXPECT_EQ(exchange.say("done"), "[a bc]");
}

TEST(Locks, AreWaitedForInTurn) {
    TestExchange exchange(
        "exten => 1,1,Answer()\nsame => n,NoOp(${LOCK(door)})\nsame => n,UserEvent(first,is: 1)\n"
        "same => n,Wait(0.3)\nsame => n,NoOp(${UNLOCK(door)})\nsame => n,Wait(5)\n"
        "exten => 2,1,Answer()\nsame => n,UserEvent(second,is: ${LOCK(door)})\nsame => n,Wait(5)\n"
        "exten => 3,1,Answer()\nsame => n,UserEvent(third,is: ${LOCK(door)})\nsame => n,Wait(5)\n");
    TestCaller alice(exchange), bob(exchange, "bob"), third(exchange, "bob");
    ASSERT_EQ(alice.call("1"), 200);
    EXPECT_EQ(exchange.say("first"), "1");
    ASSERT_EQ(bob.call("2"), 200);
    ASSERT_EQ(third.call("3"), 200);
    EXPECT_EQ(exchange.say("second", "is", 150ms), "(nothing)");
    EXPECT_EQ(exchange.say("second"), "1");
    EXPECT_EQ(exchange.say("third", "is", 100ms), "(nothing)");
    bob.hang_up();
    EXPECT_EQ(exchange.say("third"), "1");
}

}  // namespace
}  // namespace strowger::pbx
