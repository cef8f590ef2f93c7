// The torture messages of RFC 4475 and RFC 5118: what is valid parses, what is not is refused with
// the status to answer.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "wire/sip/contact.hpp"
#include "wire/sip/date.hpp"
#include "wire/sip/message.hpp"
#include "wire/sip/uri.hpp"
#include "wire/sip/via.hpp"

namespace strowger::sip {
namespace {

const std::filesystem::path data = std::filesystem::path(STROWGER_SOURCE_DIR) / "tests/data/sip";

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
}

/// `answer`: 0 for a message that is taken, the status for a request that is refused, `discard` for
/// a response that is.
struct Verdict {
    const char* name;
    int answer;
    std::string_view call_id = {};
};
constexpr int discard = -1;

constexpr Verdict rfc4475[] = {
    // 3.1.1 Valid messages
    {"wsinv", 0, "wsinv.ndaksdj@192.0.2.1"},
    {"intmeth", 0, "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"},
    {"esc01", 0, "esc01.239409asdfakjkn23onasd0-3234"},
    {"escnull", 0, "escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd"},
    {"esc02", 0, "esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf"},
    {"lwsdisp", 0, "lwsdisp.1234abcd@funky.example.com"},
    {"longreq", 0},
    {"dblreq", 0, "dblreq.0ha0isndaksdj99sdfafnl3lk233412"},
    {"semiuri", 0, "semiuri.0ha0isndaksdj"},
    {"transports", 0, "transports.kijh4akdnaqjkwendsasfdj"},
    {"mpart01", 0, "3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA.."},
    {"unreason", 0, "unreason.1234ksdfak3j2erwedfsASdf"},
    {"noreason", 0, "noreason.asndj203insdf99223ndf"},
    // 3.1.2 Invalid messages
    {"badinv01", 400},
    {"clerr", 400},
    {"ncl", 400},
    {"scalar02", 400},
    {"scalarlg", discard},
    {"quotbal", 400},
    {"ltgtruri", 400},
    {"lwsruri", 400},
    {"lwsstart", 400},
    {"trws", 400},
    {"escruri", 400},
    {"baddate", 0},  // the Date may be ignored (3.1.2.12), and is
    {"regbadct", 400},
    {"badaspec", 400},
    {"baddn", 400},
    {"badvers", 505},
    {"mismatch01", 400},
    {"mismatch02", 400},
    {"bigcode", discard},
    // 3.2 to 3.4: for the layers above, if they parse
    {"badbranch", 0},
    {"insuf", 400},
    {"unkscm", 0},
    {"novelsc", 0},
    {"unksm2", 0},
    {"bext01", 0},
    {"invut", 0},
    {"regaut01", 0},
    {"multi01", 400},
    {"mcl01", 400},
    {"bcast", 0},
    {"zeromf", 0},
    {"cparam01", 0},
    {"cparam02", 0},
    {"regescrt", 0},
    {"sdp01", 0},
    {"inv2543", 0},
};

constexpr Verdict rfc5118[] = {
    {"ipv6-good", 0},
    {"ipv6-bad", 400},
    {"port-ambiguous", 0},
    {"port-unambiguous", 0},
    {"via-received-param-with-delim", 0},
    {"via-received-param-no-delim", 0},
    {"ipv6-in-sdp", 0},
    {"mult-ip-in-header", 0},
    {"mult-ip-in-sdp", 0},
    {"ipv4-mapped-ipv6", 0},
    {"ipv6-bug-abnf-3-colons", 0},  // section 4.10 asks for leniency with the old grammar
    {"ipv6-correct-abnf-2-colons", 0},
};

void check(const char* folder, const Verdict& verdict) {
    SCOPED_TRACE(verdict.name);
    const auto bytes = read(data / folder / (std::string(verdict.name) + ".dat"));
    ASSERT_FALSE(bytes.empty());
    const auto message = Message::parse(bytes);
    if (verdict.answer == 0) {
        ASSERT_TRUE(message) << message.error().text();
        if (!verdict.call_id.empty()) {
            EXPECT_EQ(message->call_id(), verdict.call_id);
        }
    } else {
        ASSERT_FALSE(message);
        EXPECT_EQ(message.error().code(), verdict.answer == discard ? 0 : verdict.answer)
            << message.error().text();
    }
}

std::size_t files_in(const char* folder) {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(data / folder))
        ++count;
    return count;
}

