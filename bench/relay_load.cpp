// Loads any media relay that speaks NG over UDP: sets calls up, sends RTP in time, measures what
// comes.
//
//   relay_load setup NG CALLS [AT_ONCE [webrtc]]
//                                        sets up and deletes calls, one after the other or so many
//                                        at a time; the called one a phone, or a browser (whose
//                                        packets never come)
//   relay_load hold NG CALLS             sets up calls, waits for a line on standard input
//   relay_load media NG STREAMS SECONDS [SUITE|codec=NAME]
//                                        two streams a call, 172 bytes each 20 ms, spread evenly;
//                                        with a suite (AES_CM_128_HMAC_SHA1_80, ...) one side has
//                                        SRTP; with codec=NAME one side speaks that (PCMU, opus),
//                                        and the relay transcodes
//
// `media` prints "ready", waits for a line, sends, and prints a line of JSON.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "media/codec/codec.hpp"
#include "media/tones.hpp"
#include "wire/ng/framing.hpp"
#include "wire/ng/writer.hpp"
#include "wire/sdp/session.hpp"
#include "wire/srtp/receiver.hpp"
#include "wire/srtp/sdes.hpp"
#include "wire/srtp/sender.hpp"

using namespace strowger;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t payload_size = 160;
constexpr auto packet_time = std::chrono::milliseconds(20);
constexpr auto step = std::chrono::microseconds(100);
constexpr auto drain_interval = std::chrono::milliseconds(5);

int udp_socket(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        if (fd >= 0) ::close(fd);
        return -1;
    }
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    return fd;
}

