#include "echo/reflector.hpp"

#include <algorithm>

namespace strowger::echo {

namespace {

constexpr std::size_t max_mid = 16;  ///< what an element of the short form carries
constexpr std::uint16_t one_byte_profile = 0xbede;

}  // namespace

Reflector::Reflector(std::vector<MediaLine> lines, std::string cname, Random& random)
    : lines_(std::move(lines)), cname_(std::move(cname)), random_(random) {
    for (auto& line : lines_) {
        if (line.mid_id > 14 || line.mid.empty() || line.mid.size() > max_mid) line.mid_id = 0;
    }
}

Reflector::Stream* Reflector::find(std::uint32_t source) {
    for (auto& stream : streams_) {
        if (stream->source == source) return stream.get();
    }
    return nullptr;
}

// RFC 9143 section 9.2: what the packet itself says, what the description said, what only one
// section has.
std::optional<std::size_t> Reflector::line_of(const rtp::Packet& packet) const {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        if (!lines_[i].mid_id) continue;
        const auto mid = packet.extension_element(lines_[i].mid_id);
        if (mid && as_text(*mid) == lines_[i].mid) return i;
    }
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        const auto& sources = lines_[i].sources;
        if (std::ranges::find(sources, packet.ssrc()) != sources.end()) return i;
    }
    std::optional<std::size_t> only;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        if (!lines_[i].payload(packet.payload_type())) continue;
        if (only) return std::nullopt;
        only = i;
    }
    return only;
}

Reflector::Stream* Reflector::add(const rtp::Packet& packet, Time now) {
    const auto line = line_of(packet);
    if (!line || !lines_[*line].receives) return nullptr;
    const auto* payload = lines_[*line].payload(packet.payload_type());
    if (!payload) return nullptr;
    const auto there = static_cast<std::size_t>(
        std::ranges::count_if(streams_, [&](const auto& stream) { return stream->line == *line; }));
    if (there >= max_sources) return nullptr;
    const auto own = there == 0 ? lines_[*line].ssrc : random_.next32();
    auto& stream = *streams_.emplace_back(
        std::make_unique<Stream>(*line, packet.ssrc(), own, payload->codec.clock_rate));
    stream.next_report = now + first_report;
    next_report_ = std::min(next_report_, stream.next_report);
    return &stream;
}

std::size_t Reflector::front_of(const MediaLine& line) const {
    if (!line.mid_id) return rtp::header_size;
    return rtp::header_size + 4 + (1 + line.mid.size() + 3) / 4 * 4;
}

// RFC 8285 section 4.2.
void Reflector::write_front(const MediaLine& line, const rtp::Header& header,
                            MutableBytes out) const {
    rtp::write_header(header, out);
    if (!line.mid_id) return;
    out[0] |= 0x10;
    const auto extension = out.subspan(rtp::header_size);
    store16(extension, 0, one_byte_profile);
    store16(extension, 2, static_cast<std::uint16_t>(extension.size() / 4 - 1));
    std::ranges::fill(extension.subspan(4), std::uint8_t{0});
    extension[4] = static_cast<std::uint8_t>(line.mid_id << 4 | (line.mid.size() - 1));
    std::ranges::copy(as_bytes(line.mid), extension.subspan(5).begin());
}

