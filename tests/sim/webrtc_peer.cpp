#include "webrtc_peer.hpp"

#include "wire/rtp/packet.hpp"
#include "wire/sctp/stack.hpp"
#include "wire/sctp/test_clock.hpp"
#include "wire/sctp/test_gettimeofday.hpp"

namespace strowger::sim {
namespace {

constexpr std::uint8_t payload_type = 111;

std::shared_ptr<const dtls::Identity> identity() {
    static const auto made = *dtls::Identity::make(dtls::Certificate::self_signed(
        dtls::Certificate::Key::ecdsa_p256, WallTime{std::chrono::seconds{1'700'000'000}}));
    return made;
}

media::WebrtcSession::Config config_of(const WebrtcPeer::Options& options) {
    media::WebrtcSession::Config config;
    config.ice.role = options.role;
    config.ice.lite = options.lite;
    config.ice.ordinary_checks = options.ordinary_checks;
    config.ice.local = ice::Credentials::generate();
    config.identity = identity();
    config.sctp.emplace();
    config.sctp_patience = options.sctp_patience;
    return config;
}

}  // namespace

WebrtcPeer::WebrtcPeer(VirtualNetwork& network, const SocketAddress& address,
                       const Options& options, std::uint64_t seed)
    : network_(network),
      address_(address),
      options_(options),
      random_(seed),
      session_(config_of(options), random_, network.now()) {
    (void)session_.ice().add_local(ice::Candidate::host(address), 0);
    network_.attach(address, [this](const SocketAddress& from, std::string_view bytes) {
        receive(from, bytes);
    });
    arm();
}

WebrtcPeer::~WebrtcPeer() {
    *alive_ = false;
    network_.detach(address_);
}

media::WebrtcPeer WebrtcPeer::description(dtls::Role their_role, bool named) const {
    media::WebrtcPeer peer;
    peer.credentials = session_.ice().local();
    peer.lite = options_.lite;
    if (named) peer.candidates = {ice::Candidate::host(address_)};
    peer.fingerprints = {identity()->fingerprint()};
    peer.our_role = their_role;
    return peer;
}

void WebrtcPeer::meet(const media::WebrtcPeer& other) {
    (void)session_.set_peer(other, network_.now());
    work();
}

void WebrtcPeer::receive(const SocketAddress& from, std::string_view bytes) {
    std::vector<std::uint8_t> datagram(bytes.begin(), bytes.end());
    const auto media = session_.receive(0, from, datagram, network_.now());
    if (media.kind == media::WebrtcSession::Media::Kind::rtp) {
        const auto packet = rtp::Packet::parse(Bytes(datagram).first(media.size));
        if (packet) heard_.push_back(packet->sequence());
    }
    work();
}

void WebrtcPeer::work() {
    media::WebrtcSession::Event event;
    while (session_.poll(event)) {
        if (event.kind == media::WebrtcSession::Event::Kind::connected && !label_.empty()) {
            if (auto opened = session_.channels()->open({.label = label_})) channel_ = *opened;
        }
    }
    if (session_.channels() && !session_.ended()) take_channels();
    while (session_.poll(transmit_)) {
        network_.send(address_, transmit_.to, std::string(as_text(transmit_.bytes)));
    }
    arm();
}

void WebrtcPeer::take_channels() {
    using Kind = datachannel::Channels::Event::Kind;
    auto& channels = *session_.channels();
    datachannel::Channels::Event event;
    while (channels.poll(event)) {
        if (event.kind == Kind::opened) opened_at_ = std::min(opened_at_, network_.now());
        if (event.kind != Kind::message) continue;
        texts_.emplace_back(as_text(event.bytes));
        if (options_.echoes) (void)channels.send(event.channel, event.text, event.bytes);
    }
}

void WebrtcPeer::open_channel(const std::string& label) { label_ = label; }

bool WebrtcPeer::send_text(std::string_view text) {
    const bool sent = channel_ && session_.channels()->send(*channel_, true, as_bytes(text)) ==
                                      datachannel::Channels::Sent::accepted;
    work();
    return sent;
}

bool WebrtcPeer::send_rtp(std::uint16_t sequence) {
    std::array<std::uint8_t, 200> buffer{};
    rtp::write_header({.payload_type = payload_type, .sequence = sequence, .ssrc = 5}, buffer);
    const auto packet = session_.protect_rtp(buffer, rtp::header_size + 100);
    if (packet) network_.send(address_, packet->to, std::string(as_text(packet->bytes)));
    return packet.has_value();
}

void WebrtcPeer::arm() {
    const Time at = std::max(session_.deadline(), network_.now());
    if (at >= armed_ || session_.deadline() == Time::max()) return;
    armed_ = at;
    network_.at(at, [this, at, alive = alive_] {
        if (!*alive || armed_ != at) return;
        armed_ = Time::max();
        session_.tick(network_.now());
        work();
    });
}

void introduce(VirtualNetwork& network, WebrtcPeer& client, WebrtcPeer& server, Duration signalling,
               bool named) {
    const Time now = network.now();
    const auto offer = client.description(dtls::Role::server, named);
    const auto answer = server.description(dtls::Role::client);
    network.at(now + signalling, [&server, offer] { server.meet(offer); });
    network.at(now + 2 * signalling, [&client, answer] { client.meet(answer); });
}

void run_until(VirtualNetwork& network, std::initializer_list<WebrtcPeer*> peers, Time end) {
    auto& stack = sctp::Stack::the_process();
    while (network.now() < end) {
        network.run_until(std::min(end, network.now() + sctp::Stack::step));
        sctp::test_clock = network.now();
        stack.tick(network.now());
        while (stack.ready()) {}
        for (auto* peer : peers) peer->work();
    }
}

}  // namespace strowger::sim
