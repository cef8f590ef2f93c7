#include "echo/echo_session.hpp"

#include "io/clock.hpp"

namespace strowger::echo {

static_assert(media::WebrtcHost::front_room >= Reflector::front_needed);

EchoSession::EchoSession(media::WebrtcHost& host, Totals& totals, std::vector<MediaLine> lines,
                         std::string cname)
    : host_(host), totals_(totals), reflector_(std::move(lines), std::move(cname), host.random()) {}

void EchoSession::begin(media::WebrtcHost::SessionId id, Changed changed) {
    id_ = id;
    changed_ = std::move(changed);
}

void EchoSession::rtp(const media::PacketRoom& packet, Time now) {
    const auto back = reflector_.reflect(packet.room, packet.at, packet.size, now);
    if (!back) {
        ++totals_.dropped;
        return;
    }
    const auto sent = host_.send_rtp(id_, packet.room.subspan(back->at), back->size);
    reflector_.sent(*back, sent, now);
    ++totals_.packets;
    totals_.bytes += back->size;
    if (now >= reflector_.deadline()) send_rtcp(now);
}

void EchoSession::rtcp(Bytes packet, Time now) {
    reflector_.rtcp(packet, now, io::wall_now());
    Bytes again;
    while (reflector_.poll_again(again)) {
        host_.send_again(id_, again);
        ++totals_.again;
    }
    if (now >= reflector_.deadline()) send_rtcp(now);
}

void EchoSession::send_rtcp(Time now) {
    // The feedback of 500 packets that all came late has 1160 bytes.
    std::array<std::uint8_t, 1400> buffer;
    std::size_t size = 0;
    const auto room = MutableBytes(buffer).first(buffer.size() - media::WebrtcSession::headroom);
    while (reflector_.poll_rtcp(room, size, now, io::wall_now())) {
        host_.send_rtcp(id_, buffer, size);
    }
}

void EchoSession::say_bye() {
    std::array<std::uint8_t, 1500> buffer;
    std::size_t size = 0;
    const auto room = MutableBytes(buffer).first(buffer.size() - media::WebrtcSession::headroom);
    if (reflector_.write_bye(room, size)) host_.send_rtcp(id_, buffer, size);
}

void EchoSession::changed(const media::WebrtcSession::Event& event, Time now) {
    if (event.kind == media::WebrtcSession::Event::Kind::connected) ++totals_.connected;
    if (changed_) changed_(event, now);
}

bool EchoSession::send_waiting(datachannel::Channels& channels) {
    if (!waiting_) return true;
    const auto sent = channels.send(waiting_->channel, waiting_->text, waiting_->bytes);
    if (sent == datachannel::Channels::Sent::full) return false;
    waiting_.reset();
    return true;
}

void EchoSession::channels(datachannel::Channels& channels, Time) {
    using Kind = datachannel::Channels::Event::Kind;
    datachannel::Channels::Event event;
    while (send_waiting(channels) && channels.poll(event)) {
        if (event.kind == Kind::opened) ++totals_.channels;
        if (event.kind == Kind::ended && !reflector_.has_media()) host_.end(id_);
        if (event.kind != Kind::message) continue;
        ++totals_.messages;
        totals_.message_bytes += event.bytes.size();
        const auto sent = channels.send(event.channel, event.text, event.bytes);
        if (sent == datachannel::Channels::Sent::full) {
            waiting_ = {event.channel, event.text, {event.bytes.begin(), event.bytes.end()}};
        }
    }
}

}  // namespace strowger::echo
