#include "echo/call.hpp"

#include <algorithm>

#include "io/clock.hpp"
#include "wire/rtcp/packet.hpp"
#include "wire/rtp/packet.hpp"

namespace strowger::echo {

namespace {

constexpr std::size_t number_size = 8;  ///< of a message, in front of it

void store64(MutableBytes out, std::uint64_t value) {
    store32(out, 0, static_cast<std::uint32_t>(value >> 32));
    store32(out, 4, static_cast<std::uint32_t>(value));
}

}  // namespace

media::WebrtcSession::Config client_config(OfferKind kind,
                                           std::shared_ptr<const dtls::Identity> identity) {
    media::WebrtcSession::Config config;
    config.ice.role = ice::Role::controlling;
    config.ice.pacing = std::chrono::milliseconds{5};  // RFC 8445 section 14.2
    config.identity = std::move(identity);
    config.media = kind != OfferKind::channel;
    if (kind == OfferKind::channel) config.sctp.emplace();
    return config;
}

Call::Call(media::WebrtcHost& host, const Plan& plan)
    : host_(host),
      plan_(plan),
      offered_(OfferedMedia::make(host.random())),
      secret_(host.random().next()),
      first_sequence_(static_cast<std::uint16_t>(host.random().next32())),
      next_sequence_(first_sequence_),
      reporter_(offered_.audio_ssrc) {
    if (plan_.sound) sent_at_.assign(remembered, Time::max());
    text_ = host.random().token(5);
    message_.assign(std::max(plan_.message_size, number_size), 0x5a);
    message_sent_at_.resize(plan_.in_flight);
}

std::string Call::offer(bool loopback, const dtls::Fingerprint& fingerprint) {
    const auto& session = *host_.session(id_);
    const media::WebrtcLocal local{.credentials = session.ice().local(),
                                   .candidates = host_.candidates(id_, loopback),
                                   .fingerprint = fingerprint,
                                   .setup = dtls::Setup::actpass};
    return write_offer(plan_.kind, local, offered_, host_.random());
}

Result<> Call::answer(std::string_view text) {
    auto reading = read_answer(text, plan_.kind);
    if (!reading) return std::unexpected(reading.error());
    if (plan_.sound && !reading->payload) return fail("SDP: the answer takes no sound");
    payload_ = reading->payload;
    mid_ = reading->mid;
    mid_id_ = mid_.size() <= 3 ? reading->mid_id : std::uint8_t{0};
    auto set = host_.session(id_)->set_peer(reading->peer, host_.now());
    host_.work(id_);
    return set;
}

void Call::changed(const media::WebrtcSession::Event& event, Time now) {
    using Kind = media::WebrtcSession::Event::Kind;
    const auto& session = *host_.session(id_);
    steps_ = session.steps();
    if (event.kind == Kind::connected) {
        connected_ = true;
        if (plan_.sound) next_packet_ = now;
        if (plan_.kind == OfferKind::channel) {
            const datachannel::Settings settings{.label = "echo"};
            if (auto opened = host_.session(id_)->channels()->open(settings)) channel_ = *opened;
        }
    } else if (event.kind == Kind::ended) {
        ended_ = true;
        reason_ = session.reason();
        next_packet_ = Time::max();
    }
    if (on_change) on_change();
}

// Of chance, but the same for the same number, so that what comes back can be told to be right.
void Call::write_payload(std::uint16_t sequence, MutableBytes out) const {
    std::uint64_t state = secret_ ^ (std::uint64_t{sequence} * 0x9e3779b97f4a7c15ULL);
    for (auto& byte : out) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        byte = static_cast<std::uint8_t>(state >> 56);
    }
}

void Call::tick(Time now) {
    if (!connected_ || ended_ || now < next_packet_) return;
    if (stopped_) {
        next_packet_ = Time::max();
        return;
    }
    send_packet(now);
    next_packet_ += packet_time;
    if (next_packet_ < now) next_packet_ = now + packet_time;  // we were kept from it
}

