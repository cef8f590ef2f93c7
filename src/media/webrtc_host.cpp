#include "media/webrtc_host.hpp"

#include <algorithm>

#include "io/host_addresses.hpp"
#include "wire/sctp/stack.hpp"
#include "wire/stun/message.hpp"

namespace strowger::media {

struct WebrtcHost::Slot {
    Slot(WebrtcSession::Config config, std::unique_ptr<User> its_user, Random& random, Time now,
         std::function<void(Time)> due)
        : user(std::move(its_user)),
          session(std::move(config), random, now),
          timer(std::move(due)) {}

    std::unique_ptr<User> user;
    WebrtcSession session;
    std::unique_ptr<io::UdpSocket> socket;           ///< its own, if it has one
    const sctp::Association* association = nullptr;  ///< as `by_association_` has it
    Timer timer;
    bool dirty = false;
    bool over = false;
};

WebrtcHost::WebrtcHost(io::Loop& loop, const Options& options)
    : loop_(loop), options_(options), random_(Random::system()), table_(random_) {}

WebrtcHost::~WebrtcHost() = default;

Result<std::unique_ptr<WebrtcHost>> WebrtcHost::start(io::Loop& loop, const Options& options) {
    std::unique_ptr<WebrtcHost> host(new WebrtcHost(loop, options));
    if (!options.port_each) {
        auto socket = host->open_socket(std::nullopt);
        if (!socket) return std::unexpected(socket.error());
        host->socket_ = std::move(*socket);
    }
    host->find_bases();
    if (host->bases_.empty()) {
        return fail("UDP {}: this host has no address of that family", options.bind.text());
    }
    return host;
}

Result<std::unique_ptr<io::UdpSocket>> WebrtcHost::open_socket(std::optional<SessionId> only_for) {
    const io::UdpSocket::Options socket_options{.receive_buffer = options_.buffer,
                                                .send_buffer = options_.buffer};
    return io::UdpSocket::bind(loop_, options_.bind, socket_options,
                               [this, only_for](auto datagrams) { receive(datagrams, only_for); });
}

// Behind what is announced may lie any of our addresses: the first that is left of its family.
void WebrtcHost::find_bases() {
    std::vector<IpAddress> own{options_.bind.ip};
    if (options_.bind.ip.is_unspecified()) {
        own = io::interface_addresses();
        if (options_.bind.ip.is_v4()) std::erase_if(own, [](const auto& ip) { return ip.is_v6(); });
    }
    const auto& announced = options_.announced;
    std::array<std::size_t, 2> used{};  // of each family
    for (const auto& address : own) {
        std::vector<IpAddress> fit;
        std::ranges::copy_if(announced, std::back_inserter(fit),
                             [&](const auto& ip) { return ip.is_v4() == address.is_v4(); });
        if (announced.empty()) fit = {address};
        if (fit.empty()) continue;
        const auto place = std::min(used[address.is_v4()]++, fit.size() - 1);
        bases_.push_back({address, fit[place]});
    }
}

std::vector<ice::Candidate> WebrtcHost::candidates(SessionId id, bool loopback) const {
    const auto& own = slots_[id]->socket;
    const auto port = (own ? own : socket_)->local().port;
    std::vector<IpAddress> named = options_.announced;
    if (named.empty()) {
        for (const auto& base : bases_) named.push_back(base.address);
        const bool others =
            !std::ranges::all_of(named, [](const auto& ip) { return ip.is_loopback(); });
        if (others && !loopback)
            std::erase_if(named, [](const auto& ip) { return ip.is_loopback(); });
    }
    std::vector<ice::Candidate> found;
    for (const auto& address : named) {
        const auto preference = static_cast<std::uint16_t>(65535 - found.size());
        found.push_back(ice::Candidate::host({address, port}, 1, preference));
    }
    return found;
}

Result<WebrtcHost::SessionId> WebrtcHost::open(WebrtcSession::Config config,
                                               std::unique_ptr<User> user, bool loopback) {
    if (count_ >= options_.max_sessions) {
        return fail_with(503, "{} sessions are open, as many as may be", count_);
    }
    if (free_.empty()) {
        free_.push_back(static_cast<SessionId>(slots_.size()));
        slots_.emplace_back();
    }
    const SessionId id = free_.back();
    std::unique_ptr<io::UdpSocket> socket;
    if (options_.port_each) {
        auto opened = open_socket(id);
        if (!opened) return std::unexpected(opened.error());
        socket = std::move(*opened);
    }
    free_.pop_back();
    do {
        config.ice.local = ice::Credentials::generate();
    } while (!table_.add(config.ice.local.ufrag, id));
    slots_[id] = std::make_unique<Slot>(std::move(config), std::move(user), random_, now(),
                                        [this, id](Time now) {
                                            auto* due = slot(id);
                                            due->session.tick(now);
                                            due->user->tick(now);
                                            work(id, now);
                                        });
    slots_[id]->socket = std::move(socket);
    ++count_;
    for (const auto& candidate : candidates(id, loopback)) {
        for (std::size_t i = 0; i < bases_.size(); ++i) {
            if (bases_[i].announced != candidate.address.ip) continue;
            (void)slots_[id]->session.ice().add_local(candidate, static_cast<ice::SocketId>(i));
        }
    }
    return id;
}

WebrtcSession* WebrtcHost::session(SessionId id) {
    auto* found = slot(id);
    return found ? &found->session : nullptr;
}

WebrtcHost::User* WebrtcHost::user(SessionId id) {
    auto* found = slot(id);
    return found ? found->user.get() : nullptr;
}

void WebrtcHost::end(SessionId id) {
    auto* found = slot(id);
    if (!found || found->over) return;
    found->session.close();
    touch(id, *found);
    wake_at(now());
}

std::optional<ice::SocketId> WebrtcHost::base_of(const IpAddress& address) const {
    if (!options_.bind.ip.is_unspecified()) return ice::SocketId{0};
    const auto found = std::ranges::find(bases_, address, &Base::address);
    if (found == bases_.end()) return std::nullopt;
    return static_cast<ice::SocketId>(found - bases_.begin());
}

// A check names its session even where another had that address before.
std::optional<WebrtcHost::SessionId> WebrtcHost::route(ice::SocketId socket,
                                                       const SocketAddress& from,
                                                       Bytes datagram) const {
    if (!datagram.empty() && datagram[0] == 0) {
        if (const auto named = table_.asked_for(datagram)) return named;
    }
    return table_.find(socket, from);
}

void WebrtcHost::receive(std::span<const io::UdpSocket::Datagram> datagrams,
                         std::optional<SessionId> only_for) {
    const Time now = loop_.now();
    for (const auto& datagram : datagrams) {
        const auto socket = base_of(datagram.local.ip);
        auto id = only_for;
        if (socket && !id) id = route(*socket, datagram.remote, datagram.bytes);
        if (socket && id) {
            take(*id, *socket, datagram, now);
        } else {
            ++counters_.unknown;
        }
    }
    settle(now);
}

void WebrtcHost::take(SessionId id, ice::SocketId socket, const io::UdpSocket::Datagram& datagram,
                      Time now) {
    auto* found = slot(id);
    if (!found || found->over) {
        ++counters_.unknown;
        return;
    }
    if (datagram.bytes.size() > max_packet) {
        ++counters_.oversized;
        return;
    }
    const MutableBytes packet = MutableBytes(scratch_).subspan(front_room, datagram.bytes.size());
    std::ranges::copy(datagram.bytes, packet.begin());
    const auto media = found->session.receive(socket, datagram.remote, packet, now);
    switch (media.kind) {
        case WebrtcSession::Media::Kind::rtp:
            found->user->rtp({scratch_, front_room, media.size}, now);
            break;
        case WebrtcSession::Media::Kind::rtcp:
            found->user->rtcp(packet.first(media.size), now);
            break;
        case WebrtcSession::Media::Kind::none: touch(id, *found); return;
    }
    const Time armed = found->timer.armed() ? found->timer.deadline() : Time::max();
    if (found->user->deadline() < armed) touch(id, *found);
}

void WebrtcHost::touch(SessionId id, Slot& slot) {
    if (!std::exchange(slot.dirty, true)) dirty_.push_back(id);
}

void WebrtcHost::work(SessionId id) {
    work(id, now());
    settle(now());
}

void WebrtcHost::work(SessionId id, Time now) {
    auto* found = slot(id);
    if (!found) return;
    found->dirty = false;
    WebrtcSession::Event event;
    while (found->session.poll(event)) take_event(id, *found, event, now);
    if (auto* channels = found->session.channels(); channels && !found->session.ended()) {
        found->user->channels(*channels, now);
    }
    while (found->session.poll(transmit_)) {
        if (!found->socket) note_request(id, transmit_);
        send(*found, transmit_.socket, transmit_.to, transmit_.bytes);
    }
    arm(*found);
}

void WebrtcHost::take_event(SessionId id, Slot& slot, const WebrtcSession::Event& event, Time now) {
    switch (event.kind) {
        case WebrtcSession::Event::Kind::tuple_seen: {
            const auto other = table_.find(event.tuple.socket, event.tuple.from);
            if (other && *other != id && slots_[*other] &&
                now < slots_[*other]->session.last_heard() + silence) {
                break;
            }
            table_.learn(id, event.tuple);
            break;
        }
        case WebrtcSession::Event::Kind::selected: table_.prefer(id, 1, event.tuple); break;
        case WebrtcSession::Event::Kind::connected:
            if ((slot.association = slot.session.association())) {
                by_association_[slot.association] = id;
            }
            break;
        case WebrtcSession::Event::Kind::path_lost:
        case WebrtcSession::Event::Kind::no_path: break;
        case WebrtcSession::Event::Kind::ended:
            slot.over = true;
            ended_.push_back(id);
            break;
    }
    slot.user->changed(event, now);
}

// The answer to a check of ours names no session: it is known by where it comes from. That never
// takes an address from a session that has shown to be there.
void WebrtcHost::note_request(SessionId id, const WebrtcSession::Transmit& transmit) {
    if (transmit.bytes.size() < 2 || transmit.bytes[0] != 0 || transmit.bytes[1] != 1) return;
    if (!table_.find(transmit.socket, transmit.to))
        table_.learn(id, {transmit.socket, transmit.to});
}

void WebrtcHost::work_channels(Time now) {
    if (by_association_.empty()) return;
    auto& stack = sctp::Stack::the_process();
    stack.tick(now);
    while (const auto* ready = stack.ready()) {
        const auto found = by_association_.find(ready);
        if (found != by_association_.end()) work(found->second, now);
    }
}

/// The end of a round: what was touched speaks, and what has ended goes.
void WebrtcHost::settle(Time now) {
    while (!dirty_.empty()) {
        const auto id = dirty_.back();
        dirty_.pop_back();
        if (slot(id)) work(id, now);
    }
    work_channels(now);
    for (const auto id : std::exchange(ended_, {})) {
        if (slots_[id]->association) by_association_.erase(slots_[id]->association);
        table_.remove(id);
        slots_[id].reset();
        free_.push_back(id);
        --count_;
    }
    rearm();
}

void WebrtcHost::arm(Slot& slot) {
    const Time at = std::min(slot.session.deadline(), slot.user->deadline());
    if (slot.over || at == Time::max()) {
        timers_.disarm(slot.timer);
    } else if (!slot.timer.armed() || slot.timer.deadline() != at) {
        timers_.arm(slot.timer, at);
    }
}

void WebrtcHost::on_time() {
    armed_ = Time::max();
    const Time now = loop_.now();
    timers_.run(now);
    settle(now);
}

void WebrtcHost::rearm() {
    Time next = timers_.next();
    if (!by_association_.empty()) next = std::min(next, sctp::Stack::the_process().deadline());
    wake_at(next);
}

// Woken too early at worst, which on_time mends.
void WebrtcHost::wake_at(Time when) {
    if (when >= armed_) return;
    armed_ = when;
    timer_ = loop_.at(when, [this] { on_time(); });
}

void WebrtcHost::send(Slot& slot, ice::SocketId socket, const SocketAddress& to, Bytes bytes) {
    auto& out = slot.socket ? slot.socket : socket_;
    if (socket < bases_.size()) out->send(to, bytes, bases_[socket].address);
}

void WebrtcHost::flush() {
    if (socket_) socket_->flush();
    for (auto& slot : slots_) {
        if (slot && slot->socket) slot->socket->flush();
    }
}

Bytes WebrtcHost::send_rtp(SessionId id, MutableBytes buffer, std::size_t size) {
    auto* found = slot(id);
    const auto packet = found ? found->session.protect_rtp(buffer, size) : std::nullopt;
    if (!packet) return {};
    send(*found, packet->socket, packet->to, packet->bytes);
    return packet->bytes;
}

Bytes WebrtcHost::send_rtcp(SessionId id, MutableBytes buffer, std::size_t size) {
    auto* found = slot(id);
    const auto packet = found ? found->session.protect_rtcp(buffer, size) : std::nullopt;
    if (!packet) return {};
    send(*found, packet->socket, packet->to, packet->bytes);
    return packet->bytes;
}

void WebrtcHost::send_again(SessionId id, Bytes packet) {
    auto* found = slot(id);
    const auto path = found ? found->session.ice().path() : std::nullopt;
    if (path) send(*found, path->socket, path->remote, packet);
}

}  // namespace strowger::media
