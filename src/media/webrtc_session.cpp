#include "media/webrtc_session.hpp"

#include <algorithm>

#include "wire/rtp/packet.hpp"
#include "wire/stun/message.hpp"

namespace strowger::media {

WebrtcSession::WebrtcSession(Config config, Random& random, Time now)
    : config_(std::move(config)), ice_(config_.ice, random), last_heard_(now) {
    steps_.begun = now;
}

WebrtcSession::~WebrtcSession() = default;

Result<> WebrtcSession::set_peer(const WebrtcPeer& peer, Time now) {
    if (knows_peer()) return fail("WebRTC session: the peer is known already");
    if (peer.credentials.empty()) {
        if (!peer.address || !config_.keys)
            return fail("WebRTC session: expected credentials of ICE or an address");
        plain_path_ = ice::Tuple{0, *peer.address};
    } else {
        if (auto right = ice_.set_remote(peer.credentials, peer.lite); !right) return right;
        for (const auto& candidate : peer.candidates) (void)ice_.add_remote(candidate);
        if (!peer.trickles) ice_.end_of_candidates();
    }
    peer_ = peer;
    config_.dtls.role = peer.our_role;
    config_.dtls.fingerprints = peer.fingerprints;
    if (config_.keys) dtls_.emplace(config_.identity, config_.dtls);
    if (plain_path_) on_path(now);
    if (has_ice()) {
        ice_.tick(now);
        take_ice_events(now);
    }
    if (!dtls_) return {};
    for (const auto& datagram : std::exchange(early_, {})) dtls_->receive(datagram, now);
    take_dtls_events(now);
    return {};
}

Result<> WebrtcSession::restart(const ice::Credentials& local, const WebrtcPeer& peer, Time now) {
    if (!knows_peer() || peer_.credentials.empty() || peer.credentials.empty())
        return fail("WebRTC session: only ICE that has begun can be restarted");
    if (auto right = ice::Credentials::check(peer.credentials.ufrag, peer.credentials.pwd); !right)
        return std::unexpected(right.error());
    ice_.restart(local);
    if (auto right = ice_.set_remote(peer.credentials, peer.lite); !right) return right;
    for (const auto& candidate : peer.candidates) (void)ice_.add_remote(candidate);
    if (!peer.trickles) ice_.end_of_candidates();
    peer_.credentials = peer.credentials;
    ice_.tick(now);
    take_ice_events(now);
    return {};
}

void WebrtcSession::use_one_component() {
    config_.ice.components = 1;
    ice_.use_one_component();
}

std::optional<ice::Tuple> WebrtcSession::path(std::uint16_t component) const {
    if (!has_ice()) return plain_path_;
    const auto path = ice_.path(component);
    if (!path) return std::nullopt;
    return ice::Tuple{path->socket, path->remote};
}

WebrtcSession::Media WebrtcSession::receive(ice::SocketId socket, const SocketAddress& from,
                                            MutableBytes datagram, Time now) {
    if (ended()) return {};
    switch (rtp::kind_of(datagram)) {
        case rtp::Kind::stun:
            ice_.receive({socket, from, datagram}, now);
            take_ice_events(now);
            return {};
        case rtp::Kind::dtls: on_dtls(socket, from, datagram, now); return {};
        case rtp::Kind::rtp: return open(Media::Kind::rtp, socket, from, datagram, now);
        case rtp::Kind::rtcp: return open(Media::Kind::rtcp, socket, from, datagram, now);
        default: ++counters_.unexpected; return {};
    }
}

void WebrtcSession::take_ice_events(Time now) {
    ice::Agent::Event event;
    while (ice_.poll(event)) {
        const ice::Tuple tuple{event.path.socket, event.path.remote};
        switch (event.kind) {
            case ice::Agent::Event::Kind::tuple_seen:
                steps_.first_check = std::min(steps_.first_check, now);
                tuples_[tuple_count_++ % max_tuples] = tuple;
                last_heard_ = now;
                events_.push_back({Event::Kind::tuple_seen, tuple});
                break;
            case ice::Agent::Event::Kind::connected: on_path(now); break;
            case ice::Agent::Event::Kind::selected:
                steps_.selected = std::min(steps_.selected, now);
                events_.push_back({Event::Kind::selected, tuple});
                on_path(now);
                break;
            case ice::Agent::Event::Kind::failed:
                if (config_.outlives_path)
                    events_.push_back({Event::Kind::no_path, {}});
                else
                    finish(End::no_path, "no path to the peer was found");
                break;
            case ice::Agent::Event::Kind::consent_lost:
                if (config_.outlives_path)
                    events_.push_back({Event::Kind::path_lost, tuple});
                else
                    finish(End::consent_lost, "the peer has not answered for 30 s");
                break;
        }
    }
}

// A DTLS client speaks first, and before there is a path nobody would hear it.
void WebrtcSession::on_path(Time now) {
    steps_.path = std::min(steps_.path, now);
    if (!config_.keys && steps_.connected == Time::max()) {
        steps_.connected = now;
        events_.push_back({Event::Kind::connected, {}});
    }
    if (!dtls_ || std::exchange(dtls_started_, true)) return;
    dtls_->start(now);
}

bool WebrtcSession::is_known(ice::SocketId socket, const SocketAddress& from) const {
    const auto end = tuples_.begin() +
                     static_cast<std::ptrdiff_t>(std::min<std::size_t>(tuple_count_, max_tuples));
    if (std::find(tuples_.begin(), end, ice::Tuple{socket, from}) != end) return true;
    // Without ICE it is the certificate, and then the keys, that tell the peer from others.
    if (!has_ice()) return true;
    for (std::uint16_t component = 1; component <= config_.ice.components; ++component)
        if (const auto path =
                ice_.path(component);  // selected long ago, while others came and went
            path && path->socket == socket && path->remote == from)
            return true;
    return false;
}

void WebrtcSession::heard(Time now, std::uint16_t component) {
    last_heard_ = now;
    ice_.heard(component, now);
}

void WebrtcSession::on_dtls(ice::SocketId socket, const SocketAddress& from, Bytes datagram,
                            Time now) {
    if (!config_.keys || !is_known(socket, from)) {
        ++counters_.unexpected;
        return;
    }
    ++counters_.records_in;
    if (!has_ice() && !connected()) plain_path_ = ice::Tuple{socket, from};
    if (!dtls_) {
        if (early_.size() < max_early && datagram.size() <= dtls::max_datagram) {
            early_.emplace_back(datagram.begin(), datagram.end());
        }
        return;
    }
    // If this is the handshake again, then our end of it has not reached the peer.
    if (sctp_begins_ != Time::max()) sctp_begins_ = now + config_.sctp_patience;
    dtls_->receive(datagram, now);
    take_dtls_events(now);
}

void WebrtcSession::take_dtls_events(Time now) {
    dtls::Event event;
    while (!ended() && dtls_->poll(event)) {
        if (const auto* received = std::get_if<dtls::Received>(&event)) {
            heard(now);
            if (!association_) continue;
            if (sctp_begins_ != Time::max()) begin_sctp();
            association_->receive(received->data);
        } else if (const auto* up = std::get_if<dtls::Connected>(&event)) {
            on_connected(*up, now);
        } else if (const auto* failed = std::get_if<dtls::Failed>(&event)) {
            finish(End::dtls_failed, failed->error.text());
        } else {
            finish(End::closed_by_peer, "closed by the peer");
        }
    }
}

void WebrtcSession::on_connected(const dtls::Connected& connected, Time now) {
    heard(now);
    if (connected.srtp) {
        const auto& keys = *connected.srtp;
        auto sender = srtp::Sender::make({.suite = keys.suite}, {keys.local, {}}, config_.repeats);
        auto receiver = srtp::Receiver::make({.suite = keys.suite}, {keys.remote, {}});
        if (sender && receiver) {
            sender_ = std::move(*sender);
            receiver_ = std::move(*receiver);
            suite_ = keys.suite;
        }
    }
    if (config_.media && !sender_) {
        dtls_->close();
        return finish(End::dtls_failed, "DTLS: no SRTP profile in common");
    }
    steps_.connected = now;
    if (config_.sctp) begin_channels(now);
    events_.push_back({Event::Kind::connected, {}});
}

void WebrtcSession::begin_channels(Time now) {
    config_.sctp->remote_port = peer_.sctp_port;
    association_ = std::make_unique<sctp::Association>(*config_.sctp);
    const bool client = config_.dtls.role == dtls::Role::client;
    channels_.emplace(*association_, datachannel::Channels::Config{
                                         .role = client ? datachannel::Channels::DtlsRole::client
                                                        : datachannel::Channels::DtlsRole::server,
                                         .max_sent = peer_.max_message,
                                     });
    sctp_begins_ = now + (client ? Duration{} : config_.sctp_patience);
    if (sctp_begins_ <= now) begin_sctp();
}

void WebrtcSession::begin_sctp() {
    sctp_begins_ = Time::max();
    if (auto begun = association_->connect(); !begun) {
        finish(End::dtls_failed, begun.error().text());
    }
}

WebrtcSession::Media WebrtcSession::open(Media::Kind kind, ice::SocketId socket,
                                         const SocketAddress& from, MutableBytes packet, Time now) {
    if ((config_.keys && !receiver_) || !is_known(socket, from)) {
        ++counters_.unexpected;
        return {};
    }
    const bool rtp = kind == Media::Kind::rtp;
    const auto size = !receiver_ ? srtp::Size(packet.size())
                      : rtp      ? receiver_->unprotect(packet)
                                 : receiver_->unprotect_rtcp(packet);
    if (!size) {
        ++counters_.refused;
        return {};
    }
    heard(now, rtp ? 1 : config_.ice.components);
    if (!has_ice()) plain_path_ = ice::Tuple{socket, from};  // a NAT may have chosen another
    ++(rtp ? counters_.rtp_in : counters_.rtcp_in);
    if (rtp) counters_.rtp_bytes_in += *size;
    return {kind, *size};
}

template <typename Protect>
std::optional<WebrtcSession::Protected> WebrtcSession::protect(MutableBytes buffer,
                                                               std::uint16_t component,
                                                               std::size_t size, Protect protect) {
    if ((config_.keys && !sender_) || ended()) return std::nullopt;
    const auto path = this->path(component);
    if (!path) return std::nullopt;
    const auto sealed = sender_ ? protect(*sender_) : srtp::Size(size);
    if (!sealed) return std::nullopt;
    return Protected{path->socket, path->from, Bytes(buffer).first(*sealed)};
}

std::optional<WebrtcSession::Protected> WebrtcSession::protect_rtp(MutableBytes buffer,
                                                                   std::size_t size) {
    auto done =
        protect(buffer, 1, size, [&](auto& sender) { return sender.protect(buffer, size); });
    if (done) {
        ++counters_.rtp_out;
        counters_.rtp_bytes_out += size;
    }
    return done;
}

std::optional<WebrtcSession::Protected> WebrtcSession::protect_rtcp(MutableBytes buffer,
                                                                    std::size_t size) {
    auto done = protect(buffer, config_.ice.components, size,
                        [&](auto& sender) { return sender.protect_rtcp(buffer, size); });
    if (done) ++counters_.rtcp_out;
    return done;
}

Time WebrtcSession::patience_ends() const {
    if (steps_.connected != Time::max()) return Time::max();
    const Time late = steps_.begun + config_.connect_patience;
    if (steps_.first_check != Time::max()) return late;
    return std::min(late, steps_.begun + config_.stun_patience);
}

Time WebrtcSession::deadline() const {
    if (ended()) return Time::max();
    Time at = patience_ends();
    if (has_ice()) at = std::min(at, ice_.deadline());
    if (dtls_) at = std::min(at, dtls_->deadline());
    return std::min(at, sctp_begins_);
}

void WebrtcSession::tick(Time now) {
    if (ended()) return;
    if (has_ice()) {
        ice_.tick(now);
        take_ice_events(now);
    }
    if (dtls_ && !ended()) {
        dtls_->tick(now);
        take_dtls_events(now);
    }
    if (!ended() && now >= sctp_begins_) begin_sctp();
    if (!ended() && now >= patience_ends()) {
        finish(End::too_late, steps_.first_check == Time::max()
                                  ? "no authentic check came from the peer"
                                  : "DTLS was not done in time");
    }
}

bool WebrtcSession::poll(Event& event) {
    if (events_taken_ == events_.size()) {
        events_.clear();
        events_taken_ = 0;
        return false;
    }
    event = events_[events_taken_++];
    return true;
}

bool WebrtcSession::poll(Transmit& transmit) {
    if (!ended() && ice_.poll(transmit.stun)) {
        transmit.socket = transmit.stun.socket;
        transmit.to = transmit.stun.to;
        transmit.bytes = transmit.stun.bytes();
        return true;
    }
    const auto path = dtls_ ? this->path() : std::nullopt;
    if (!path) return false;  // what DTLS has to say waits until there is one
    while (!dtls_->poll(transmit.bytes)) {
        const Bytes packet = association_ ? association_->next_packet() : Bytes{};
        if (packet.empty()) return false;
        (void)dtls_->send(packet);  // refused once DTLS has ended; then nothing matters
    }
    ++counters_.records_out;
    transmit.socket = path->socket;
    transmit.to = path->from;
    return true;
}

// The peer's channels end by SCTP's ABORT, its media by close_notify; both in this order.
void WebrtcSession::close() {
    if (ended()) return;
    if (association_) {
        association_->close();
        for (Bytes packet = association_->next_packet(); !packet.empty();
             packet = association_->next_packet()) {
            (void)dtls_->send(packet);
        }
    }
    if (dtls_) dtls_->close();
    finish(End::closed, "closed");
}

void WebrtcSession::finish(End end, std::string reason) {
    if (ended()) return;
    end_ = end;
    reason_ = std::move(reason);
    events_.push_back({Event::Kind::ended, {}});
}

std::string_view text_of(WebrtcSession::End end) {
    switch (end) {
        case WebrtcSession::End::none: return "none";
        case WebrtcSession::End::closed: return "closed";
        case WebrtcSession::End::closed_by_peer: return "closed_by_peer";
        case WebrtcSession::End::no_path: return "no_path";
        case WebrtcSession::End::consent_lost: return "consent_lost";
        case WebrtcSession::End::dtls_failed: return "dtls_failed";
        case WebrtcSession::End::too_late: return "too_late";
    }
    return "";
}

}  // namespace strowger::media
