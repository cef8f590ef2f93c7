#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "media/local_engine.hpp"

// Sections beside the audio (RFC 3264 section 5): each has ports and a leg of its own, which goes
// wherever the party's audio goes, and is forwarded as it comes.
namespace strowger::media {
namespace {

constexpr std::array<std::string_view, 2> kinds{"video", "text"};

// Conversations in text have one stream (RFC 4103).
constexpr std::size_t max_text = 1;

std::size_t max_of(const Profile& profile, std::string_view kind) {
    return kind == "video" ? profile.max_video : max_text;
}

bool is_allowed(const Profile& profile, const CodecSpec& codec, std::string_view kind) {
    return sdp::kind_of(codec) == kind &&
           std::ranges::any_of(profile.codecs, [&](const CodecSpec& allowed) {
               return iequals(allowed.name, codec.name) && sdp::kind_of(allowed) == kind;
           });
}

// Parameters belong to the parties: what we allow, we allow with whatever they say.
std::vector<CodecSpec> takeable(const sdp::Media& section, const Profile& profile,
                                const std::optional<std::vector<CodecSpec>>& peer) {
    std::vector<CodecSpec> codecs;
    if (peer) {
        for (const auto& codec : *peer)
            if (is_allowed(profile, codec, section.kind)) codecs.push_back(codec);
        return codecs;
    }
    for (const auto& format : section.formats)
        if (!format.name.empty() && is_allowed(profile, format.codec(), section.kind))
            codecs.push_back(format.codec());
    return codecs;
}

}  // namespace

std::vector<Leg*> LocalEngine::legs_of(const Record& record) {
    std::vector<Leg*> legs{record.leg};
    for (const auto& stream : record.streams) legs.push_back(stream.leg);
    return legs;
}

// The stream of that section, or one that lies idle, or a new one. Null when there is no port.
LocalEngine::Stream* LocalEngine::stream_at(Record& record, std::string_view kind,
                                            std::optional<std::size_t> section) {
    for (auto& stream : record.streams)
        if (stream.kind == kind && section && stream.section == *section) return &stream;
    if (record.streams.size() >= kinds.size() * std::max<std::size_t>(record.profile.max_video, 1))
        return nullptr;
    auto bind = record.profile.bind_address ? *record.profile.bind_address : record.local.ip;
    const int tos = kind == "video" ? record.profile.tos_video : 0;
    auto sockets = ports_.open(bind, tos);
    if (!sockets)  // the advertised address may be none of this host's
        sockets = ports_.open(bind.is_v6() ? IpAddress::any_v6() : IpAddress::any_v4(), tos);
    if (!sockets) return nullptr;
    Stream stream{.kind = std::string(kind), .port = sockets->port};
    auto leg = std::make_unique<Leg>(next_id_++, std::move(*sockets), random_);
    stream.leg = leg.get();
    send(*record.shard,
         [shard = record.shard, leg = std::move(leg)]() mutable { shard->adopt(std::move(leg)); });
    record.streams.push_back(std::move(stream));
    return &record.streams.back();
}

void LocalEngine::answer_streams(Record& record, const sdp::Session& offer,
                                 const std::optional<std::vector<CodecSpec>>& peer,
                                 Direction direction, sdp::Description& answer) {
    std::array<std::size_t, kinds.size()> taken{};
    for (std::size_t i = 0; i < offer.media.size(); ++i) {
        const auto& section = offer.media[i];
        const auto kind = std::ranges::find(kinds, section.kind);
        if (kind == kinds.end()) continue;
        auto& count = taken[static_cast<std::size_t>(kind - kinds.begin())];
        const auto known = std::ranges::find_if(record.streams, [&](const Stream& stream) {
            return stream.kind == section.kind && stream.section == i;
        });
        auto codecs = section.is_refused() || count >= max_of(record.profile, section.kind)
                          ? std::vector<CodecSpec>{}
                          : takeable(section, record.profile, peer);
        Stream* stream = known == record.streams.end() ? nullptr : &*known;
        std::optional<sdp::Agreement> agreement;
        if (!codecs.empty() && !stream) stream = stream_at(record, section.kind, i);
        if (!codecs.empty() && stream)
            agreement = sdp::accept_section(
                offer, i,
                {.codecs = std::move(codecs), .direction = direction, .port = stream->port},
                answer);
        if (!stream) continue;
        stream->section = i;
        if (agreement) ++count;
        agree(record, *stream, agreement ? &*agreement : nullptr);
    }
    join_streams(record);
}

void LocalEngine::offer_streams(Record& record, const std::optional<std::vector<CodecSpec>>& peer,
                                Direction direction, sdp::Description& offer,
                                const sdp::Description* last) {
    const auto put = [&](Stream& stream, std::vector<CodecSpec> codecs,
                         std::optional<std::size_t> section) {
        stream.section = sdp::add_section(
            offer, stream.kind,
            {.codecs = std::move(codecs), .direction = direction, .port = stream.port}, section,
            last);
    };
    if (!peer) {
        for (auto& stream : record.streams) {
            if (!stream.active || !last || stream.section >= last->media.size()) continue;
            std::vector<CodecSpec> codecs;
            for (const auto& payload : last->media[stream.section].payloads)
                codecs.push_back(payload.codec);
            put(stream, std::move(codecs), stream.section);
        }
        return;
    }
    for (const auto kind : kinds) {
        std::vector<CodecSpec> codecs;
        for (const auto& codec : *peer)
            if (is_allowed(record.profile, codec, kind)) codecs.push_back(codec);
        if (codecs.empty() || max_of(record.profile, kind) == 0) continue;
        const auto known = std::ranges::find(record.streams, kind, &Stream::kind);
        // A section of that kind that was refused is used again (RFC 3264 section 8.1).
        std::optional<std::size_t> section;
        if (known != record.streams.end()) section = known->section;
        for (std::size_t i = 0; last && !section && i < last->media.size(); ++i)
            if (last->media[i].kind == kind) section = i;
        Stream* const stream =
            known != record.streams.end() ? &*known : stream_at(record, kind, section);
        if (stream) put(*stream, std::move(codecs), section);
    }
}

void LocalEngine::streams_answered(Record& record, const sdp::Description& offer,
                                   const sdp::Session& answer) {
    for (auto& stream : record.streams) {
        const auto agreement = sdp::section_answered(offer, stream.section, answer);
        agree(record, stream, agreement ? &*agreement : nullptr);
    }
    join_streams(record);
}

void LocalEngine::agree(Record& record, Stream& stream, const sdp::Agreement* agreement) {
    stream.active = agreement != nullptr;
    Terms terms{.direction = Direction::inactive,
                .dtmf = DtmfMode::none,
                .rtcp_interval = record.profile.rtcp_interval,
                .passes_feedback = true};
    if (agreement) {
        terms.target = {.rtp = agreement->remote,
                        .rtcp = agreement->remote_rtcp,
                        .likely = record.profile.received_from,
                        .symmetric = record.profile.symmetric,
                        .learning = {.probation = record.profile.probation,
                                     .patience = record.profile.source_patience}};
        terms.direction = agreement->direction;
        terms.held = agreement->held;
        terms.payloads = agreement->payloads;
    }
    post(record, [leg = stream.leg, terms = std::move(terms)](Leg&) mutable {
        leg->agree(std::move(terms));
    });
}

void LocalEngine::join_streams(Record& record) {
    Record* const peer = record.joined ? find(*record.joined) : nullptr;
    for (const auto kind : kinds) {
        std::vector<Leg*> theirs;
        if (peer)
            for (const auto& stream : peer->streams)
                if (stream.kind == kind && stream.active) theirs.push_back(stream.leg);
        std::size_t next = 0;  // the first of one goes to the first of the other
        for (auto& stream : record.streams) {
            if (stream.kind != kind) continue;
            Leg* const other = stream.active && next < theirs.size() ? theirs[next++] : nullptr;
            post(record, [leg = stream.leg, other, echoes = record.echoes](Leg&) {
                if (other) return leg->join(*other);
                leg->part();
                leg->echo(echoes);
            });
        }
    }
}

}  // namespace strowger::media