std::optional<Reflector::Reflected> Reflector::reflect(MutableBytes room, std::size_t at,
                                                       std::size_t size, Time now) {
    const auto packet = rtp::Packet::parse(room.subspan(at, size));
    if (!packet) {
        ++counters_.dropped;
        return std::nullopt;
    }
    auto* stream = find(packet->ssrc());
    if (!stream) stream = add(*packet, now);
    const auto* payload = stream ? lines_[stream->line].payload(packet->payload_type()) : nullptr;
    if (!payload) {
        ++counters_.dropped;
        return std::nullopt;
    }
    stream->received.receive(packet->header(), packet->payload().size(), now);
    const MediaLine& line = lines_[stream->line];
    const auto index = static_cast<std::size_t>(
        std::ranges::find(streams_, stream, [](const auto& s) { return s.get(); }) -
        streams_.begin());
    if (line.transport_cc_id) {
        const auto number = packet->extension_element(line.transport_cc_id);
        if (number && number->size() == 2) {
            arrivals_.received(load16(*number, 0), now);
            arrivals_stream_ = index;
        }
    }
    const bool probe = packet->payload().empty() && packet->padding() > 0;
    if (probe) ++counters_.probes;
    if (!line.sends) return std::nullopt;
    const auto body = static_cast<std::size_t>(packet->payload().data() - room.data());
    const auto front = front_of(line);
    if (front > body) return std::nullopt;
    rtp::Header header = packet->header();
    header.ssrc = stream->own;
    // Padding alone probes the bandwidth, but takes a number of its stream: left out it would be
    // missed as a loss. One byte of it is enough.
    const auto payload_size = probe ? std::size_t{1} : packet->payload().size();
    write_front(line, header, room.subspan(body - front, front));
    if (probe) {
        room[body - front] |= 0x20;
        room[body] = 1;
    }
    ++stream->packets;
    stream->octets += static_cast<std::uint32_t>(payload_size);
    stream->last_timestamp = header.timestamp;
    stream->last_at = now;
    ++counters_.reflected;
    counters_.bytes += payload_size;
    return Reflected{body - front, front + payload_size, index, header.sequence};
}

void Reflector::sent(const Reflected& reflected, Bytes packet, Time now) {
    auto& stream = *streams_[reflected.stream];
    if (lines_[stream.line].nack && !packet.empty()) {
        stream.history.add(reflected.sequence, packet, now);
    }
}

void Reflector::rtcp(Bytes bytes, Time now, WallTime wall) {
    const auto compound = rtcp::Compound::parse(bytes, rtcp::Strictness::reduced);
    if (!compound) {
        ++counters_.dropped;
        return;
    }
    now_ = now;
    const auto ntp = rtcp::ntp_time(wall);
    for (auto& stream : streams_) stream->reporter.receive(*compound, now, ntp);
    for (const auto& packet : *compound) {
        if (const auto report = rtcp::SenderReport::parse(packet)) {
            auto* stream = find(report->ssrc);
            if (!stream) continue;
            stream->sender_report = report->info;
            if (!clock_offset_) clock_offset_ = report->info.ntp - ntp;
        } else if (const auto feedback = rtcp::Feedback::parse(packet)) {
            on_feedback(*feedback, now);
        }
    }
}

void Reflector::on_feedback(const rtcp::Feedback& feedback, Time now) {
    using Format = rtcp::Feedback::Format;
    const auto wants_key_frame = [&](std::uint32_t ssrc) {
        return feedback.format == Format::pli ? feedback.media == ssrc : [&] {
            for (std::size_t i = 0; i < feedback.fir_count(); ++i) {
                if (feedback.fir(i).ssrc == ssrc) return true;
            }
            return false;
        }();
    };
    for (std::size_t i = 0; i < streams_.size(); ++i) {
        Stream& stream = *streams_[i];
        if (feedback.format == Format::nack && feedback.media == stream.own) {
            on_nack(i, feedback);
        } else if (feedback.format == Format::pli || feedback.format == Format::fir) {
            const bool rested =
                !stream.asked_before || now >= stream.key_frame_asked + key_frame_interval;
            if (!wants_key_frame(stream.own) || !rested) continue;
            stream.key_frame_wanted = stream.asked_before = true;
            stream.key_frame_asked = now;
            ++counters_.key_frames;
            next_report_ = now;
        }
    }
}

void Reflector::on_nack(std::size_t index, const rtcp::Feedback& feedback) {
    const auto ask = [&](std::uint16_t sequence) {
        if (again_.size() - again_taken_ < max_again) again_.push_back({index, sequence});
    };
    for (std::size_t i = 0; i < feedback.nack_count(); ++i) {
        const auto item = feedback.nack(i);
        ask(item.packet_id);
        for (unsigned bit = 0; bit < 16; ++bit) {
            if (item.bitmask >> bit & 1) ask(static_cast<std::uint16_t>(item.packet_id + bit + 1));
        }
    }
}

bool Reflector::poll_again(Bytes& packet) {
    while (again_taken_ < again_.size()) {
        const auto [stream, sequence] = again_[again_taken_++];
        packet = streams_[stream]->history.find(sequence, now_);
        ++(packet.empty() ? counters_.missing : counters_.again);
        if (!packet.empty()) return true;
    }
    again_.clear();
    again_taken_ = 0;
    return false;
}