TEST(Torture, EveryMessageOfRfc4475GetsItsVerdict) {
    EXPECT_EQ(std::size(rfc4475), files_in("rfc4475"));
    for (const auto& verdict : rfc4475) check("rfc4475", verdict);
}

TEST(Torture, EveryMessageOfRfc5118GetsItsVerdict) {
    EXPECT_EQ(std::size(rfc5118), files_in("rfc5118"));
    for (const auto& verdict : rfc5118) check("rfc5118", verdict);
}

TEST(Torture, TheShortTortuousInviteIsReadRight) {
    const auto bytes = read(data / "rfc4475/wsinv.dat");
    const auto m = Message::parse(bytes);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->method(), Method::invite);
    EXPECT_EQ(m->request_uri(), "sip:vivekg@chair-dnrc.example.com;unknownparam");
    EXPECT_EQ(m->to_tag(), "1918181833n");
    EXPECT_EQ(m->from_tag(), "98asjd8");
    EXPECT_EQ(m->cseq(), 9u);
    EXPECT_EQ(m->branch(), "390skdjuw");
    EXPECT_EQ(m->header(HeaderId::subject), "");
    EXPECT_EQ(m->header("newfangledheader"), "newfangled value\r\n continued newfangled value");
    EXPECT_EQ(m->body().size(), 150u);
    const auto from = NameAddress::parse(m->from());
    ASSERT_TRUE(from);
    EXPECT_EQ(from->display_text(), "J Rosenberg \\\"");
    EXPECT_EQ(from->uri, "sip:jdrosen@example.com");
    const auto vias = m->values(HeaderId::via);
    ASSERT_EQ(vias.size(), 3u);
    const auto third = Via::parse(vias[2]);
    ASSERT_TRUE(third) << third.error().text();
    EXPECT_EQ(third->transport, "UDP");
    EXPECT_EQ(third->host, "192.168.255.111");
    EXPECT_EQ(third->branch, "z9hG4bK30239");
    const auto contact = Contact::parse(*m->header(HeaderId::contact));
    ASSERT_TRUE(contact) << contact.error().text();
    EXPECT_EQ(contact->address.display_text(), "Quoted string \"\"");
    EXPECT_EQ(contact->address.parameter("newparam"), "newvalue");
    EXPECT_EQ(contact->address.parameter("secondparam"), "");
    EXPECT_EQ(contact->q, 330);
}

TEST(Torture, TheWideRangeOfCharactersIsReadRight) {
    const auto bytes = read(data / "rfc4475/intmeth.dat");
    const auto m = Message::parse(bytes);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->method(), Method::unknown);
    EXPECT_EQ(m->method_text(), "!interesting-Method0123456789_*+`.%indeed'~");
    const auto uri = Uri::parse(m->request_uri());
    ASSERT_TRUE(uri);
    EXPECT_EQ(uri->user, "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
    EXPECT_EQ(uri->password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
    EXPECT_EQ(uri->host, "example.com");
    EXPECT_EQ(m->branch(), "z9hG4bK-.!%66*_+`'~");
    const auto to = NameAddress::parse(m->to());
    ASSERT_TRUE(to);
    EXPECT_EQ(to->display_text(), std::string("BEL:\a NUL:\0 DEL:\x7f", 17));
    EXPECT_EQ(m->from_tag(), "_token~1'+`*%!-.");
    EXPECT_EQ(find_parameter(m->from(), "x"), std::nullopt);
}

TEST(Torture, EscapesMeanWhatTheySay) {
    const auto bytes = read(data / "rfc4475/esc01.dat");
    const auto m = Message::parse(bytes);
    ASSERT_TRUE(m);
    EXPECT_EQ(unescape(Uri::parse(m->request_uri())->user), "sips:user@example.com");
    EXPECT_EQ(unescape(Uri::parse(m->to())->user), "user");
    const auto nulls = read(data / "rfc4475/escnull.dat");
    const auto n = Message::parse(nulls);
    ASSERT_TRUE(n);
    const auto contacts = n->values(HeaderId::contact);
    ASSERT_EQ(contacts.size(), 2u);
    const auto second = NameAddress::parse(contacts[1]);
    EXPECT_EQ(unescape(Uri::parse(second->uri)->user), std::string(2, '\0'));
    EXPECT_FALSE(
        equivalent(*Uri::parse(NameAddress::parse(contacts[0])->uri), *Uri::parse(second->uri)));
}

TEST(Torture, PercentIsNoEscapeInMethodsAndHeaderNames) {
    const auto bytes = read(data / "rfc4475/esc02.dat");
    const auto m = Message::parse(bytes);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->method(), Method::unknown);
    EXPECT_EQ(m->values(HeaderId::contact).size(), 2u);
    EXPECT_EQ(m->header("C%6Fntact"), "<sip:alias2@host2.example.com>");
}

