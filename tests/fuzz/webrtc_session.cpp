#include <cstdlib>
#include <deque>
#include <vector>

#include "media/webrtc_session.hpp"
#include "wire/rtp/packet.hpp"
#include "wire/sctp/stack.hpp"
#include "wire/sctp/test_clock.hpp"
#include "wire/sctp/test_gettimeofday.hpp"

using namespace strowger;
using media::WebrtcSession;

namespace {

const SocketAddress addresses[] = {*SocketAddress::parse("192.0.2.1:1000"),
                                   *SocketAddress::parse("198.51.100.1:2000")};

const std::shared_ptr<const dtls::Identity>& identity() {
    static const auto made =
        dtls::Identity::make(
            dtls::Certificate::self_signed(dtls::Certificate::Key::ecdsa_p256, WallTime{}))
            .value();
    return made;
}

WebrtcSession::Config config(std::size_t side) {
    WebrtcSession::Config config;
    config.ice.role = side == 0 ? ice::Role::controlling : ice::Role::controlled;
    config.ice.ordinary_checks = side == 0;
    config.ice.local = {side == 0 ? "aaaa" : "bbbb", "passwordof22characters"};
    config.identity = identity();
    config.sctp.emplace();
    return config;
}

/// Two ends of a session and the datagrams between them, some of which the input changes, repeats,
/// drops or makes up.
class Pair {
public:
    explicit Pair(Bytes input) : input_(input) {
        for (std::size_t side = 0; side < 2; ++side) {
            sessions_[side] = std::make_unique<WebrtcSession>(config(side), random_, now_);
            (void)sessions_[side]->ice().add_local(ice::Candidate::host(addresses[side]), 0);
        }
        for (std::size_t side = 0; side < 2; ++side) {
            media::WebrtcPeer peer;
            peer.credentials = sessions_[1 - side]->ice().local();
            peer.candidates = {ice::Candidate::host(addresses[1 - side])};
            peer.fingerprints = {identity()->fingerprint()};
            peer.our_role = side == 0 ? dtls::Role::client : dtls::Role::server;
            if (!sessions_[side]->set_peer(peer, now_)) std::abort();
        }
    }

    void run() {
        for (int round = 0; round < 60; ++round) {
            for (std::size_t side = 0; side < 2; ++side) work(side);
            now_ += std::chrono::milliseconds{10};
            sctp::test_clock = now_;
            sctp::Stack::the_process().tick(now_);
        }
        // Left alone it comes to an end, or rests.
        for (int i = 0; i < 20; ++i) {
            now_ += std::chrono::seconds{5};
            for (auto& session : sessions_) {
                session->tick(now_);
                drain(*session);
            }
        }
        for (auto& session : sessions_) {
            if (!session->ended()) std::abort();  // nobody answers: consent or patience ends
        }
    }

private:
    void drain(WebrtcSession& session) {
        WebrtcSession::Event event;
        while (session.poll(event)) {}
        if (session.channels() && !session.ended()) {
            datachannel::Channels::Event from;
            while (session.channels()->poll(from)) {
                if (from.kind != datachannel::Channels::Event::Kind::message) continue;
                (void)session.channels()->send(from.channel, from.text, from.bytes);
            }
        }
        std::size_t count = 0;
        while (session.poll(transmit_)) {
            if (++count > 5000) std::abort();
        }
    }

    void work(std::size_t side) {
        auto& session = *sessions_[side];
        WebrtcSession::Event event;
        while (session.poll(event)) {
            if (event.kind == WebrtcSession::Event::Kind::connected && side == 0) {
                (void)session.channels()->open({.label = "x"});
            }
        }
        if (session.channels() && !session.ended()) {
            datachannel::Channels::Event from;
            while (session.channels()->poll(from)) {}
        }
        session.tick(now_);
        std::vector<std::vector<std::uint8_t>> out;
        while (session.poll(transmit_) && out.size() < 200) {
            out.emplace_back(transmit_.bytes.begin(), transmit_.bytes.end());
        }
        if (session.connected()) {
            std::vector<std::uint8_t> packet(100 + WebrtcSession::headroom);
            rtp::write_header({.payload_type = 96, .sequence = ++sequence_, .ssrc = 7}, packet);
            if (const auto sent = session.protect_rtp(packet, 100)) {
                out.emplace_back(sent->bytes.begin(), sent->bytes.end());
            }
        }
        for (auto& datagram : out) deliver(side, std::move(datagram));
    }

    void deliver(std::size_t from, std::vector<std::uint8_t> datagram) {
        std::uint8_t how = 255;
        if (input_.size() >= 3) {
            how = input_[0] % 16;
            const auto at = input_[1], value = input_[2];
            input_ = input_.subspan(3);
            if (how == 0) return;
            if (how < 5) datagram[at * datagram.size() / 256] ^= value;
            if (how == 5) datagram.resize(1 + at * datagram.size() / 256);
            if (how == 6) datagram.resize(std::min<std::size_t>(datagram.size() + at, 2000), value);
            if (how == 7) {
                const auto size = std::min<std::size_t>(at, input_.size());
                datagram.assign(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(size));
                input_ = input_.subspan(size);
            }
        }
        auto& to = *sessions_[1 - from];
        for (int times = how == 8 ? 2 : 1; times > 0; --times) {
            auto copy = datagram;
            auto source = addresses[from];
            if (how == 9) source.port = 9;
            const auto media = to.receive(0, source, copy, now_);
            if (media.size > copy.size()) std::abort();
        }
    }

    Bytes input_;
    Random random_{1};
    Time now_{std::chrono::seconds{100}};
    std::unique_ptr<WebrtcSession> sessions_[2];
    WebrtcSession::Transmit transmit_;
    std::uint16_t sequence_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 2000) return 0;
    Pair({data, size}).run();
    return 0;
}
