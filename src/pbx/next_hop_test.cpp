#include "pbx/next_hop.hpp"

#include "pbx/test_parts.hpp"

namespace strowger::pbx {
namespace {

using Protocol = config::Transport::Protocol;

Contact over(const sip::Flow& flow, std::string uri) {
    Contact contact;
    contact.uri = std::move(uri);
    contact.flow = flow;
    contact.expires = Time{} + std::chrono::hours{1};
    return contact;
}

TEST(NextHop, SendsToALiteralFromTheSocketOfThatFamily) {
    Parts parts;
    const auto flow = parts.wait(next_hop(*parts.core, "sip:bob@127.0.0.1:5070"));
    ASSERT_TRUE(flow) << flow.error().text();
    EXPECT_EQ(flow->remote.text(), "127.0.0.1:5070");
    EXPECT_EQ(flow->local, parts.address());
    EXPECT_NE(flow->id, 0u);
    const auto other = parts.wait(next_hop(*parts.core, "sip:bob@[::1]:5070"));
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().text(),
              "sip:bob@[::1]:5070: no UDP transport of that address family to reach [::1]:5070");
}

TEST(NextHop, TheNamedTransportDecidesProtocolAndSocket) {
    Parts parts;
    ASSERT_TRUE(parts.signalling.open(transport(Protocol::udp, "second")));
    ASSERT_TRUE(parts.signalling.open(transport(Protocol::tcp, "tcp")));
    const auto second = parts.wait(next_hop(*parts.core, "sip:127.0.0.1:5070", "second"));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->local, parts.signalling.listening()[1].address);
    const auto tcp = parts.wait(next_hop(*parts.core, "sip:127.0.0.1:5070", "tcp"));
    ASSERT_TRUE(tcp);
    EXPECT_EQ(tcp->transport, sip::Transport::tcp);
}

TEST(NextHop, ListsEveryServerForFailover) {
    Parts parts;
    for (std::uint8_t i = 1; i <= 2; ++i)
        parts.names.zone.insert(
            {"sip.example.com", {1, 60, std::string{127, 0, 0, static_cast<char>(i)}}});
    const auto flows = parts.wait(next_hops(*parts.core, "sip:sip.example.com:5070"));
    ASSERT_TRUE(flows) << flows.error().text();
    EXPECT_EQ(flows->size(), 2u);
}

TEST(ContactTarget, AContactOverUdpIsReachedFromTheSocketItRegisteredAt) {
    Parts parts;
    ASSERT_TRUE(parts.signalling.open(transport(Protocol::udp, "second")));
    const auto second = parts.wait(next_hop(*parts.core, "sip:127.0.0.1:5070", "second"));
    const auto target =
        parts.wait(contact_target(*parts.core, over(*second, "sip:bob@127.0.0.1:5070")));
    ASSERT_TRUE(target) << target.error().text();
    EXPECT_EQ(target->uri, "sip:bob@127.0.0.1:5070");
    EXPECT_EQ(target->flow, *second);
    EXPECT_TRUE(target->route.empty());
}

TEST(ContactTarget, AConnectionIsUsedWhileItLastsWhateverTheUriSays) {
    Parts parts;
    ASSERT_TRUE(parts.signalling.open(transport(Protocol::tcp, "tcp")));
    Peer peer(parts, Peer::always(200), Protocol::tcp);
    // The phone opens a connection and sends something over it.
    sip::Flow seen;
    parts.signalling.on_request([&](const sip::TransactionEvent& event) {
        if (const auto* received = std::get_if<sip::RequestReceived>(&event))
            seen = received->request->flow();
    });
    auto to = peer.signalling.flow_to(sip::Transport::tcp, parts.signalling.listening()[1].address);
    peer.signalling.layer().send_raw(
        "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\nFrom: "
        "<sip:a@b>;tag=1\r\nTo: <sip:x>\r\n"
        "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        *to);
    peer.signalling.touch();
    ASSERT_TRUE(parts.until([&] { return seen.id != 0; }));

    const auto contact = over(seen, "sip:bob@10.255.255.1:1;transport=tcp");
    const auto target = parts.wait(contact_target(*parts.core, contact));
    ASSERT_TRUE(target) << target.error().text();
    EXPECT_EQ(target->flow, seen);

    sip::Flow closed = seen;
    closed.id = 999;
    closed.transport = sip::Transport::wss;
    const auto gone =
        parts.wait(contact_target(*parts.core, over(closed, "sip:x@abc.invalid;transport=ws")));
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().text(),
              "sip:x@abc.invalid;transport=ws: the WebSocket that it registered on is closed");
}

TEST(ContactTarget, PathAndProxyAreTheRouteAndTheFirstOfThemTheHop) {
    Parts parts;
    Contact contact = over({}, "sip:bob@192.0.2.1");
    contact.path = {"<sip:127.0.0.1:5081;lr>", "<sip:edge.example.com;lr>"};
    const auto by_path = parts.wait(contact_target(*parts.core, contact));
    ASSERT_TRUE(by_path) << by_path.error().text();
    EXPECT_EQ(by_path->route, contact.path);
    EXPECT_EQ(by_path->flow.remote.text(), "127.0.0.1:5081");

    const auto by_proxy = parts.wait(contact_target(*parts.core, contact, "sip:127.0.0.1:5090"));
    ASSERT_TRUE(by_proxy) << by_proxy.error().text();
    EXPECT_EQ(by_proxy->route.front(), "<sip:127.0.0.1:5090;lr>");
    EXPECT_EQ(by_proxy->route.size(), 3u);
    EXPECT_EQ(by_proxy->flow.remote.text(), "127.0.0.1:5090");
}

TEST(ContactTarget, ProxiesAreLooseRouters) {
    EXPECT_EQ(route_value("sip:proxy.example.net"), "<sip:proxy.example.net;lr>");
    EXPECT_EQ(route_value("sip:proxy.example.net;lr"), "<sip:proxy.example.net;lr>");
    EXPECT_EQ(route_value("<sip:proxy.example.net>"), "<sip:proxy.example.net>");
}

}  // namespace
}  // namespace strowger::pbx
