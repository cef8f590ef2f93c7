#include "media/relay_path.hpp"

#include <utility>

#include "base/log.hpp"
#include "io/clock.hpp"
#include "media/shard.hpp"

namespace strowger::media {

using Ice = StreamFigures::Ice;
using Dtls = StreamFigures::Dtls;

RelayPath::RelayPath(Start start, Transport& transport, std::shared_ptr<StreamFigures> figures)
    : random_(Random::system()),
      transport_(transport),
      figures_(std::move(figures)),
      has_keys_(start.config.keys),
      session_(std::move(start.config), random_, io::monotonic_now()),
      timer_([this](Time now) {
          session_.tick(now);
          work();
      }) {
    for (const auto& [candidate, place] : start.candidates)
        (void)session_.ice().add_local(
            candidate, socket_at(place, candidate.component == 1 ? rtp_socket : rtcp_socket));
    tell();
}

void RelayPath::enter(Shard& shard) {
    shard_ = &shard;
    work();
}

void RelayPath::leave() {
    if (shard_) shard_->timers().disarm(timer_);
    shard_ = nullptr;
}

void RelayPath::set_peer(const WebrtcPeer& peer) {
    has_ice_ = !peer.credentials.empty();
    const Time now = shard_->now();
    if (auto set = session_.set_peer(peer, now); !set)
        LOG_WARNING((log::About{"relay"}), "{}", set.error().text());
    work();
}

void RelayPath::restart(const ice::Credentials& local, const WebrtcPeer& peer) {
    const Time now = shard_->now();
    if (auto restarted = session_.restart(local, peer, now); !restarted)
        LOG_WARNING((log::About{"relay"}), "{}", restarted.error().text());
    work();
}

void RelayPath::add_candidates(const std::vector<ice::Candidate>& candidates, bool last) {
    for (const auto& candidate : candidates) (void)session_.ice().add_remote(candidate);
    if (last) session_.ice().end_of_candidates();
    const Time now = shard_->now();
    session_.tick(now);
    work();
}

void RelayPath::use_one_component() {
    session_.use_one_component();
    work();
}

io::MediaSocket* RelayPath::socket(ice::SocketId id) {
    Transport* transport = &transport_;
    if (const std::size_t place = id / 2; place > 0)
        transport = place <= further_.size() ? further_[place - 1] : nullptr;
    if (!transport) return nullptr;
    return id % 2 == rtp_socket ? &transport->rtp_socket() : &transport->sockets().rtcp;
}

void RelayPath::close() {
    session_.close();
    if (shard_) work();
}

WebrtcSession::Media RelayPath::receive(ice::SocketId socket, MutableBytes datagram,
                                        const SocketAddress& from, Time now) {
    const auto media = session_.receive(socket, from, datagram, now);
    // Media neither moves deadlines nor is answered, but for a lite side, whose consent it keeps.
    if (media.kind == WebrtcSession::Media::Kind::none) work();
    return media;
}

std::size_t RelayPath::send(const std::optional<WebrtcSession::Protected>& packet) {
    io::MediaSocket* from = packet ? socket(packet->socket) : nullptr;
    if (!from || !from->send_to(packet->bytes, packet->to)) return 0;
    return packet->bytes.size();
}

std::size_t RelayPath::send_rtp(MutableBytes buffer, std::size_t size) {
    return send(session_.protect_rtp(buffer, size));
}

std::size_t RelayPath::send_rtcp(MutableBytes buffer, std::size_t size) {
    return send(session_.protect_rtcp(buffer, size));
}

void RelayPath::work() {
    while (session_.poll(transmit_))
        if (auto* from = socket(transmit_.socket))
            (void)from->send_to(transmit_.bytes, transmit_.to);
    WebrtcSession::Event event;
    while (session_.poll(event)) take(event);
    tell();
    if (!shard_) return;
    if (const Time next = session_.deadline(); next == Time::max())
        shard_->timers().disarm(timer_);
    else
        shard_->timers().arm(timer_, next);
}

void RelayPath::take(const WebrtcSession::Event& event) {
    using Kind = WebrtcSession::Event::Kind;
    const log::About about{"relay"};
    const auto port = transport_.sockets().port;
    switch (event.kind) {
        case Kind::connected: figures_->handshakes.add(has_keys_ ? 1 : 0); break;
        case Kind::path_lost:
            figures_->consents_lost.add(1);
            LOG_NOTICE((about),
                       "port {}: consent of {} is lost; nothing is sent there until ICE restarts",
                       port, event.tuple.from.text());
            break;
        case Kind::no_path:
            figures_->paths_not_found.add(1);
            LOG_NOTICE((about), "port {}: ICE found no path to the party", port);
            break;
        case Kind::ended:
            if (session_.end() == WebrtcSession::End::dtls_failed)
                figures_->handshakes_failed.add(1);
            if (session_.end() != WebrtcSession::End::closed)
                LOG_NOTICE((about), "port {}: {}", port, session_.reason());
            break;
        default: break;
    }
}

void RelayPath::tell() {
    const auto& agent = session_.ice();
    const auto& refused = agent.counters();
    const auto rejected = refused.malformed + refused.unauthenticated + refused.unexpected;
    figures_->checks_rejected.add(rejected - std::exchange(told_rejected_, rejected));
    auto ice = Ice::none;
    if (has_ice_) switch (agent.state()) {
            case ice::Agent::State::waiting: ice = Ice::waiting; break;
            case ice::Agent::State::checking: ice = Ice::checking; break;
            case ice::Agent::State::connected: ice = Ice::connected; break;
            case ice::Agent::State::completed: ice = Ice::completed; break;
            case ice::Agent::State::failed: ice = Ice::failed; break;
        }
    // A selected path whose consent is gone is none (RFC 7675).
    const auto path = session_.path();
    if (ice == Ice::completed && !path) ice = Ice::failed;
    figures_->ice.set(ice);
    figures_->ice_controls.set(agent.role() == ice::Role::controlling);
    figures_->dtls.set(!has_keys_             ? Dtls::none
                       : session_.connected() ? Dtls::connected
                       : session_.ended()     ? Dtls::ended
                                              : Dtls::handshake);
    if (const auto suite = session_.suite())
        figures_->srtp_suite.set(static_cast<std::uint8_t>(*suite));
    figures_->confirmed.set(session_.connected() && path);
    if (path && path->from != figures_->remote()) figures_->set_remote(path->from);
}

}  // namespace strowger::media
