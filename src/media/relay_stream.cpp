#include "media/relay_stream.hpp"

#include <algorithm>

#include "media/shard.hpp"
#include "wire/rtcp/packet.hpp"

namespace strowger::media {
namespace {

// Behind a packet in the buffer: what SRTP adds to it at most (a tag of 16, an index of 4 and a
// master key identifier of 128 bytes).
constexpr std::size_t headroom = 160;
constexpr std::size_t longest = Shard::max_packet - headroom;

constexpr std::uint32_t player_clock_rate = 8000;  // it speaks G.711

static_assert(longest <= RecodingLane::max_packet &&
              RecodingLane::max_packet + headroom <= RecodingLane::max_protected);

// Feedback is RTCP of these types; profiles without it (RTP/AVP) do not know what to do with it.
bool is_feedback(const rtcp::Packet& packet) {
    return packet.type == rtcp::Type::transport_feedback ||
           packet.type == rtcp::Type::payload_feedback;
}

// Takes feedback out of a compound, in place. Nothing is left of one that has only that.
std::size_t without_feedback(MutableBytes packet) {
    const auto compound = rtcp::Compound::parse(packet, rtcp::Strictness::reduced);
    if (!compound) return packet.size();
    std::size_t kept = 0;
    for (const auto& part : *compound) {
        if (is_feedback(part)) continue;
        std::copy(part.bytes.begin(), part.bytes.end(),
                  packet.begin() + static_cast<std::ptrdiff_t>(kept));
        kept += part.bytes.size();
    }
    return kept;
}

}  // namespace

RelayStream::~RelayStream() { close(); }

void RelayStream::close() {
    say_goodbye();
    if (path_) path_->close();
    detach();
    path_.reset();
}

void RelayStream::detach() {
    for (RelayStream* feeder : feeders_)
        std::erase_if(feeder->sinks_, [this](const Sink& sink) {
            if (sink.stream != this) return false;
            let_go(sink);
            return true;
        });
    for (const Sink& sink : sinks_) {
        std::erase(sink.stream->feeders_, this);
        let_go(sink);
    }
    feeders_.clear();
    sinks_.clear();
    tap_.reset();  // its ring is the thread's
    carry({});
    if (carrier_) std::erase_if(carrier_->riders_, [&](const auto& r) { return r.stream == this; });
    carrier_ = nullptr;
    give_back();
    if (path_) path_->leave();
    if (reporter_) shard_->timers().disarm(reporter_->timer);
    if (holding_) shard_->timers().disarm(holding_->timer);
    if (pausing_) shard_->timers().disarm(pausing_->timer);
}

void RelayStream::attach(Shard& shard) {
    shard_ = &shard;
    if (reporter_) shard.timers().arm(reporter_->timer, reporter_->reports.deadline());
    if (holding_) arm_hold();
    if (path_) path_->enter(shard);
}

void RelayStream::aim(const Place& place) {
    place_ = place;
    place_.target.may_connect = place_.target.may_connect && !place.follow;
    transport_.aim(place_.target);
    tell_remote();
}

void RelayStream::pierce() {
    if (!transport_.remote()) return;
    (void)transport_.send({});
    if (!place_.target.muxed) (void)transport_.send_rtcp({});
}

void RelayStream::inherit(RelayStream& before) {
    decrypt_ = std::move(before.decrypt_);
    encrypt_ = std::move(before.encrypt_);
    gate_ = std::move(before.gate_);
    own_ = before.own_;
    if (before.reporter_) {
        take_over(before.reporter_->reports);
        before.reporter_.reset();  // which has not taken leave, then
    }
    last_ = before.last_;
    last_at_ = before.last_at_;
}

void RelayStream::feed(std::vector<Sink> sinks) {
    for (const Sink& sink : sinks_) {
        std::erase(sink.stream->feeders_, this);
        let_go(sink);
    }
    sinks_ = std::move(sinks);
    some_silent_ = std::ranges::any_of(sinks_, &Sink::silent);
    const bool fills = std::ranges::any_of(
        sinks_, [](const Sink& sink) { return sink.recoding && sink.recoding->recoder().ticks(); });
    if (!fills)
        pausing_.reset();
    else if (!pausing_)
        pausing_.reset(new Pausing{Timer([this](Time now) { pause_due(now); })});
    for (const Sink& sink : sinks_) {
        sink.stream->feeders_.push_back(this);
        if (sink.rtcp_only) continue;
        RelayStream& to = *sink.stream;
        to.terms_ = sink.terms;
        if (sink.recoding) to.terms_.clock_rate = sink.recoding->figures().clock_out;
        if (sink.recoding && sink.recoding->figures().own) to.begin_own();
        if (to.own_ && !to.speaks()) to.own_->set_clock_rate(to.terms_.clock_rate);
        if (!sink.recoding) continue;
        sink.recoding->aim(&to);
        if (auto* lane = sink.recoding->lane()) shard_->adopt(*lane);
    }
}

// What is under way to it yet is sent nowhere.
void RelayStream::let_go(const Sink& sink) {
    if (sink.recoding) sink.recoding->aim(nullptr);
}

void RelayStream::rtp_readable(Time now) {
    const auto packet = transport_.receive(shard_->buffer().first(longest));
    if (!packet) return;
    if (packet->size() == longest) {  // and was perhaps longer
        figures_->rtp_in.errors.add(1);
        return;
    }
    if (borrower_) return lend_packet(RelayPath::rtp_socket, *packet, transport_.from(), now);
    if (path_) return path_packet(RelayPath::rtp_socket, *packet, transport_.from(), now);
    if (place_.kind == Kind::opaque) return other_packet(*packet, now);
    switch (rtp::kind_of(*packet)) {
        case rtp::Kind::rtp: return rtp_packet(*packet, now);
        case rtp::Kind::rtcp:
            if (place_.target.muxed) return rtcp_packet(*packet, now);
            [[fallthrough]];
        default: figures_->rtp_in.errors.add(1);
    }
}

// In the clear; nothing when it is not authentic, or too short for RTP.
std::optional<MutableBytes> RelayStream::opened(MutableBytes packet) {
    if (decrypt_) packet = packet.first(decrypt_->unprotect(packet).value_or(0));
    if (packet.size() >= rtp::header_size) return packet;
    figures_->rtp_in.errors.add(1);
    return std::nullopt;
}

// The header alone: what follows may be cipher of the parties' own keys, and is not ours to judge.
rtp::Header RelayStream::header_of(Bytes packet) {
    return {.marker = (packet[1] & 0x80) != 0,
            .payload_type = static_cast<std::uint8_t>(packet[1] & 0x7f),
            .sequence = load16(packet, 2),
            .timestamp = load32(packet, 4),
            .ssrc = load32(packet, 8)};
}

void RelayStream::rtp_packet(MutableBytes packet, Time now) {
    const auto plain = opened(packet);
    if (!plain) return;
    const auto header = header_of(*plain);
    const bool known = transport_.connected();
    if (!transport_.accept(header, now)) return;
    if (!known) tell_remote();
    take_rtp(header, *plain, now);
}

void RelayStream::take_rtp(const rtp::Header& header, MutableBytes packet, Time now) {
    figures_->rtp_in.packet(packet.size());
    figures_->last_rtp.set(StreamFigures::stamp(now));
    figures_->heard(header.ssrc);
    figures_->payload_type.set(header.payload_type);
    if (reporter_) {
        const auto parsed = rtp::Packet::parse(packet);
        reporter_->reports.heard(header, parsed ? parsed->payload().size() : 0, now);
    }
    if (gate_ && !pass(header, packet)) return;
    if (tap_) copy_out(packet, false, false);
    if (holding_ && held_back(header, packet, now)) return;
    pass_on(header, packet);
}

// A pause that has begun ends with whatever comes next.
void RelayStream::await_pause(const rtp::Header& header) {
    const Time now = shard_->now();
    Duration soonest = Duration::max(), longest{};
    for (const Sink& sink : sinks_) {
        if (!sink.recoding) continue;
        const Recoder& recoder = sink.recoding->recoder();
        if (const Duration held = recoder.holds_key(header.payload_type); held > Duration{})
            pausing_->keys_until = std::max(pausing_->keys_until, now + held);
        const Duration delay = recoder.tick_delay(header.payload_type);
        if (delay == Duration{}) continue;
        soonest = std::min(soonest, delay);
        longest = std::max(longest, recoder.plan().pauses.longest);
    }
    const bool pauses = soonest != Duration::max();
    pausing_->until = pauses ? now + soonest + longest : now;
    if (now < pausing_->keys_until) {
        if (!pausing_->timer.armed())
            shard_->timers().arm(pausing_->timer, now + Recoder::tick_interval);
    } else if (pauses) {
        shard_->timers().arm(pausing_->timer, now + soonest);
    } else {
        shard_->timers().disarm(pausing_->timer);
    }
}

void RelayStream::pause_due(Time now) {
    if (now >= std::max(pausing_->until, pausing_->keys_until) || (gate_ && gate_->media)) return;
    for (const Sink& sink : sinks_)
        if (sink.recoding && sink.recoding->recoder().ticks()) recode({}, sink);
    shard_->timers().arm(pausing_->timer, now + Recoder::tick_interval);
}

void RelayStream::pass_on(const rtp::Header& header, MutableBytes packet) {
    if (pausing_) await_pause(header);
    if (!some_silent_) return distribute(packet, &RelayStream::send_rtp);
    // Those who are to hear it come first: then it becomes silence in its place.
    const bool speech = !gate_ || !gate_->events[header.payload_type];
    distribute(
        packet, &RelayStream::send_rtp, [&](const Sink& sink) { return !sink.silent; }, true);
    if (!speech || silence(header, packet))
        distribute(packet, &RelayStream::send_rtp, [](const Sink& sink) { return sink.silent; });
}

void RelayStream::hold(const Hold* hold, std::unique_ptr<JitterBuffer> buffer) {
    if (!hold) return holding_.reset();
    if (buffer)
        holding_.reset(new Holding{hold->clock_rates, std::move(buffer),
                                   Timer([this](Time now) { hold_due(now); })});
    else if (holding_)
        holding_->clock_rates = hold->clock_rates;
}

// False: it goes on at once. What comes too late is counted with the errors.
bool RelayStream::held_back(const rtp::Header& header, Bytes packet, Time now) {
    using Verdict = JitterBuffer::Verdict;
    const std::uint32_t clock_rate = holding_->clock_rates[header.payload_type & 0x7f];
    const auto verdict =
        holding_->buffer->put(header, packet, clock_rate != 0, std::max(clock_rate, 1U), now);
    if (verdict == Verdict::whole) return false;
    if (verdict != Verdict::kept) figures_->rtp_in.errors.add(1);
    arm_hold();
    return true;
}

void RelayStream::arm_hold() {
    if (const Time due = holding_->buffer->deadline(); due != Time::max())
        shard_->timers().arm(holding_->timer, due);
}

void RelayStream::hold_due(Time now) {
    for (;;) {
        const Bytes held = holding_->buffer->take(now);
        if (held.empty()) break;
        if (gate_ && gate_->media) continue;  // asked for meanwhile
        const MutableBytes packet = shard_->buffer().first(held.size());
        std::ranges::copy(held, packet.begin());
        pass_on(header_of(packet), packet);
    }
    arm_hold();
}

bool RelayStream::pass(const rtp::Header& header, MutableBytes packet) const {
    if (gate_->media) return false;
    if (gate_->events[header.payload_type]) return !gate_->dtmf;
    return !gate_->silence || silence(header, packet);
}

bool RelayStream::silence(const rtp::Header& header, MutableBytes packet) const {
    const std::uint8_t code = gate_ ? gate_->silent_codes[header.payload_type] : 0;
    const auto parsed = rtp::Packet::parse(packet);
    if (code == 0 || !parsed) return false;
    const auto offset = parsed->payload().data() - packet.data();
    std::fill_n(packet.begin() + offset, parsed->payload().size(), code);
    return true;
}

void RelayStream::other_packet(MutableBytes packet, Time now) {
    const bool known = transport_.connected();
    if (!transport_.accept_other(opaque_count_++, now)) return;
    if (!known) tell_remote();
    figures_->rtp_in.packet(packet.size());
    figures_->last_rtp.set(StreamFigures::stamp(now));
    if (gate_ && gate_->media) return;
    distribute(packet, &RelayStream::send_rtp);
}

void RelayStream::rtcp_readable(Time now) {
    if (path_ || borrower_) {
        const auto room = shard_->buffer().first(longest);
        SocketAddress from;
        const auto size = transport_.sockets().rtcp.receive_from(room, from);
        if (!size) return;
        if (borrower_) return lend_packet(RelayPath::rtcp_socket, room.first(*size), from, now);
        return path_packet(RelayPath::rtcp_socket, room.first(*size), from, now);
    }
    const auto packet = transport_.receive_rtcp(shard_->buffer().first(longest));
    if (!packet) return;
    if (carrying()) return figures_->rtcp_in.errors.add(1);  // it has no business at this port
    rtcp_packet(*packet, now);
}

void RelayStream::rtcp_packet(MutableBytes packet, Time now) {
    if (decrypt_) {
        const auto plain = decrypt_->unprotect_rtcp(packet);
        packet = packet.first(plain.value_or(0));
    }
    if (packet.empty() || packet.size() == longest) {
        figures_->rtcp_in.errors.add(1);
        return;
    }
    take_rtcp(packet, now);
}

void RelayStream::take_rtcp(MutableBytes packet, Time now) {
    figures_->rtcp_in.packet(packet.size());
    figures_->last_rtcp.set(StreamFigures::stamp(now));
    if (readable())
        reports_.received(packet, now, terms_, figures_->told,
                          [this](std::uint32_t ssrc) { return is_sent(ssrc); });
    if (gate_ && gate_->media) return;
    if (tap_) copy_out(packet, true, false);
    if (reporter_ && readable()) {
        reporter_->reports.heard_report(packet, now);
        if (reporter_->reports.settings().generate) packet = packet.first(feedback_alone(packet));
        if (packet.empty()) return;
    }
    distribute(packet, &RelayStream::send_rtcp);
}

void RelayStream::copy_out(Bytes packet, bool rtcp, bool egress) {
    if (!(egress ? tap_->egress : tap_->ingress)) return;
    const auto remote = egress ? transport_.remote().value_or(SocketAddress{}) : transport_.from();
    PacketRing::Packet about{.recording = tap_->recording,
                             .remote = remote,
                             .at = shard_->now(),
                             .stream = tap_->stream,
                             .rtcp = rtcp,
                             .egress = egress,
                             .forwarded_only = tap_->forwarded_only};
    if (!tap_->key) {
        tap_->ring->put(about, packet);
        return;
    }
    if (egress) return;  // under the other party's key, and heard on its own side
    const MutableBytes copy = shard_->second_buffer().first(packet.size());
    std::ranges::copy(packet, copy.begin());
    const auto plain = rtcp ? tap_->key->unprotect_rtcp(copy) : tap_->key->unprotect(copy);
    if (plain) tap_->ring->put(about, copy.first(*plain));
}

// Sending may change the packet (it is encrypted in place), so all sinks but the last get a copy;
// that, too, if the packet is still needed.
template <typename Send, typename Wanted>
void RelayStream::distribute(MutableBytes packet, Send send, Wanted wanted, bool needed) {
    const MutableBytes room = shard_->buffer();
    const Sink* last = nullptr;
    const auto copied_to = [&](const Sink& sink) {
        const MutableBytes copy = shard_->second_buffer();
        std::copy(packet.begin(), packet.end(), copy.begin());
        (sink.stream->*send)(copy, packet.size());
    };
    for (const Sink& sink : sinks_) {
        if (!wanted(sink)) continue;
        if (sink.rtcp_only && send != &RelayStream::send_rtcp) continue;
        if (send == &RelayStream::send_rtcp) {
            // It is to be changed where media of either direction is.
            if (sink.stream->own_ || own_) {
                recode_rtcp(packet, sink);
                continue;
            }
        } else if (sink.recoding) {
            recode(packet, sink);
            continue;
        }
        if (last) copied_to(*last);
        last = &sink;
    }
    if (!last) return;
    if (needed)
        copied_to(*last);
    else
        (last->stream->*send)(room, packet.size());
}

// Without a packet it is told the time. Sound is made elsewhere, and comes back to `send_recoded`
// of that stream. What is only looked up in a table is done here: that takes less than to hand it
// over.
void RelayStream::recode(Bytes packet, const Sink& sink) {
    if (auto* lane = sink.recoding->lane()) {
        if (!lane->give(sink.recoding, packet, shard_->now())) figures_->rtp_in.errors.add(1);
        return;
    }
    struct Out final : Recoder::Out {
        Out(Shard& shard, const Sink& sink) : shard(shard), sink(sink) {}
        MutableBytes room() override { return shard.second_buffer().first(longest); }
        void put(std::size_t size) override {
            sink.stream->send_recoded(*sink.recoding, shard.second_buffer(), size);
        }
        Shard& shard;
        const Sink& sink;
    } out{*shard_, sink};
    if (packet.empty())
        sink.recoding->recoder().tick(shard_->now(), out);
    else
        sink.recoding->recoder().take(packet, shard_->now(), out);
}

void RelayStream::recode_rtcp(Bytes packet, const Sink& sink) {
    const MutableBytes copy = shard_->second_buffer();
    std::copy(packet.begin(), packet.end(), copy.begin());
    Recoder::rewrite_rtcp(copy.first(packet.size()), sink.stream->own_figures(), own_figures());
    sink.stream->send_rtcp(copy, packet.size());
}

void RelayStream::send_own(MutableBytes buffer, std::size_t size, const Recoder::Figures* source) {
    if (!own_) {
        // The newest: what comes late is not what a stream of ours would have to go on after.
        if (size >= last_.size() && !comes_late(buffer)) {
            std::copy_n(buffer.begin(), last_.size(), last_.begin());
            last_at_ = shard_->now();
        }
    } else if (readable()) {
        if (speaks()) return;
        if (!own_->forward(buffer.first(size), source, shard_->now())) return;
    }
    transmit_rtp(buffer, size);
}

void RelayStream::put(MutableBytes buffer, std::size_t size) {
    own_->count(buffer.first(size));
    transmit_rtp(buffer, size);
}

void RelayStream::transmit_rtp(MutableBytes buffer, std::size_t size) {
    if (tap_) copy_out(buffer.first(size), false, true);
    if (reporter_) count_sent(buffer.first(size));
    if (RelayPath* path = carrying()) {
        if (const auto ssrc = load32(buffer, 8); carrier_ && !sends_ssrc(ssrc))
            sent_ssrcs_[next_sent_ssrc_++ % sent_ssrcs_.size()] = ssrc;
        if (!path->has_keys() && encrypt_) {
            const auto sealed = encrypt_->protect(buffer, size);
            if (!sealed) return figures_->rtp_out.errors.add(1);
            size = *sealed;
        }
        if (const auto sent = path->send_rtp(buffer, size))
            figures_->rtp_out.packet(sent);
        else if (path->connected())
            figures_->rtp_out.errors.add(1);
        return;
    }
    if (encrypt_) {
        const auto sealed = encrypt_->protect(buffer, size);
        if (!sealed) return figures_->rtp_out.errors.add(1);
        size = *sealed;
    }
    if (transport_.send(buffer.first(size)))
        figures_->rtp_out.packet(size);
    else if (transport_.remote())
        figures_->rtp_out.errors.add(1);
}

void RelayStream::send_rtcp(MutableBytes buffer, std::size_t size) {
    if (!place_.feedback) size = without_feedback(buffer.first(size));
    if (size == 0) return;
    if (readable()) reports_.sent(buffer.first(size), shard_->now());
    if (RelayPath* path = carrying()) {
        if (!path->has_keys() && encrypt_) {
            const auto sealed = encrypt_->protect_rtcp(buffer, size);
            if (!sealed) return figures_->rtcp_out.errors.add(1);
            size = *sealed;
        }
        if (const auto sent = path->send_rtcp(buffer, size))
            figures_->rtcp_out.packet(sent);
        else if (path->connected())
            figures_->rtcp_out.errors.add(1);
        return;
    }
    if (encrypt_) {
        const auto sealed = encrypt_->protect_rtcp(buffer, size);
        if (!sealed) return figures_->rtcp_out.errors.add(1);
        size = *sealed;
    }
    if (transport_.send_rtcp(buffer.first(size)))
        figures_->rtcp_out.packet(size);
    else if (transport_.remote())
        figures_->rtcp_out.errors.add(1);
}

// The party hears one stream: ours goes on where that of the other party is.
void RelayStream::begin_own() {
    if (own_) return;
    const Bytes last = last_;
    if (const std::uint32_t ssrc = load32(last, 8); ssrc == 0)
        own_.emplace(shard_->random());
    else
        own_.emplace(rtp::Header{.payload_type = static_cast<std::uint8_t>(last[1] & 0x7f),
                                 .sequence = load16(last, 2),
                                 .timestamp = load32(last, 4),
                                 .ssrc = ssrc},
                     last_at_);
}

StreamSpeaker& RelayStream::speaker() {
    if (!speaker_) speaker_ = std::make_unique<StreamSpeaker>(*this, *shard_);
    begin_own();
    return *speaker_;
}

// As that of the source that is heard again.
void RelayStream::resume_source() {
    own_->set_clock_rate(terms_.clock_rate);
    own_->rewriter().source_changed();
}

bool RelayStream::is_sent(std::uint32_t ssrc) const {
    if (own_ && own_->rewriter().ssrc() == ssrc) return true;
    return load32(last_, 8) == ssrc || sends_ssrc(ssrc);
}

bool RelayStream::comes_late(Bytes packet) const {
    constexpr std::uint16_t max_misorder = 100;  // RFC 3550 A.1
    const auto behind = static_cast<std::uint16_t>(load16(last_, 2) - load16(packet, 2));
    return behind < max_misorder && load32(last_, 8) == load32(packet, 8);
}

void RelayStream::play(std::unique_ptr<Player> player, StreamSpeaker::Voice voice) {
    speaker().play(std::move(player), voice);
    own_->set_clock_rate(player_clock_rate);
}

void RelayStream::stop_playing() {
    if (speaker_) speaker_->stop();
}

void RelayStream::press(const StreamSpeaker::Keys& keys) { speaker().press(keys); }

void RelayStream::tell_remote() {
    if (carrying()) return;  // which tells it itself
    if (transport_.remote() != told_) {
        told_ = transport_.remote();
        figures_->set_remote(told_.value_or(SocketAddress{}));
    }
    figures_->confirmed.set(transport_.locked());
}

}  // namespace strowger::media