// Our clock, with the RTP time that the peer's own reports give to that moment; before there is
// one, the RTP time goes on from the last packet.
rtcp::SenderInfo Reflector::sender_info(const Stream& stream, Time now, std::uint64_t ntp) const {
    const double rate = stream.received.clock_rate();
    rtcp::SenderInfo info{.ntp = ntp, .packets = stream.packets, .octets = stream.octets};
    double units = 0;
    if (stream.sender_report && clock_offset_) {
        const auto since =
            static_cast<std::int64_t>(ntp + *clock_offset_ - stream.sender_report->ntp);
        units = static_cast<double>(since) / 4294967296.0 * rate;
        info.rtp = stream.sender_report->rtp;
    } else {
        units = seconds(now - stream.last_at) * rate;
        info.rtp = stream.last_timestamp;
    }
    // A peer's clock may say anything; RTP time is modulo 2^32 anyway.
    constexpr double far = 9e15;
    info.rtp += static_cast<std::uint32_t>(static_cast<std::int64_t>(std::clamp(units, -far, far)));
    return info;
}

// RFC 3550 section 6.2: spread over half to one and a half of it.
Duration Reflector::interval_of(const Stream& stream) {
    const bool video = lines_[stream.line].kind == "video";
    return scale(video ? video_report : audio_report, random_.between(0.5, 1.5));
}

void Reflector::write_report(Stream& stream, rtcp::CompoundWriter& out, Time now,
                             std::uint64_t ntp) {
    std::array<rtcp::ReportBlock, 1> block;
    std::size_t blocks = 0;
    if (stream.received.valid() && now >= stream.next_report) {
        block[blocks++] = stream.reporter.report(stream.received, now);
    }
    const std::span<const rtcp::ReportBlock> about(block.data(), blocks);
    if (stream.packets > 0) {
        out.sender_report(stream.own, sender_info(stream, now, ntp), about);
    } else {
        out.receiver_report(stream.own, about);
    }
    out.cname(stream.own, cname_);
}

bool Reflector::write_arrivals(MutableBytes buffer, std::size_t& size) {
    const Stream& stream = *streams_[arrivals_stream_];
    size = 0;
    if (!lines_[stream.line].reduced_rtcp) {
        rtcp::CompoundWriter out(buffer);
        out.receiver_report(stream.own).cname(stream.own, cname_);
        size = out.finish().size();
    }
    const auto written = arrivals_.write(buffer.subspan(size), stream.own, stream.source);
    size += written;
    return written > 0;
}

bool Reflector::poll_rtcp(MutableBytes buffer, std::size_t& size, Time now, WallTime wall) {
    if (now >= arrivals_.deadline() && write_arrivals(buffer, size)) return true;
    if (now < next_report_) return false;
    for (auto& stream : streams_) {
        if (now < stream->next_report && !stream->key_frame_wanted) continue;
        rtcp::CompoundWriter out(buffer);
        write_report(*stream, out, now, rtcp::ntp_time(wall));
        if (std::exchange(stream->key_frame_wanted, false)) out.pli(stream->own, stream->source);
        if (now >= stream->next_report) stream->next_report = now + interval_of(*stream);
        size = out.finish().size();
        return size > 0;
    }
    next_report_ = Time::max();
    for (const auto& stream : streams_) next_report_ = std::min(next_report_, stream->next_report);
    return false;
}

bool Reflector::write_bye(MutableBytes buffer, std::size_t& size) const {
    if (streams_.empty()) return false;
    rtcp::CompoundWriter out(buffer);
    for (const auto& stream : streams_) {
        out.receiver_report(stream->own).cname(stream->own, cname_).bye(stream->own);
    }
    size = out.finish().size();
    return size > 0;
}

std::optional<Duration> Reflector::round_trip() const {
    for (const auto& stream : streams_) {
        if (stream->reporter.round_trip()) return stream->reporter.round_trip();
    }
    return std::nullopt;
}

std::uint64_t Reflector::lost() const {
    std::uint64_t sum = 0;
    for (const auto& stream : streams_) sum += stream->received.lost();
    return sum;
}

}  // namespace strowger::echo