TEST(Torture, BytesAfterADatagramsMessageAreNotPartOfIt) {
    const auto bytes = read(data / "rfc4475/dblreq.dat");
    const auto m = Message::parse(bytes);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->method(), Method::register_);
    EXPECT_EQ(m->body(), "");
    EXPECT_TRUE(m->bytes().ends_with("Content-Length: 0\r\n\r\n"));
}

TEST(Torture, ManyLongHeadersAreAllThere) {
    const auto bytes = read(data / "rfc4475/longreq.dat");
    const auto m = Message::parse(bytes);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->values(HeaderId::via).size(), 34u);
    EXPECT_EQ(m->top_via(), "SIP/2.0/TCP sip33.example.com");
    EXPECT_TRUE(m->from_tag().starts_with("12982982"));
}

TEST(Torture, BinaryBodiesAreKeptWhole) {
    const auto bytes = read(data / "rfc4475/mpart01.dat");
    const auto m = Message::parse(bytes);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->body().size(), 553u);
    EXPECT_TRUE(m->body().ends_with("--7a9cbec02ceef655--\r\n"));
}

TEST(Torture, ReasonPhrasesMayHoldAnythingOrNothing) {
    const auto unusual = read(data / "rfc4475/unreason.dat");
    EXPECT_EQ(Message::parse(unusual)->reason(), "= 2**3 * 5**2 но сто девяносто девять - простое");
    const auto empty = read(data / "rfc4475/noreason.dat");
    EXPECT_EQ(Message::parse(empty)->status(), 100);
    EXPECT_EQ(Message::parse(empty)->reason(), "");
}

TEST(Torture, ADateInAnotherZoneIsNoDate) {
    const auto bytes = read(data / "rfc4475/baddate.dat");
    EXPECT_EQ(parse_date(*Message::parse(bytes)->header(HeaderId::date)), std::nullopt);
}

TEST(Torture, ParametersOfABareContactBelongToTheHeader) {
    const auto one = read(data / "rfc4475/cparam01.dat");
    const auto bare = NameAddress::parse(*Message::parse(one)->header(HeaderId::contact));
    EXPECT_EQ(bare->uri, "sip:+19725552222@gw1.example.net");
    EXPECT_EQ(bare->parameters, ";unknownparam");
    const auto two = read(data / "rfc4475/cparam02.dat");
    const auto enclosed = NameAddress::parse(*Message::parse(two)->header(HeaderId::contact));
    EXPECT_EQ(enclosed->uri, "sip:+19725552222@gw1.example.net;unknownparam");
    EXPECT_EQ(enclosed->parameters, "");
}

TEST(Torture, AnRfc2543InviteHasNoTagsAndNoBranch) {
    const auto bytes = read(data / "rfc4475/inv2543.dat");
    const auto m = Message::parse(bytes);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->from_tag(), "");
    EXPECT_EQ(m->branch(), "");
    EXPECT_EQ(m->body().size(), 105u);  // no Content-Length: to the end of the datagram
}

TEST(Torture, AnIpv6PortStandsOutsideTheBrackets) {
    const auto inside = read(data / "rfc5118/port-ambiguous.dat");
    const auto a = Uri::parse(Message::parse(inside)->request_uri());
    EXPECT_EQ(a->host, "[2001:db8::10:5070]");
    EXPECT_EQ(a->port, std::nullopt);
    const auto outside = read(data / "rfc5118/port-unambiguous.dat");
    const auto b = Uri::parse(Message::parse(outside)->request_uri());
    EXPECT_EQ(b->host, "[2001:db8::10]");
    EXPECT_EQ(b->port, 5070);
}

TEST(Torture, ReceivedMayOrMayNotHaveBrackets) {
    for (const auto* name : {"via-received-param-with-delim", "via-received-param-no-delim"}) {
        const auto bytes = read(data / "rfc5118" / (std::string(name) + ".dat"));
        const auto m = Message::parse(bytes);
        ASSERT_TRUE(m);
        EXPECT_EQ(Via::parse(m->top_via())->received(), IpAddress::parse("2001:db8::9:255"));
    }
}

}  // namespace
}  // namespace strowger::sip
