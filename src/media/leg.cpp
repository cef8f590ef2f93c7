#include "media/leg.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "io/clock.hpp"
#include "media/dtmf_detector.hpp"
#include "media/e_model.hpp"
#include "media/jitter_buffer.hpp"
#include "media/mix.hpp"
#include "media/player.hpp"
#include "media/recorder.hpp"
#include "media/shaper.hpp"
#include "media/shard.hpp"
#include "media/spy.hpp"
#include "wire/rtcp/compound_writer.hpp"

namespace strowger::media {
namespace {

constexpr Duration frame_time = std::chrono::milliseconds{20};
constexpr std::size_t frame_samples = 160;
constexpr std::size_t max_frame_samples =
    480;  // 60 ms: longer packets are asked for by nobody sane

// A player that fell behind by more than this starts its clock anew instead of sending a burst.
constexpr Duration max_catch_up = std::chrono::milliseconds{100};

// What is whispered takes the place of a peer from whom nothing came for this long.
constexpr Duration whisper_patience = std::chrono::milliseconds{50};

constexpr Duration watch_interval = std::chrono::seconds{1};

// What every receiver of in-band keys surely recognises (Q.24 asks for 40 ms).
constexpr Duration shortest_key = std::chrono::milliseconds{80};

// Zero, as either law of G.711 writes it.
constexpr std::uint8_t ulaw_silence = 0xff;
constexpr std::uint8_t alaw_silence = 0xd5;

// UDP and IPv4 headers, which RFC 3550 section 6.2 counts in.
constexpr std::size_t datagram_overhead = 28;

// Samples of one packet that are decoded for recordings and detectors: 100 ms and more than any
// phone packs into one.
constexpr std::size_t max_decoded = 800;

}  // namespace

std::uint8_t Leg::law_of(const sdp::Codec& codec) {
    const auto law = g711::law_of(codec);
    return law ? static_cast<std::uint8_t>(*law) : no_law;
}

Leg::Leg(std::uint64_t id, SocketPair sockets, Random& random)
    : id_(id),
      transport_(std::move(sockets)),
      sender_(random),
      reporter_(sender_.ssrc()),
      play_timer_([this](Time now) { play_tick(now); }),
      digit_timer_([this](Time now) { digit_tick(now); }),
      key_timer_([this](Time now) {
          keys_.tick(now);
          report_keys();
      }),
      jitter_timer_([this](Time now) { jitter_tick(now); }),
      record_timer_([this](Time now) { record_tick(now); }),
      rtcp_timer_([this](Time now) { rtcp_tick(now); }),
      watch_timer_([this](Time now) { watch_tick(now); }) {}

Leg::~Leg() {
    if (shard_) detach();
}

void Leg::attach(Shard& shard) {
    shard_ = &shard;
    const Time now = shard.now();
    quiet_since_ = now;
    schedule_.emplace(rtcp::Schedule::Config{.minimum = rtcp_interval_}, now, shard.random());
    shard.timers().arm(rtcp_timer_, schedule_->deadline());
    shard.timers().arm(watch_timer_, now + watch_interval);
    if (player_ || key_player_) start_playing();
    if (digits_ && digits_->busy()) shard.timers().arm(digit_timer_, now);
    if (!recorders_.empty()) shard.timers().arm(record_timer_, now);
    if (keys_.pressed()) shard.timers().arm(key_timer_, keys_.deadline());
    if (jitter_ && jitter_->size() > 0) shard.timers().arm(jitter_timer_, jitter_->deadline());
}

void Leg::detach() {
    while (!spies_.empty()) spies_.back()->listener().stop_spying();
    stop_spying();
    part();
    for (Timer* timer : {&play_timer_, &digit_timer_, &key_timer_, &jitter_timer_, &record_timer_,
                         &rtcp_timer_, &watch_timer_})
        shard_->timers().disarm(*timer);
    schedule_.reset();
    shard_ = nullptr;
}

void Leg::agree(Terms terms) {
    terms_ = std::move(terms);
    Transport::Target target = terms_.target;
    if (target.rtp && target.rtp->ip.is_unspecified()) target.rtp = target.rtcp = std::nullopt;
    transport_.aim(target);

    const auto* speech = speech_payload();
    if (speech) {
        received_.set_clock_rate(speech->codec.clock_rate);
        sender_.set_clock_rate(speech->codec.clock_rate);
    }
    const auto* events = event_payload();
    if (events && events->codec.clock_rate != event_clock_) {
        event_clock_ = events->codec.clock_rate;
        keys_ = rtp::EventReceiver({.clock_rate = event_clock_});
        digits_.reset();
    }
    const bool listen =
        terms_.dtmf == DtmfMode::inband || (terms_.dtmf == DtmfMode::automatic && !events);
    if (listen && !detector_) detector_ = std::make_unique<DtmfDetector>();
    if (!listen) detector_.reset();

    const std::size_t packed = std::min(terms_.repack_ms * std::size_t{8}, Repacker::max_length);
    if (packed == 0) {
        repacker_.reset();
    } else if (!repacker_ || repacker_->length() != packed) {
        repacker_ = std::make_unique<Repacker>();
        repacker_->set_length(packed);
    }

    quiet_since_ = shard_->now();
    silent_since_ = quiet_since_;
    timed_out_ = false;
    if (terms_.rtcp_interval != rtcp_interval_) {
        rtcp_interval_ = terms_.rtcp_interval;
        schedule_.emplace(rtcp::Schedule::Config{.minimum = rtcp_interval_}, shard_->now(),
                          shard_->random());
        shard_->timers().arm(rtcp_timer_, schedule_->deadline());
    }
    route();
    if (peer_) peer_->route();
    watch_tick(shard_->now());
}

void Leg::join(Leg& other) {
    if (peer_ == &other) return;
    for (Leg* leg : {this, &other}) {
        leg->part();
        leg->stop_spying();
        leg->echo_ = false;
    }
    peer_ = &other;
    other.peer_ = this;
    for (Leg* leg : {this, &other}) {
        leg->sender_.source_changed();
        leg->route();
        leg->tell_spies();
        leg->picture_due_ = true;
    }
}

void Leg::part() {
    if (Mix* const mix = std::exchange(mix_, nullptr)) mix->leave(*this);
    Leg* const peer = std::exchange(peer_, nullptr);
    route();
    if (!peer) return;
    peer->peer_ = nullptr;
    peer->route();
    tell_spies();
    peer->tell_spies();
}

void Leg::enter(Mix& mix, const MixSettings& settings) {
    if (mix_ != &mix) {
        part();
        stop_spying();
        echo_ = false;
        route();
        mix_ = &mix;
        sender_.source_changed();
    }
    mix.enter(*this, settings);
}

void Leg::spy(Leg& target, const SpySettings& settings) {
    if (spying_ && &spying_->target() == &target) {
        spying_->change(settings);
        return;
    }
    part();
    echo_ = false;
    route();
    stop_spying();
    spying_ = std::make_unique<Spy>(*shard_, *this, target, settings);
    sender_.source_changed();
}

void Leg::stop_spying() { spying_.reset(); }

void Leg::tell_spies() {
    for (Spy* const spy : spies_) spy->peer_changed();
}

void Leg::echo(bool on) {
    if (on) part();
    echo_ = on;
    sender_.source_changed();
    route();
}

void Leg::block(bool media, bool dtmf) {
    block_media_ = media;
    block_dtmf_ = dtmf;
    route();
}

void Leg::shape(std::unique_ptr<Shaper> from, std::unique_ptr<Shaper> to) {
    shapes_from_ = std::move(from);
    shapes_to_ = std::move(to);
}

void Leg::hold_back(std::unique_ptr<JitterBuffer> buffer) {
    if (jitter_ && buffer && jitter_->settings() == buffer->settings()) return;
    jitter_tick(Time::max());
    jitter_ = std::move(buffer);
}

// The seam for the in-kernel forwarder: when every route of both legs of a pair is `pass` or
// `refuse`, both transports are connected, and nothing plays, records, detects or is to be timed,
// the pair can be handed down; whatever calls `route` takes it back first.
void Leg::route() {
    routes_.fill({});
    ears_.clear();
    const Leg* to = echo_ ? this : peer_;
    for (const auto& payload : terms_.payloads)
        routes_[payload.receive_type & 0x7f] = route_for(payload, to);
    const bool recodes =
        std::ranges::any_of(routes_, [](const Route& route) { return route.way == Way::recode; });
    if (!recodes) return;
    // The line that is made anew has other timestamps: what is not sound cannot go on beside it.
    for (Route& route : routes_)
        if (route.content != Content::audio && route.way == Way::pass) route.way = Way::drop;
}

Leg::Route Leg::route_for(const sdp::AgreedPayload& payload, const Leg* to) const {
    Route route;
    route.way = Way::drop;
    route.law = law_of(payload.codec);
    route.content = iequals(payload.codec.name, "telephone-event") ? Content::event
                    : iequals(payload.codec.name, "CN")            ? Content::comfort_noise
                                                                   : Content::audio;
    route.decodes = route.content == Content::audio && codec::support_of(payload.codec).decodes;
    const bool blocked = route.content == Content::event ? block_dtmf_ : block_media_;
    if (!to || !receives() || blocked) return route;

    const auto same = std::ranges::find_if(to->terms_.payloads, [&](const auto& other) {
        return sdp::compatible(other.codec, payload.codec);
    });
    if (same != to->terms_.payloads.end()) {
        route.way = Way::pass;
        route.out_type = same->send_type;
        route.out_law = route.law;
    } else if (const auto* other = to->g711_payload(); other && route.law != no_law) {
        route.way = Way::transcode;
        route.out_type = other->send_type;
        route.out_law = law_of(other->codec);
    } else if (const auto* spoken = to->spoken_payload(); spoken && route.decodes) {
        route.way = Way::recode;
        route.out_type = spoken->send_type;
    }
    return route;
}

const sdp::AgreedPayload* Leg::speech_payload() const {
    for (const auto& payload : terms_.payloads)
        if (!sdp::is_auxiliary(payload.codec.name)) return &payload;
    return nullptr;
}

const sdp::AgreedPayload* Leg::g711_payload() const {
    for (const auto& payload : terms_.payloads)
        if (law_of(payload.codec) != no_law) return &payload;
    return nullptr;
}

const sdp::AgreedPayload* Leg::spoken_payload() const {
    for (const auto& payload : terms_.payloads)
        if (codec::is_transcodable(payload.codec)) return &payload;
    return nullptr;
}

// Of several, that which goes by the clock of what is spoken (RFC 4733 section 2.5.1.1).
const sdp::AgreedPayload* Leg::event_payload() const {
    const auto* speech = speech_payload();
    const sdp::AgreedPayload* found = nullptr;
    for (const auto& payload : terms_.payloads) {
        if (!iequals(payload.codec.name, "telephone-event")) continue;
        if (speech && payload.codec.clock_rate == speech->codec.clock_rate) return &payload;
        if (!found) found = &payload;
    }
    return found;
}

bool Leg::occupied() const { return player_ || key_player_ || (digits_ && digits_->sounding()); }

bool Leg::is_listened_to() const {
    return !recorders_.empty() || detector_ || mix_ || spying_ || !spies_.empty();
}

std::optional<g711::Law> Leg::own_law() const {
    const auto* payload = spoken_payload();
    if (!payload || law_of(payload->codec) == no_law) return std::nullopt;
    return static_cast<g711::Law>(law_of(payload->codec));
}

void Leg::rtp_readable(Time now) {
    const auto datagram = transport_.receive(shard_->buffer());
    if (!datagram) return;
    const auto packet = rtp::Packet::parse(*datagram);
    if (!packet) {
        ++refused_;
        return;
    }
    const Route route = routes_[packet->payload_type()];
    if (route.way == Way::refuse || !transport_.accept(packet->header(), now)) {
        ++refused_;
        return;
    }
    using Verdict = rtp::ReceiverStatistics::Verdict;
    const Verdict verdict = received_.receive(packet->header(), packet->payload().size(), now);
    if (verdict == Verdict::duplicate) return;
    quiet_since_ = now;
    timed_out_ = false;
    if (!started_) {
        started_ = true;
        shard_->tell(id_, MediaStarted{.from = transport_.from()});
    }
    if (jitter_) {
        using Kept = JitterBuffer::Verdict;
        const Kept kept = jitter_->put(packet->header(), *datagram, route.content == Content::audio,
                                       received_.clock_rate(), now);
        if (kept == Kept::kept) shard_->timers().arm(jitter_timer_, jitter_->deadline());
        if (kept != Kept::whole) return;
    }
    pass_on(*packet, *datagram, route, now);
}

// Packets that are let go were accepted when they came, by the routes of then: what has changed
// since decides what becomes of them.
void Leg::jitter_tick(Time now) {
    if (!jitter_) return;
    const Time then = std::min(now, shard_->now());
    for (MutableBytes datagram = jitter_->take(now); !datagram.empty();
         datagram = jitter_->take(now))
        if (const auto packet = rtp::Packet::parse(datagram))
            pass_on(*packet, datagram, routes_[packet->payload_type()], then);
    if (jitter_->size() > 0) shard_->timers().arm(jitter_timer_, jitter_->deadline());
}

void Leg::pass_on(const rtp::Packet& packet, MutableBytes datagram, Route route, Time now) {
    if (shapes_from_ && route.law != no_law) {
        const auto offset = static_cast<std::size_t>(packet.payload().data() - datagram.data());
        shapes_from_->shape(static_cast<g711::Law>(route.law),
                            datagram.subspan(offset, packet.payload().size()));
    }
    if (route.content == Content::event) {
        if (receives()) take_event(packet, now);
    } else if (route.decodes && (route.law == no_law || route.way == Way::recode)) {
        return take_coded(packet, datagram, route, now);
    } else if (receives() && is_listened_to()) {
        hear(packet, route.law, now);
    }
    if (route.way == Way::drop || route.way == Way::refuse) return;
    if (detector_ && route.content == Content::audio) {
        const auto offset = static_cast<std::size_t>(packet.payload().data() - datagram.data());
        mute_key(datagram.subspan(offset, packet.payload().size()), route.law);
    }
    // What was shown before the two were joined, the other one has missed.
    if (picture_due_ && terms_.passes_feedback) picture_due_ = !ask_for_picture(std::nullopt);
    Leg& to = echo_ ? *this : *peer_;
    to.relay(datagram, packet.payload(), route, now);
}

void Leg::take_event(const rtp::Packet& packet, Time now) {
    keys_.receive(packet.header(), packet.payload(), now);
    report_keys();
    if (keys_.pressed()) shard_->timers().arm(key_timer_, keys_.deadline());
}

void Leg::report_keys() {
    rtp::KeyEvent key;
    while (keys_.poll(key)) {
        shard_->tell(id_, DtmfEvent{.digit = key.digit, .duration = key.duration, .end = key.end});
        // A peer that takes no events hears the key, once it is known how long it was.
        const bool as_sound =
            peer_ && key.end && !block_dtmf_ && !peer_->event_payload() &&
            (peer_->terms_.dtmf == DtmfMode::inband || peer_->terms_.dtmf == DtmfMode::automatic);
        if (mix_ && key.end && !block_dtmf_) mix_->key(*this, key.digit, key.duration);
        if (as_sound || (key.end && converts_keys()))
            peer_->send_digits(std::string(1, key.digit),
                               std::max<Duration>(key.duration, shortest_key), shortest_key / 2);
    }
}

// For those who want to know what the packet sounds like.
void Leg::hear(const rtp::Packet& packet, std::uint8_t law, Time now) {
    if (law == no_law) return;
    std::array<Sample, max_decoded> decoded;
    const auto samples = std::span<const Sample>(decoded).first(
        g711::decode(static_cast<g711::Law>(law), packet.payload(), decoded));
    hear(packet.timestamp(), samples, now);
}

void Leg::hear(std::uint32_t timestamp, std::span<const Sample> samples, Time now) {
    if (detector_) {
        detector_->process(samples);
        DtmfDetector::Key key;
        while (detector_->poll(key)) {
            shard_->tell(id_,
                         DtmfEvent{.digit = key.digit, .duration = key.duration, .end = key.end});
            if (mix_ && key.end) mix_->key(*this, key.digit, key.duration);
            if (key.end && peer_takes_events())
                peer_->send_digits(std::string(1, key.digit),
                                   std::max<Duration>(key.duration, shortest_key),
                                   shortest_key / 2);
        }
    }
    for (auto& recorder : recorders_)
        recorder->hear(Recorder::Voice::party, timestamp, samples, now);
    if (mix_ && !block_media_) mix_->hear(*this, timestamp, samples);
    if (spying_ && !block_media_) spying_->say(timestamp, samples);
    for (Spy* const spy : spies_) spy->hear(true, timestamp, samples);
}

// Where events cannot be handed on as they are: other clocks, or sound that is made anew.
bool Leg::converts_keys() const {
    if (!peer_ || block_dtmf_ || !receives() || !peer_->event_payload()) return false;
    const auto* events = event_payload();
    return events && routes_[events->receive_type & 0x7f].way == Way::drop;
}

// A peer that waits for events and not for sound.
bool Leg::peer_takes_events() const {
    return peer_ && !block_dtmf_ && peer_->event_payload() &&
           (peer_->terms_.dtmf == DtmfMode::rfc4733 || peer_->terms_.dtmf == DtmfMode::automatic);
}

// The tone that becomes an event must not be heard as well: some would take it for a second key.
void Leg::mute_key(MutableBytes payload, std::uint8_t law) const {
    if (law == no_law || !detector_->sounding() || !peer_takes_events()) return;
    std::ranges::fill(
        payload, law == static_cast<std::uint8_t>(g711::Law::mu) ? ulaw_silence : alaw_silence);
}

void Leg::record_others(std::uint32_t timestamp, Bytes payload, std::uint8_t law, Time now) {
    if (recorders_.empty() || law == no_law) return;
    std::array<Sample, max_decoded> samples;
    const std::size_t count = g711::decode(static_cast<g711::Law>(law), payload, samples);
    for (auto& recorder : recorders_)
        recorder->hear(Recorder::Voice::others, timestamp, std::span(samples).first(count), now);
}

bool Leg::add_barging(std::span<Sample> frame) {
    bool any = false;
    for (Spy* const spy : spies_) any |= spy->add_barging(frame);
    return any;
}

void Leg::add_whispers(std::span<Sample> samples) {
    std::array<Sample, max_decoded> said;
    const auto part = std::span(said).first(std::min(samples.size(), said.size()));
    for (Lane* const voice : whispers_) {
        if (!voice->take(part)) continue;
        for (std::size_t i = 0; i < part.size(); ++i)
            samples[i] = static_cast<Sample>(std::clamp(samples[i] + part[i], -32768, 32767));
    }
}

void Leg::whisper_alone(Time now) {
    if (occupied() || now - spoke_ < whisper_patience) return;
    static constexpr std::array<Sample, frame_samples> silence{};
    const Time due = now - whisper_patience + frame_time;
    speak(silence, now);
    // In step from here on, until the peer is heard again.
    spoke_ = std::min(spoke_, due);
}

// What the party is about to hear, shown to those who spy on it, and what they whisper added.
void Leg::tap(std::uint32_t timestamp, MutableBytes payload, std::uint8_t law) {
    if (law == no_law) return;
    std::array<Sample, max_decoded> decoded;
    const auto samples =
        std::span(decoded).first(g711::decode(static_cast<g711::Law>(law), payload, decoded));
    for (Spy* const spy : spies_) spy->hear(false, timestamp, samples);
    if (whispers_.empty()) return;
    add_whispers(samples);
    g711::encode(static_cast<g711::Law>(law), samples, payload);
}

void Leg::relay(MutableBytes packet, Bytes payload, const Route& route, Time now) {
    if (!sends() || occupied()) return;
    if (route.way == Way::transcode) {
        // Gaps are passed on as gaps: whether a packet is lost or late only the far end's jitter
        // buffer can tell, and its concealment knows how loud it plays.
        const auto offset = static_cast<std::size_t>(payload.data() - packet.data());
        g711::transcode(static_cast<g711::Law>(route.law), payload,
                        packet.subspan(offset, payload.size()));
    }
    // As long as everything has the wanted length already, nothing is packed anew.
    if (repacker_ && (repacker_->in_use() ||
                      (route.out_law != no_law && payload.size() != repacker_->length()))) {
        const auto parsed = rtp::Packet::parse(packet);
        if (parsed) repack(parsed->header(), parsed->payload(), route, now);
        return;
    }
    if (!sender_.forward(packet, now)) return;
    packet[1] = static_cast<std::uint8_t>((packet[1] & 0x80) | route.out_type);
    const auto offset = static_cast<std::size_t>(payload.data() - packet.data());
    const auto sound = packet.subspan(offset, payload.size());
    if (shapes_to_ && route.out_law != no_law)
        shapes_to_->shape(static_cast<g711::Law>(route.out_law), sound);
    if (is_tapped()) tap(load32(packet, 4), sound, route.out_law);
    send(packet, payload, route.out_law, now);
}

// Numbers are the repacker's own, for keys and whatever else goes out between as well; what it made
// is to the rewriter one source like any other.
void Leg::repack(const rtp::Header& header, Bytes payload, const Route& route, Time now) {
    const auto out = [&](std::uint16_t sequence, std::uint32_t timestamp, bool marker, Bytes bytes,
                         const Route& as) {
        const auto rewritten = sender_.forward({.marker = marker,
                                                .payload_type = as.out_type,
                                                .sequence = sequence,
                                                .timestamp = timestamp,
                                                .ssrc = header.ssrc},
                                               now);
        if (!rewritten) return;
        const MutableBytes packet = shard_->second_buffer().first(rtp::header_size + bytes.size());
        const MutableBytes sound = packet.subspan(rtp::header_size);
        std::ranges::copy(bytes, sound.begin());
        rtp::write_header(*rewritten, packet);
        if (shapes_to_ && as.out_law != no_law)
            shapes_to_->shape(static_cast<g711::Law>(as.out_law), sound);
        if (is_tapped()) tap(rewritten->timestamp, sound, as.out_law);
        send(packet, sound, as.out_law, now);
    };
    const bool taken =
        route.out_law != no_law && repacker_->put(header.sequence, header.timestamp, payload);
    if (taken)
        repacked_as_ = route;
    else
        repacker_->flush();
    Repacker::Packet made;
    for (bool marker = taken && header.marker; repacker_->poll(made); marker = false)
        out(made.sequence, made.timestamp, marker, made.codes, repacked_as_);
    if (!taken)
        out(repacker_->next_sequence(header.sequence), header.timestamp, header.marker, payload,
            route);
}

void Leg::send(Bytes packet, Bytes payload, std::uint8_t law, Time now) {
    record_others(load32(packet, 4), payload, law, now);
    if (law != no_law) spoke_ = now;
    if (!transport_.send(packet)) {
        ++send_failures_;
        return;
    }
    ++sent_packets_;
    sent_bytes_ += payload.size();
}

void Leg::play(std::unique_ptr<Player> player, std::uint64_t id) {
    finish_play(false);
    player_ = std::move(player);
    play_id_ = id;
    start_playing();
}

void Leg::stop_play() { finish_play(false); }

void Leg::start_playing() {
    if (play_timer_.armed()) return;
    shard_->timers().arm(play_timer_, shard_->now());
}

void Leg::finish_play(bool completed, std::string error) {
    if (!player_) return;
    const auto played = std::chrono::microseconds{player_->samples_read() * 125};
    player_.reset();
    sender_.source_changed();
    shard_->tell(
        id_,
        PlayFinished{
            .id = play_id_, .completed = completed, .error = std::move(error), .played = played});
}

void Leg::play_tick(Time now) {
    if (!player_ && !key_player_) return;
    std::array<Sample, max_frame_samples> space{};
    const std::size_t wanted = std::clamp<std::size_t>(terms_.ptime_ms / 10 * 80, 80, space.size());
    const Duration length = std::chrono::microseconds{wanted * 125};
    const std::span samples(space.data(), wanted);
    std::size_t count = 0;
    if (key_player_) {
        count = key_player_->read(samples);
        if (count == 0) {
            key_player_.reset();
            sender_.source_changed();
        }
    }
    if (count == 0 && player_) {
        count = player_->read(samples);
        if (count == 0) finish_play(true);
    }
    if (count == 0) return;
    shard_->timers().arm(play_timer_, now - play_timer_.deadline() > max_catch_up
                                          ? now + length
                                          : play_timer_.deadline() + length);

    if (!spoken_payload()) {
        key_player_.reset();
        finish_play(false, "the party speaks no codec that can be encoded here");
        return;
    }
    if (!digits_ || !digits_->sounding()) speak(samples, now);
}

void Leg::speak(std::span<const Sample> samples, Time now) {
    const auto* as = spoken_payload();
    if (!as || samples.size() > max_decoded) return;
    const auto law = own_law();
    if (!law) return speak_coded(samples, *as, now);
    std::array<std::uint8_t, max_decoded> codes;
    const auto coded = std::span(codes).first(samples.size());
    g711::encode(*law, samples, coded);
    speak_codes(coded, now);
}

void Leg::speak_codes(Bytes codes, Time now) {
    const auto* as = spoken_payload();
    if (!as || !sends()) return;
    packs_own_ = true;
    const MutableBytes packet = shard_->second_buffer().first(rtp::header_size + codes.size());
    const MutableBytes payload = packet.subspan(rtp::header_size);
    std::ranges::copy(codes, payload.begin());
    const auto duration = static_cast<std::uint32_t>(codes.size());
    rtp::write_header(sender_.generate(as->send_type, duration, now), packet);
    const std::uint8_t law = law_of(as->codec);
    if (shapes_to_) shapes_to_->shape(static_cast<g711::Law>(law), payload);
    if (is_tapped()) tap(load32(packet, 4), payload, law);
    send(packet, payload, law, now);
}

void Leg::send_digits(const std::string& digits, Duration duration, Duration pause) {
    const auto* events = event_payload();
    if (terms_.dtmf != DtmfMode::inband && events) {
        if (!digits_)
            digits_ = std::make_unique<rtp::EventSender>(
                rtp::EventSender::Config{.clock_rate = event_clock_});
        // The engine has looked at the digits already; what fails here is a queue that is full.
        (void)digits_->send(digits, duration, pause);
        shard_->timers().arm(digit_timer_, shard_->now());
        return;
    }
    if (auto sound = DtmfGenerator::make(digits, duration, pause)) {
        key_player_ = std::make_unique<Player>(std::move(*sound));
        start_playing();
    }
}

void Leg::digit_tick(Time now) {
    const auto* events = event_payload();
    if (!events) {
        digits_->stop();
        return;
    }
    while (const auto out = digits_->next(now, sender_.timestamp_at(now))) {
        const MutableBytes packet =
            shard_->second_buffer().first(rtp::header_size + out->payload.size());
        std::ranges::copy(out->payload, packet.begin() + rtp::header_size);
        rtp::write_header(sender_.generate_at(events->send_type, out->timestamp, now, out->marker),
                          packet);
        if (sends()) send(packet, packet.subspan(rtp::header_size), no_law, now);
    }
    if (digits_->busy()) shard_->timers().arm(digit_timer_, digits_->deadline());
}

void Leg::record(std::unique_ptr<Recorder> recorder) {
    recorder->start(shard_->now());
    recorders_.push_back(std::move(recorder));
    if (!record_timer_.armed())
        shard_->timers().arm(record_timer_, shard_->now() + Recorder::interval);
}

void Leg::stop_record(std::uint64_t id, std::string_view reason) {
    std::erase_if(recorders_, [&](auto& recorder) {
        if (id != 0 && recorder->id() != id) return false;
        recorder->finish(shard_->now(), reason);
        return true;
    });
}

void Leg::record_tick(Time now) {
    std::erase_if(recorders_, [&](auto& recorder) {
        const auto reason = recorder->tick(now);
        if (reason) recorder->finish(now, *reason);
        return reason.has_value();
    });
    if (!recorders_.empty()) shard_->timers().arm(record_timer_, now + Recorder::interval);
}

void Leg::rtcp_readable(Time now) {
    const auto datagram = transport_.receive_rtcp(shard_->buffer());
    if (!datagram) return;
    const auto compound = rtcp::Compound::parse(
        *datagram, terms_.passes_feedback ? rtcp::Strictness::reduced : rtcp::Strictness::compound);
    if (!compound) {
        ++refused_;
        return;
    }
    schedule_->received(datagram->size() + datagram_overhead);
    reporter_.receive(*compound, now, rtcp::ntp_time(io::wall_now()));
    if (terms_.passes_feedback) pass_feedback(*compound);
}

// Under the SSRCs of the other side: those of this one mean nothing there.
void Leg::pass_feedback(const rtcp::Compound& compound) {
    Leg* const source = echo_ ? this : peer_;
    if (!source) return;
    for (const auto& packet : compound) {
        if (packet.type == rtcp::Type::old_full_intra_request)
            (void)source->ask_for_picture(std::nullopt);
        const auto feedback = rtcp::Feedback::parse(packet);
        if (!feedback) continue;
        if (feedback->format == rtcp::Feedback::Format::pli)
            (void)source->ask_for_picture(std::nullopt);
        if (feedback->format == rtcp::Feedback::Format::fir && feedback->fir_count() > 0)
            (void)source->ask_for_picture(feedback->fir(0).sequence);
    }
}

bool Leg::ask_for_picture(std::optional<std::uint8_t> fir) {
    if (!received_.valid()) return false;
    rtcp::CompoundWriter writer(shard_->second_buffer());
    writer.receiver_report(sender_.ssrc()).cname(sender_.ssrc(), shard_->cname());
    if (fir)
        writer.fir(sender_.ssrc(), received_.ssrc(), *fir);
    else
        writer.pli(sender_.ssrc(), received_.ssrc());
    return transport_.send_rtcp(writer.finish());
}

// A report about each direction that lives (RFC 3550 section 6.4). Reports of the peer are never
// passed on: sequence numbers and SSRCs on this side are our own.
void Leg::rtcp_tick(Time now) {
    const bool we_sent = sent_packets_ != packets_at_last_report_;
    schedule_->set_we_sent(we_sent);
    schedule_->set_members(received_.valid() ? 2 : 1,
                           (received_.valid() ? 1U : 0U) + (we_sent ? 1U : 0U), now);
    if (schedule_->tick(now) && (we_sent || received_.valid())) {
        std::array<rtcp::ReportBlock, 1> block;
        std::span<const rtcp::ReportBlock> blocks;
        if (received_.valid()) {
            block[0] = reporter_.report(received_, now);
            blocks = block;
        }
        rtcp::CompoundWriter writer(shard_->second_buffer());
        if (we_sent)
            writer.sender_report(sender_.ssrc(),
                                 {.ntp = rtcp::ntp_time(io::wall_now()),
                                  .rtp = sender_.timestamp_at(now),
                                  .packets = static_cast<std::uint32_t>(sent_packets_),
                                  .octets = static_cast<std::uint32_t>(sent_bytes_)},
                                 blocks);
        else
            writer.receiver_report(sender_.ssrc(), blocks);
        const Bytes report = writer.cname(sender_.ssrc(), shard_->cname()).finish();
        if (transport_.send_rtcp(report)) schedule_->sent(report.size() + datagram_overhead);
        packets_at_last_report_ = sent_packets_;
    }
    shard_->timers().arm(rtcp_timer_, schedule_->deadline());
}

// RFC 6263 section 4.4: comfort noise of the lowest level; who has not agreed to it ignores it.
void Leg::keep_alive(Time now) {
    if (sent_packets_ != packets_at_last_watch_) {
        packets_at_last_watch_ = sent_packets_;
        silent_since_ = now;
    }
    if (terms_.keepalive <= Duration::zero() || now - silent_since_ < terms_.keepalive) return;
    static constexpr std::uint8_t comfort_noise_type = 13;
    static constexpr std::uint8_t faintest = 127;
    const MutableBytes packet = shard_->second_buffer().first(rtp::header_size + 1);
    packet[rtp::header_size] = faintest;
    rtp::write_header(sender_.generate(comfort_noise_type, frame_samples, now), packet);
    send(packet, packet.subspan(rtp::header_size), no_law, now);
    sender_.source_changed();
    packets_at_last_watch_ = sent_packets_;
    silent_since_ = now;
}

void Leg::watch_tick(Time now) {
    transport_.watch(now);
    keep_alive(now);
    Time next = now + watch_interval;
    const Duration limit = receives() && !terms_.held ? terms_.timeout : terms_.timeout_hold;
    if (limit > Duration::zero() && !timed_out_ && !terms_.payloads.empty()) {
        const Duration silence = now - quiet_since_;
        if (silence >= limit) {
            timed_out_ = true;
            shard_->tell(id_, MediaTimeout{.silence = silence});
        } else {
            next = std::min(next, quiet_since_ + limit);
        }
    }
    shard_->timers().arm(watch_timer_, next);
}

PartyStats Leg::stats() const {
    PartyStats stats;
    const auto* speech = speech_payload();
    if (speech) stats.codec = speech->codec.name;
    if (transport_.remote()) stats.remote = *transport_.remote();

    const Duration round_trip = reporter_.round_trip().value_or(Duration::zero());
    stats.round_trip_ms = seconds(round_trip) * 1000;
    stats.received = {.packets = received_.packets(),
                      .bytes = received_.bytes(),
                      .lost = received_.lost(),
                      .reordered = received_.reordered(),
                      .duplicates = received_.duplicates(),
                      .jitter_ms = received_.jitter_ms(),
                      .loss_percent = received_.loss_percent()};
    // One packet of packing, and a jitter buffer of twice the jitter.
    const Duration delay =
        round_trip / 2 + frame_time + scale(std::chrono::milliseconds{2}, received_.jitter_ms());
    if (received_.packets() > 0)
        stats.received.mos = mos({.loss_percent = received_.loss_percent(),
                                  .burst_ratio = received_.burst_ratio(),
                                  .one_way_delay = delay},
                                 stats.codec);

    stats.sent = {.packets = sent_packets_, .bytes = sent_bytes_};
    if (const auto& view = reporter_.remote_view()) {
        stats.sent.lost = static_cast<std::uint64_t>(std::max(view->cumulative_lost, 0));
        stats.sent.jitter_ms = view->jitter * 1000.0 / received_.clock_rate();
        if (sent_packets_ > 0)
            stats.sent.loss_percent =
                100.0 * static_cast<double>(stats.sent.lost) / static_cast<double>(sent_packets_);
        stats.sent.mos = mos(
            {.loss_percent = stats.sent.loss_percent, .one_way_delay = round_trip / 2 + frame_time},
            stats.codec);
    }

    const Way way = speech ? routes_[speech->receive_type & 0x7f].way : Way::drop;
    if (player_) {
        stats.mode = "play";
    } else if (!speech) {
        stats.mode = "idle";
        stats.why = "no codec agreed yet";
    } else if (echo_) {
        stats.mode = "echo";
    } else if (mix_) {
        stats.mode = "mix";
        stats.why = "several talk to each other";
    } else if (spying_) {
        stats.mode = "spy";
        stats.why = "listens to another party";
    } else if (!peer_) {
        stats.mode = "idle";
        stats.why = "not connected";
    } else if (way == Way::pass) {
        stats.mode = "forward";
        stats.why = "in user space: there is no in-kernel path yet";
    } else if (way == Way::transcode || way == Way::recode) {
        stats.mode = "transcode";
        stats.why = "the peer does not speak " + stats.codec;
    } else {
        stats.mode = "idle";
        stats.why = !receives()    ? "the party is on hold"
                    : block_media_ ? "blocked"
                                   : "the peer does not speak " + stats.codec +
                                         ", which cannot be transcoded here";
    }
    return stats;
}

}  // namespace strowger::media