void Call::send_packet(Time now) {
    std::array<std::uint8_t, 256> buffer{};
    const std::size_t front = rtp::header_size + (mid_id_ ? 8 : 0);
    const rtp::Header header{.marker = sound_.sent == 0,
                             .payload_type = payload_->type,
                             .sequence = next_sequence_++,
                             .timestamp = timestamp_,
                             .ssrc = offered_.audio_ssrc};
    timestamp_ += payload_->codec.clock_rate / 50;
    rtp::write_header(header, buffer);
    if (mid_id_) {  // RFC 8285 section 4.2, three bytes at most
        buffer[0] |= 0x10;
        store16(buffer, 12, 0xbede);
        store16(buffer, 14, 1);
        buffer[16] = static_cast<std::uint8_t>(mid_id_ << 4 | (mid_.size() - 1));
        std::ranges::copy(as_bytes(mid_), buffer.begin() + 17);
    }
    write_payload(header.sequence, MutableBytes(buffer).subspan(front, payload_size));
    if (host_.send_rtp(id_, buffer, front + payload_size).empty()) return;
    sent_at_[header.sequence % remembered] = now;
    ++sound_.sent;
}

void Call::rtp(const media::PacketRoom& room, Time now) {
    const auto packet = rtp::Packet::parse(room.bytes());
    if (!packet || !plan_.sound || packet->payload_type() != payload_->type) return;
    const auto sequence = packet->sequence();
    const auto behind = static_cast<std::uint16_t>(next_sequence_ - sequence);
    if (behind == 0 || behind > remembered || behind > sound_.sent) {
        ++sound_.changed;  // none that we have sent
        return;
    }
    std::array<std::uint8_t, payload_size> expected;
    write_payload(sequence, expected);
    if (!std::ranges::equal(packet->payload(), expected)) {
        ++sound_.changed;
        return;
    }
    auto& at = sent_at_[sequence % remembered];
    if (at == Time::max()) {
        ++sound_.duplicates;
        return;
    }
    const Duration delay = now - std::exchange(at, Time::max());
    ++sound_.returned;
    sound_.delay_sum += delay;
    sound_.longest_delay = std::max(sound_.longest_delay, delay);
    if (newest_returned_ && !rtp::newer(sequence, *newest_returned_)) ++sound_.out_of_order;
    newest_returned_ = sequence;
}

void Call::rtcp(Bytes packet, Time now) {
    const auto compound = rtcp::Compound::parse(packet, rtcp::Strictness::reduced);
    if (compound) reporter_.receive(*compound, now, rtcp::ntp_time(io::wall_now()));
}

void Call::channels(datachannel::Channels& channels, Time now) {
    using Kind = datachannel::Channels::Event::Kind;
    datachannel::Channels::Event event;
    while (channels.poll(event)) {
        if (event.kind == Kind::opened && event.channel == channel_) {
            opened_ = true;
            if (plan_.message_size == 0) (void)channels.send(*channel_, true, as_bytes(text_));
        } else if (event.kind == Kind::message && event.channel == channel_) {
            take_message(event, now);
        } else if (event.kind == Kind::ended) {
            reason_ = "the channels ended";
        }
    }
    if (opened_ && plan_.message_size > 0) send_messages(channels, now);
}

void Call::send_messages(datachannel::Channels& channels, Time now) {
    while (!stopped_ && next_message_ < next_return_ + plan_.in_flight) {
        store64(message_, next_message_);
        if (channels.send(*channel_, false, message_) != datachannel::Channels::Sent::accepted) {
            return;
        }
        message_sent_at_[next_message_++ % plan_.in_flight] = now;
        ++messages_.sent;
    }
}

// An ordered channel brings them back in their order.
void Call::take_message(const datachannel::Channels::Event& event, Time now) {
    if (plan_.message_size == 0) {
        text_returned_ = event.text && as_text(event.bytes) == text_;
        if (on_change) on_change();
        return;
    }
    store64(message_, next_return_);
    if (event.text || !std::ranges::equal(event.bytes, message_)) {
        ++messages_.changed;
        return;
    }
    const Duration delay = now - message_sent_at_[next_return_++ % plan_.in_flight];
    ++messages_.returned;
    messages_.bytes += event.bytes.size();
    messages_.delay_sum += delay;
    if (messages_.delays.size() < max_delays) messages_.delays.push_back(delay);
}

}  // namespace strowger::echo