std::uint64_t wall_nanoseconds() {
    timespec now;
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

/// The transport protocol of browsers (RFC 5764).
constexpr const char* browser = "UDP/TLS/RTP/SAVPF";

/// One question and its answer at a time.
class Ng {
public:
    explicit Ng(const SocketAddress& relay) {
        fd_ = ::socket(AF_INET, SOCK_DGRAM, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(relay.port);
        std::memcpy(&to.sin_addr, relay.ip.data(), 4);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
            throw std::runtime_error("connect");
        const timeval limit{.tv_sec = 5, .tv_usec = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }

    /// The `sdp` of the reply.
    std::string ask(const std::string& command, const std::string& call, bool to_tag,
                    const std::string& sdp, const std::string& protocol = {},
                    const std::string& codec = {}) {
        send(command, call, to_tag, sdp, protocol, codec);
        return receive(command);
    }

    void send(const std::string& command, const std::string& call, bool to_tag,
              const std::string& sdp, const std::string& protocol = {},
              const std::string& codec = {}) {
        ng::Writer out(ng::Encoding::bencode);
        out.dictionary().pair("command", command).pair("call-id", call).pair("from-tag", "from");
        if (to_tag) out.pair("to-tag", "to");
        if (!sdp.empty()) out.pair("sdp", sdp);
        if (!protocol.empty()) out.pair("transport-protocol", protocol);
        if (command == "delete")
            out.pair("delete-delay", 0).key("flags").list().string("fast").end();
        if (protocol == browser) {
            out.pair("ICE", "force");
            out.key("rtcp-mux").list().string("offer").string("require").end();
        } else if (!protocol.empty()) {
            out.key("DTLS").string("off");
        }
        if (!codec.empty())
            out.key("codec").dictionary().key("transcode").list().string(codec).end().end();
        out.end();
        const auto message =
            ng::join_message(fmt::format("{}-{}-{}", ::getpid(), fd_, count_++), out.take());
        if (::send(fd_, message.data(), message.size(), 0) < 0)
            throw std::runtime_error("send to the relay");
    }

    std::string receive(const std::string& command) {
        char buffer[65536];
        const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
        if (got < 0) throw std::runtime_error(command + ": no reply");
        const auto reply = ng::split_message({buffer, static_cast<std::size_t>(got)});
        const auto document = ng::Document::parse(reply.value().document);
        if (!document || document->text_of("result") != "ok")
            throw std::runtime_error(command + ": " + std::string(reply->document));
        return std::string(document->text_of("sdp"));
    }

private:
    int fd_;
    std::uint64_t count_ = 0;
};

std::string description(std::uint16_t port, const std::string& protocol = "RTP/AVP",
                        const std::string& crypto = {}, const std::string& codec = {}) {
    const std::string format = codec.empty()     ? "8\r\na=rtpmap:8 PCMA/8000"
                               : codec == "opus" ? "96\r\na=rtpmap:96 opus/48000/2"
                                                 : "0\r\na=rtpmap:0 PCMU/8000";
    return fmt::format(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} {} "
        "{}\r\n{}",
        port, protocol, format, crypto.empty() ? "" : "a=crypto:" + crypto + "\r\n");
}

/// What an end of a transcoded call says: two tones, over and over.
struct Speech {
    std::uint8_t type = 8;
    std::uint32_t ticks = payload_size;
    std::vector<std::vector<std::uint8_t>> payloads;
};

Speech speech_in(const std::string& name) {
    const bool opus = name == "opus";
    const sdp::Codec codec{name, opus ? 48000U : 8000U, static_cast<std::uint8_t>(opus ? 2 : 1)};
    auto tone = media::ToneGenerator::parse("440+613").value();
    constexpr std::size_t packets = 50;
    auto encoder = codec::make_encoder(codec, 8000);
    Speech speech{.type = static_cast<std::uint8_t>(opus             ? 96
                                                    : name == "PCMU" ? 0
                                                                     : 8),
                  .ticks = codec.clock_rate / 50};
    for (std::size_t i = 0; i < packets; ++i) {
        std::array<media::Sample, payload_size> samples;
        tone.generate(samples);
        std::array<std::uint8_t, codec::max_payload> payload;
        const auto size = encoder->encode(samples, payload);
        speech.payloads.emplace_back(payload.begin(),
                                     payload.begin() + static_cast<std::ptrdiff_t>(size));
    }
    return speech;
}

std::uint16_t port_in(const std::string& sdp) {
    const auto parsed = sdp::Session::parse(sdp);
    if (!parsed || parsed->media.empty() || parsed->media[0].port == 0)
        throw std::runtime_error("no port in " + sdp);
    return parsed->media[0].port;
}

/// One end of a stream each way.
struct End {
    int fd = -1;
    std::uint16_t port = 0;
    sockaddr_in relay{};
    std::uint32_t ssrc = 0, stamp = 0;
    std::uint16_t sequence = 0;
    std::uint64_t received = 0;
    const Speech* speech = nullptr;  ///< null: codes of no meaning, and when they were sent
    std::unique_ptr<srtp::Sender> sending;
    std::unique_ptr<srtp::Receiver> receiving;

    void open(std::uint16_t& next_port) {
        while (fd < 0) {
            port = next_port;
            next_port = static_cast<std::uint16_t>(next_port + 2);
            fd = udp_socket(port);
        }
    }
    void aim(std::uint16_t to) {
        relay.sin_family = AF_INET;
        relay.sin_port = htons(to);
        relay.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
};

struct Figures {
    std::uint64_t sent = 0, received = 0, bad = 0, failed = 0;
    std::vector<std::uint32_t> latency, late;
};

void send_one(End& end, Figures& figures) {
    std::array<std::uint8_t, 12 + payload_size + 64> packet{};
    packet[0] = 0x80;
    packet[1] = 8;
    store16(packet, 2, end.sequence++);
    store32(packet, 4, end.stamp += payload_size);
    store32(packet, 8, end.ssrc);
    const auto now = wall_nanoseconds();
    std::memcpy(packet.data() + 12, &now, sizeof now);
    std::size_t size = 12 + payload_size;
    if (end.speech) {
        packet[1] = end.speech->type;
        end.stamp += end.speech->ticks - payload_size;
        store32(packet, 4, end.stamp);
        const auto& payload = end.speech->payloads[end.sequence % end.speech->payloads.size()];
        std::ranges::copy(payload, packet.begin() + 12);
        size = 12 + payload.size();
    }
    if (end.sending) size = end.sending->protect(packet, size).value_or(0);
    const auto sent = ::sendto(end.fd, packet.data(), size, 0,
                               reinterpret_cast<sockaddr*>(&end.relay), sizeof end.relay);
    if (sent < 0) ++figures.failed;
    ++figures.sent;
}

void drain(End& end, Figures& figures) {
    for (;;) {
        std::uint8_t packet[2048];
        char control[128];
        iovec part{packet, sizeof packet};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const auto got = ::recvmsg(end.fd, &message, MSG_DONTWAIT);
        if (got < 0) return;
        std::size_t size = static_cast<std::size_t>(got);
        if (end.receiving) size = end.receiving->unprotect({packet, size}).value_or(0);
        if (end.speech ? size <= 12 : size != 12 + payload_size) {
            ++figures.bad;
            continue;
        }
        ++end.received;
        ++figures.received;
        if (end.speech) continue;
        std::uint64_t sent;
        std::memcpy(&sent, packet + 12, sizeof sent);
        for (cmsghdr* header = CMSG_FIRSTHDR(&message); header;
             header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_type != SCM_TIMESTAMPNS) continue;
            timespec when;
            std::memcpy(&when, CMSG_DATA(header), sizeof when);
            const auto arrived = static_cast<std::uint64_t>(when.tv_sec) * 1'000'000'000U +
                                 static_cast<std::uint64_t>(when.tv_nsec);
            figures.latency.push_back(static_cast<std::uint32_t>(
                std::min<std::uint64_t>(arrived - sent, 4'000'000'000U)));
        }
    }
}

double percentile(std::vector<std::uint32_t>& values, double part) {
    if (values.empty()) return 0;
    const auto at =
        values.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(values.size() - 1) * part);
    std::nth_element(values.begin(), at, values.end());
    return *at / 1000.0;
}

void wait_for_line() {
    char line[16];
    if (!std::fgets(line, sizeof line, stdin)) std::exit(0);
}

void set_up(Ng& ng, std::size_t call, End& a, End& b, const std::string& suite,
            const std::string& codec = {}) {
    const auto id = fmt::format("load-{}-{}", ::getpid(), call);
    const auto offer =
        ng.ask("offer", id, false, description(a.port), suite.empty() ? "" : "RTP/SAVP", codec);
    b.aim(port_in(offer));
    std::string crypto;
    if (!suite.empty()) {
        const auto parsed = sdp::Session::parse(offer);
        for (const auto value : parsed->media[0].attribute_values("crypto")) {
            const auto offered = srtp::parse_crypto(value);
            if (!offered || srtp::info_of(offered->policy.suite).name != suite) continue;
            srtp::Crypto mine = *offered;
            mine.keys = {
                {.key = {srtp::MasterKey::random(offered->policy.suite), {}}, .lifetime = {}}};
            crypto = srtp::print(mine);
            b.receiving = std::make_unique<srtp::Receiver>(
                std::move(*srtp::Receiver::make(offered->policy, offered->identified_keys())));
            b.sending = std::make_unique<srtp::Sender>(
                std::move(*srtp::Sender::make(mine.policy, mine.keys[0].key)));
        }
        if (crypto.empty()) throw std::runtime_error("the relay does not offer " + suite);
    }
    const auto answer =
        ng.ask("answer", id, true,
               description(b.port, suite.empty() ? "RTP/AVP" : "RTP/SAVP", crypto, codec));
    a.aim(port_in(answer));
}

int load_media(Ng& ng, std::size_t streams, int seconds, const std::string& suite) {
    auto random = Random::system();
    std::vector<End> ends(streams / 2 * 2);
    std::uint16_t next_port = 4000;
    for (auto& end : ends) {
        end.open(next_port);
        end.ssrc = random.next32();
    }
    const std::string codec = suite.starts_with("codec=") ? suite.substr(6) : "";
    Speech here, there;
    if (!codec.empty()) {
        here = speech_in("PCMA");
        there = speech_in(codec);
    }
    for (std::size_t i = 0; i < ends.size(); i += 2) {
        if (!codec.empty()) {
            ends[i].speech = &here;
            ends[i + 1].speech = &there;
        }
        set_up(ng, i / 2, ends[i], ends[i + 1], codec.empty() ? suite : "", codec);
    }
    fmt::print("ready\n");
    std::fflush(stdout);
    wait_for_line();

    // The relay learns for some seconds; what is counted comes after.
    constexpr auto warm_up = std::chrono::seconds(4);
    Figures figures;
    const auto begin = Clock::now();
    const auto end_time = begin + warm_up + std::chrono::seconds(seconds);
    const double per_step = static_cast<double>(ends.size()) *
                            std::chrono::duration<double>(step).count() /
                            std::chrono::duration<double>(packet_time).count();
    double owed = 0;
    std::size_t at = 0;
    auto due = begin, next_drain = begin;
    bool counting = false;
    while (due < end_time) {
        if (!counting && due >= begin + warm_up) {
            for (auto& end : ends) drain(end, figures);
            figures = {};
            figures.latency.reserve(4'000'000);
            for (auto& end : ends) end.received = 0;
            counting = true;
            fmt::print("begin\n");
            std::fflush(stdout);
        }
        std::this_thread::sleep_until(due);
        const auto late = Clock::now() - due;
        if (counting) figures.late.push_back(static_cast<std::uint32_t>(late.count()));
        for (owed += per_step; owed >= 1; --owed) {
            send_one(ends[at], figures);
            at = (at + 1) % ends.size();
        }
        if (due >= next_drain) {
            for (auto& end : ends) drain(end, figures);
            next_drain = due + drain_interval;
        }
        due += step;
    }
    fmt::print("end\n");
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    for (auto& end : ends) drain(end, figures);
    const auto silent =
        std::ranges::count_if(ends, [](const End& end) { return end.received == 0; });
    fmt::print(
        "{{\"sent\": {}, \"received\": {}, \"bad\": {}, \"failed\": {}, \"silent\": {}, \"p50\": "
        "{:.1f}, \"p99\": {:.1f}, "
        "\"late99\": {:.1f}}}\n",
        figures.sent, figures.received, figures.bad, figures.failed, silent,
        percentile(figures.latency, 0.5), percentile(figures.latency, 0.99),
        percentile(figures.late, 0.99));
    for (std::size_t i = 0; i < ends.size(); i += 2)
        ng.ask("delete", fmt::format("load-{}-{}", ::getpid(), i / 2), false, "");
    return 0;
}

// What a browser answers that has been told to use DTLS, ICE and one port.
std::string answer_of_browser() {
    std::string fingerprint;
    for (int i = 0; i < 32; ++i) fingerprint += fmt::format("{}{:02X}", i ? ":" : "", i);
    return fmt::format(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 {}\r\n"
        "m=audio 9 {} 8\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:8 PCMA/8000\r\na=rtcp-mux\r\n"
        "a=setup:active\r\na=ice-ufrag:browser1\r\na=ice-pwd:browser1browser1browser1\r\n",
        fingerprint, browser);
}

int set_up_at_once(const SocketAddress& relay, std::size_t calls, std::size_t at_once,
                   bool webrtc) {
    std::vector<std::unique_ptr<Ng>> proxies;
    for (std::size_t i = 0; i < at_once; ++i) proxies.push_back(std::make_unique<Ng>(relay));
    const std::string protocol = webrtc ? browser : "";
    const std::string offer = description(4000);
    const std::string answer = webrtc ? answer_of_browser() : description(4002);
    for (std::size_t i = 0; i < calls; i += at_once) {
        const auto all = [&](const std::string& command, bool to_tag, const std::string& sdp) {
            for (std::size_t k = 0; k < at_once; ++k)
                proxies[k]->send(command, fmt::format("load-{}-{}", ::getpid(), i + k), to_tag, sdp,
                                 command == "offer" ? protocol : "");
            for (const auto& proxy : proxies) proxy->receive(command);
        };
        all("offer", false, offer);
        all("answer", true, answer);
        all("delete", false, "");
    }
    return 0;
}

int setup(Ng& ng, std::size_t calls, bool hold) {
    End a, b;
    a.port = 4000;
    b.port = 4002;
    for (std::size_t i = 0; i < calls; ++i) {
        set_up(ng, i, a, b, "");
        if (!hold) ng.ask("delete", fmt::format("load-{}-{}", ::getpid(), i), false, "");
    }
    fmt::print("ready\n");
    std::fflush(stdout);
    if (!hold) return 0;
    wait_for_line();
    for (std::size_t i = 0; i < calls; ++i)
        ng.ask("delete", fmt::format("load-{}-{}", ::getpid(), i), false, "");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const auto relay = words.size() >= 3 ? SocketAddress::parse(words[1]) : std::nullopt;
    const auto number = [&](std::size_t at) {
        return at < words.size() ? parse_number<std::size_t>(words[at]).value_or(0) : 0;
    };
    if (!relay) {
        fmt::print(stderr,
                   "relay_load setup NG CALLS [AT_ONCE [webrtc]], or relay_load hold NG CALLS, or "
                   "relay_load media NG STREAMS SECONDS [SUITE|codec=NAME]\n");
        return 2;
    }
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    try {
        if (words[0] == "setup" && words.size() > 3)
            return set_up_at_once(*relay, number(2), std::max<std::size_t>(number(3), 1),
                                  words.size() > 4 && words[4] == "webrtc");
        Ng ng(*relay);
        if (words[0] == "media")
            return load_media(ng, number(2), static_cast<int>(number(3)),
                              words.size() > 4 ? words[4] : "");
        return setup(ng, number(2), words[0] == "hold");
    } catch (const std::exception& error) {
        fmt::print(stderr, "relay_load: {}\n", error.what());
        return 1;
    }
}
