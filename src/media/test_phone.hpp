#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/clock.hpp"
#include "io/media_socket.hpp"
#include "media/local_engine.hpp"
#include "wire/rtp/packet.hpp"
#include "wire/sdp/session.hpp"

namespace strowger::media {

/// For tests: one end of a call on loopback, with real sockets.
class TestPhone {
public:
    struct Heard {
        rtp::Header header;
        std::vector<std::uint8_t> payload;
    };

    explicit TestPhone(const std::string& address = "127.0.0.1") {
        static std::uint16_t next_port = 42000;
        const auto ip = *IpAddress::parse(address);
        for (int i = 0; i < 1000 && !rtcp_.is_open(); ++i, next_port += 2) {
            auto rtp = io::MediaSocket::open({ip, next_port});
            auto rtcp = io::MediaSocket::open({ip, static_cast<std::uint16_t>(next_port + 1)});
            if (!rtp || !rtcp) continue;
            rtp_ = std::move(*rtp);
            rtcp_ = std::move(*rtcp);
            local_ = {ip, next_port};
        }
        static std::uint32_t next_ssrc = 0x1000;
        ssrc = next_ssrc++;
    }

    const SocketAddress& local() const { return local_; }

    /// An offer or answer of one audio section; `formats` as "0 8 101", `maps` as rtpmap values.
    std::string sdp(const std::string& formats, const std::vector<std::string>& maps = {},
                    const std::string& direction = "sendrecv") const {
        const std::string family = local_.ip.is_v4() ? "IP4 " : "IP6 ";
        std::string text = "v=0\r\no=- 1 1 IN " + family + local_.ip.text() + "\r\ns=-\r\nc=IN " +
                           family + local_.ip.text() + "\r\nt=0 0\r\nm=audio " +
                           std::to_string(local_.port) + " RTP/AVP " + formats + "\r\n";
        for (const auto& map : maps) text += "a=rtpmap:" + map + "\r\n";
        return text + "a=" + direction + "\r\n";
    }

    /// What the engine wrote says where to send.
    void call(const std::string& engine_sdp) {
        const auto session = sdp::Session::parse(engine_sdp);
        ASSERT_TRUE(session) << engine_sdp;
        ASSERT_FALSE(session->media.empty());
        const auto address = session->media[0].address();
        ASSERT_TRUE(address) << engine_sdp;
        remote = *address;
    }

    void send(std::vector<std::uint8_t> payload, std::uint8_t type = 0, bool marker = false) {
        send_at(std::move(payload), type, timestamp, marker);
        timestamp += 160;
    }
    void send_at(std::vector<std::uint8_t> payload, std::uint8_t type, std::uint32_t at,
                 bool marker = false) {
        std::array<std::uint8_t, 1500> packet;
        const auto size = rtp::write({.marker = marker,
                                      .payload_type = type,
                                      .sequence = sequence++,
                                      .timestamp = at,
                                      .ssrc = ssrc},
                                     payload, packet);
        rtp_.send_to(Bytes(packet).first(size), remote);
    }
    void send_raw(Bytes bytes) { rtp_.send_to(bytes, remote); }

    /// The next packet, or nothing after `limit`.
    std::optional<Heard> hear(Duration limit = std::chrono::milliseconds{500}) {
        std::array<std::uint8_t, 2048> buffer;
        const auto size = wait_for(rtp_, buffer, limit);
        if (!size) return std::nullopt;
        const auto packet = rtp::Packet::parse(Bytes(buffer).first(*size));
        if (!packet) return std::nullopt;
        return Heard{packet->header(), {packet->payload().begin(), packet->payload().end()}};
    }
    std::vector<std::uint8_t> hear_rtcp(Duration limit) {
        std::array<std::uint8_t, 2048> buffer;
        const auto size = wait_for(rtcp_, buffer, limit);
        if (!size) return {};
        return {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*size)};
    }
    void send_rtcp(Bytes bytes) {
        rtcp_.send_to(bytes, {remote.ip, static_cast<std::uint16_t>(remote.port + 1)});
    }

    SocketAddress remote;
    std::uint32_t ssrc;
    std::uint16_t sequence = 65533;  // wraps soon
    std::uint32_t timestamp = 4000;

private:
    static std::optional<std::size_t> wait_for(io::MediaSocket& socket, MutableBytes buffer,
                                               Duration limit) {
        pollfd ready{.fd = socket.fd(), .events = POLLIN, .revents = 0};
        ::poll(&ready, 1, static_cast<int>(limit / std::chrono::milliseconds{1}));
        SocketAddress from;
        return socket.receive_from(buffer, from);
    }

    io::MediaSocket rtp_, rtcp_;
    SocketAddress local_;
};

/// For tests: an engine and its owner's thread.
class TestExchange {
public:
    explicit TestExchange(LocalEngine::Options options = {.threads = 2,
                                                          .first_port = 30000,
                                                          .last_port = 39999})
        : engine(options) {
        engine.on_event([this](const Event& event) { events.push_back(event); });
    }

    template <typename T>
    T run(Task<T> task) {
        std::optional<T> result;
        auto wait = [](Task<T> inner, std::optional<T>& out) -> Task<> {
            out.emplace(co_await std::move(inner));
        }(std::move(task), result);
        wait.start();
        const Time give_up = io::monotonic_now() + std::chrono::seconds{10};
        while (!wait.done() && io::monotonic_now() < give_up) pump(std::chrono::milliseconds{100});
        if (!result) throw std::runtime_error("the engine did not answer");
        return std::move(*result);
    }

    void pump(Duration limit) {
        pollfd ready{.fd = engine.event_fd(), .events = POLLIN, .revents = 0};
        ::poll(&ready, 1, static_cast<int>(limit / std::chrono::milliseconds{1}));
        engine.dispatch();
    }
    /// Until an event of that kind has come.
    template <typename Kind>
    std::optional<Kind> wait_for(Duration limit = std::chrono::seconds{2}) {
        const Time give_up = io::monotonic_now() + limit;
        while (true) {
            for (auto event = events.begin(); event != events.end(); ++event) {
                if (const auto* found = std::get_if<Kind>(&*event)) {
                    const Kind result = *found;
                    events.erase(event);
                    return result;
                }
            }
            if (io::monotonic_now() >= give_up) return std::nullopt;
            pump(std::chrono::milliseconds{20});
        }
    }
    /// Requests before it have reached the party's thread and been done.
    PartyStats settle(const Party& party) {
        auto stats = run(engine.query({party}));
        EXPECT_TRUE(stats) << (stats ? "" : stats.error().text());
        return stats ? *stats : PartyStats{};
    }

    /// The phone calls in with that offer.
    void call_in(TestPhone& phone, const Party& party, const std::string& offer,
                 Profile profile = {}) {
        auto answer = run(engine.publish({party, offer, std::move(profile)}));
        ASSERT_TRUE(answer) << answer.error().text();
        phone.call(*answer);
    }
    /// The phone is called and answers with that; returns the offer it got.
    std::string call_out(TestPhone& phone, const Party& party, const std::string& answer,
                         Profile profile = {}) {
        auto offer = run(engine.create({party, std::move(profile)}));
        EXPECT_TRUE(offer) << offer.error().text();
        phone.call(*offer);
        auto accepted = run(engine.create_answer({party, answer}));
        EXPECT_TRUE(accepted) << accepted.error().text();
        return *offer;
    }
    void connect(const Party& a, const Party& b) {
        const auto joined = run(engine.connect({a, b}));
        ASSERT_TRUE(joined) << joined.error().text();
        settle(a);
    }

    LocalEngine engine;
    std::deque<Event> events;
};

}  // namespace strowger::media
