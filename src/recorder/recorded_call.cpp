#include "recorder/recorded_call.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "recorder/output_pattern.hpp"
#include "wire/sdp/codec.hpp"

namespace strowger::recorder {
namespace {

// What can be concealed; a longer gap is silence.
constexpr Duration max_concealed = std::chrono::milliseconds{60};
// A relay makes the feed and takes its lock within microseconds; one that has neither for so long
// is no more.
constexpr Duration abandoned_after = std::chrono::seconds{2};
// A feed is made with the metadata that names it.
constexpr Duration feed_patience = std::chrono::seconds{10};

}  // namespace

RecordedCall::RecordedCall(const Settings& settings, std::string folder, std::string name)
    : settings_(settings), folder_(std::move(folder)) {
    result_.name = std::move(name);
    if (!settings.forward_to.empty() || !settings.tcp_send_to.empty())
        forwarder_ = std::make_unique<Forwarder>(settings);
}

RecordedCall::~RecordedCall() = default;

bool RecordedCall::poll(Time now) {
    if (state_ != State::over && !read_metadata()) end("its metadata is broken");
    if (state_ == State::opening && open_feed(now)) state_ = State::going;
    if (state_ == State::going && (!retry_at_ || now >= *retry_at_)) {
        if (flush(now)) read_feed(now);
    }
    if (state_ == State::closing) close(now);
    return state_ != State::over;
}

bool RecordedCall::read_metadata() {
    if (!metadata_file_.is_open()) {
        auto file = io::RawFile::open(folder_ + "/" + result_.name);
        if (!file) return false;
        metadata_file_ = std::move(*file);
    }
    std::array<std::uint8_t, 4096> buffer;
    for (;;) {
        const auto got = metadata_file_.read_at(metadata_at_, buffer);
        if (!got) return false;
        if (*got == 0) return true;
        metadata_at_ += *got;
        chunks_.feed(as_text(Bytes(buffer).first(*got)));
        for (;;) {
            const auto chunk = chunks_.next();
            if (!chunk) {
                trouble(chunk.error().text());
                return false;
            }
            if (!*chunk) break;
            result_.metadata.apply(**chunk);
        }
    }
}

bool RecordedCall::open_feed(Time now) {
    if (!silent_since_) silent_since_ = now;
    const auto& name = result_.metadata.feed;
    if (!name.empty() && name.find('/') == std::string::npos) {
        if (auto file = io::RawFile::open(folder_ + "/" + name)) {
            feed_file_ = std::move(*file);
            silent_since_.reset();
            return true;
        }
    }
    if (now - *silent_since_ > feed_patience)
        end("there is no feed of packets beside the metadata");
    return false;
}

void RecordedCall::read_feed(Time now) {
    std::array<std::uint8_t, 65536> buffer;
    std::size_t total = 0;
    while (state_ == State::going && total < max_read) {
        const auto got = feed_file_.read_at(feed_at_, buffer);
        if (!got) return end(got.error().text());
        if (*got == 0) break;
        total += *got;
        feed_at_ += *got;
        feed_.feed(Bytes(buffer).first(*got));
        while (state_ == State::going) {
            const auto record = feed_.next();
            if (!record) return end(record.error().text());
            if (!*record) break;
            take(**record);
        }
        if (!flush(now)) return;
    }
    if (total > 0 || state_ != State::going) {
        silent_since_.reset();
        return;
    }
    if (!feed_file_.unlocked())
        silent_since_.reset();
    else if (!silent_since_)
        silent_since_ = now;
    else if (now - *silent_since_ >= abandoned_after)
        end("the relay ended without saying so");
}

void RecordedCall::take(const recording::FeedRecord& record) {
    using Kind = recording::FeedRecord::Kind;
    last_at_ = std::max(last_at_, record.at);
    if (record.kind == Kind::end) return end({});
    if (record.kind == Kind::lost && record.payload.size() >= 4) lost_ += load32(record.payload, 0);
    if (record.kind != Kind::rtp) return;
    const auto packet = rtp::Packet::parse(record.payload);
    if (!packet) return;
    if (Source* source = source_of(record, *packet)) {
        const auto& streams = result_.metadata.streams;
        const auto stream = streams.find(record.stream);
        if (forwarder_ && stream != streams.end() && stream->second.forwarding) {
            forwarder_->packet(record.payload);
            if (Decoder* decoder = decoder_of(*source, packet->payload_type())) {
                // With a state of its own: the recording's comes to the same packet later.
                auto& own = source->decoders[packet->payload_type() | 0x80];
                if (!own) own = decoder->twin();
                samples_.clear();
                own->decode(packet->payload(), samples_);
                forwarder_->samples(std::uint64_t{record.stream} << 32 | packet->ssrc(),
                                    result_.metadata.text, own->rate(), samples_);
            }
        }
        if (!record.forwarded_only)
            source->arrivals->put(packet->header(), packet->payload(), record.at);
    }
    release(record.at);
}

RecordedCall::Source* RecordedCall::source_of(const recording::FeedRecord& record,
                                              const rtp::Packet& packet) {
    const std::tuple key{unsigned{record.stream}, packet.ssrc(), record.egress};
    if (const auto known = sources_.find(key); known != sources_.end()) return &known->second;
    if (sources_.size() == max_sources) {
        trouble(fmt::format("more than {} sources", max_sources));
        return nullptr;
    }
    if (!result_.metadata.streams.contains(record.stream)) (void)read_metadata();
    const auto stream = result_.metadata.streams.find(record.stream);
    if (stream == result_.metadata.streams.end() || stream->second.component != 1) return nullptr;
    Source source{.stream = record.stream,
                  .party = stream->second.tag,
                  .media = stream->second.media,
                  .ssrc = packet.ssrc(),
                  .egress = record.egress};
    Source* made = &sources_.emplace(key, std::move(source)).first->second;
    if (Decoder* decoder = decoder_of(*made, packet.payload_type())) made->clock = decoder->clock();
    made->arrivals = std::make_unique<Arrivals>(made->clock);
    return made;
}

Decoder* RecordedCall::decoder_of(Source& source, std::uint8_t type) {
    const auto [place, fresh] = source.decoders.try_emplace(type);
    if (!fresh) return place->second.get();
    std::string name, parameters;
    std::uint32_t clock = 8000;
    unsigned channels = 1;
    const auto& payloads = result_.metadata.payloads;
    if (const auto known = payloads.find({source.media, type}); known != payloads.end()) {
        const auto parts = split(known->second.codec, '/');
        name = parts[0];
        if (parts.size() > 1) clock = parse_number<std::uint32_t>(parts[1]).value_or(8000);
        if (parts.size() > 2) channels = parse_number<unsigned>(parts[2]).value_or(1);
        parameters = known->second.parameters;
    }
    if (name.empty())
        if (const auto fixed = sdp::static_payload(type)) {
            name = fixed->name;
            clock = fixed->clock_rate;
            channels = fixed->channels;
        }
    place->second = make_decoder(name, clock, channels, parameters);
    if (!place->second && !sdp::is_auxiliary(name)) {
        if (name.empty()) name = fmt::format("payload type {}", type);
        if (told_.insert(name).second)
            trouble(fmt::format("{} cannot be decoded, what was said in it is missing", name));
    }
    return place->second.get();
}

void RecordedCall::release(Duration now) {
    for (auto& [key, source] : sources_)
        while (auto packet = source.arrivals->take(now)) sound(source, *packet);
}

void RecordedCall::sound(Source& source, const Arrivals::Packet& packet) {
    Decoder* decoder = decoder_of(source, packet.header.payload_type);
    if (!decoder) {
        source.next_number.reset();
        return;
    }
    const auto rate = decoder->rate();
    samples_.clear();
    Duration at = packet.spoken;
    if (source.next_number && packet.number > *source.next_number && !packet.moved &&
        packet.timestamp > source.next_timestamp) {
        const auto missing = packet.timestamp - source.next_timestamp;
        const auto time = Duration(static_cast<std::int64_t>(
            std::min<std::uint64_t>(missing, 1U << 30) * 1'000'000 / source.clock * 1000));
        if (time <= max_concealed) {
            decoder->conceal(missing * rate / source.clock, samples_);
            at -= time;
        }
    }
    const auto before = samples_.size();
    decoder->decode(packet.payload, samples_);
    source.next_number = packet.number + 1;
    source.next_timestamp = packet.timestamp + (samples_.size() - before) * source.clock / rate;
    if (samples_.empty()) return;
    if (!source.egress) heard_ingress_ = true;
    if (!source.begun) source.begun = at;
    const bool both = !settings_.mixed && !settings_.single && !settings_.mixed_per_media;
    if (settings_.mixed || settings_.mixed_per_media || both) write_mixed(source, rate, at);
    if (settings_.single || both) write_single(source, rate);
}

std::unique_ptr<Output> RecordedCall::make_output(const std::string& kind, const std::string& label,
                                                  std::uint32_t rate, unsigned channels) {
    const auto& call = result_.metadata;
    const OutputName name{.kind = kind, .label = label, .begun = result_.begun};
    std::string path;
    if (!call.file.empty()) {
        path = call.file.starts_with('/') ? call.file : settings_.output + "/" + call.file;
        if (kind != "mix") path += "-" + kind;
    } else {
        std::string folder = call.path.starts_with('/') ? call.path : settings_.output;
        if (!call.path.empty() && !call.path.starts_with('/')) folder += "/" + call.path;
        path = folder + "/" +
               output_path(call.pattern.empty() ? settings_.pattern : call.pattern, call, name);
    }
    const auto key = fmt::format("{}-{}", result_.name.substr(0, 200), kind);
    auto output = Output::open(settings_, path, key, rate, channels);
    if (output) return std::move(*output);
    trouble(output.error().text());
    return nullptr;
}

void RecordedCall::write_single(Source& source, std::uint32_t rate) {
    if (settings_.format == Format::none || source.single_failed) return;
    if (!source.output) {
        const auto out = settings_.resample_to ? settings_.resample_to : rate;
        const auto tag = result_.metadata.tags.find(source.party);
        source.output = make_output(
            fmt::format("{:08x}{}", source.ssrc, source.egress ? "-out" : ""),
            tag == result_.metadata.tags.end() ? std::string() : tag->second.label, out, 1);
        source.single_failed = !source.output;
        if (source.single_failed) return;
    }
    if (source.output->rate() == rate) return source.output->write(samples_);
    if (!source.resampler)
        source.resampler = std::make_unique<media::Resampler>(rate, source.output->rate());
    resampled_.clear();
    source.resampler->process(samples_, resampled_);
    source.output->write(resampled_);
}

void RecordedCall::write_mixed(Source& source, std::uint32_t rate, Duration at) {
    // What is sent to the parties is what they say, a second time.
    if (settings_.format == Format::none || (source.egress && heard_ingress_)) return;
    const unsigned media = settings_.mixed_per_media ? source.media : 0;
    Mixed& mixed = mixed_[media];
    if (mixed.failed) return;
    if (!mixed.mix) {
        const auto out = settings_.resample_to ? settings_.resample_to : rate;
        const auto parties = static_cast<unsigned>(result_.metadata.tags.size());
        const unsigned channels =
            settings_.mix_channels ? std::clamp(parties, 1U, settings_.mix_inputs) : 1;
        mixed.output =
            make_output(media == 0 ? "mix" : fmt::format("mix-{}", media), {}, out, channels);
        mixed.failed = !mixed.output;
        if (mixed.failed) return;
        mixed.mix = std::make_unique<Mix>(
            out, channels, [to = mixed.output.get()](auto samples) { to->write(samples); });
    }
    mixed.mix->put(source.party, rate, at, samples_);
}

// All that there is to the disk. While it is full, nothing more is read: the feed keeps it.
bool RecordedCall::flush(Time now) {
    if (result_.begun == WallTime{} && feed_.begun()) result_.begun = *feed_.begun();
    Output* full = nullptr;
    for (auto& [key, source] : sources_)
        if (source.output && !source.output->flush()) full = source.output.get();
    for (auto& [media, mixed] : mixed_)
        if (mixed.output && !mixed.output->flush()) full = mixed.output.get();
    if (!full) {
        if (stalled_since_) LOG_NOTICE(about(), "the disk takes sound again, nothing was lost");
        stalled_since_.reset();
        retry_at_.reset();
        return true;
    }
    if (!stalled_since_) {
        stalled_since_ = now;
        LOG_ERROR(about(), "the recording waits: {}", full->trouble());
    }
    retry_at_ = now + retry_interval;
    return false;
}

void RecordedCall::trouble(std::string text) {
    LOG_ERROR(about(), "recording: {}", text);
    if (!result_.trouble.empty()) result_.trouble += "; ";
    if (result_.trouble.size() < 4096) result_.trouble += text;
}

void RecordedCall::end(std::string why) {
    if (state_ == State::closing || state_ == State::over) return;
    if (!why.empty()) trouble(std::move(why));
    if (lost_ > 0) trouble(fmt::format("{} packets were lost on the way here", lost_));
    release(Duration::max() / 2);
    for (auto& [media, mixed] : mixed_) {
        if (mixed.mix) mixed.mix->finish();
        if (mixed.output) mixed.output->finish();
    }
    for (auto& [key, source] : sources_) {
        if (source.resampler && source.output) {
            resampled_.clear();
            source.resampler->flush(resampled_);
            source.output->write(resampled_);
        }
        if (source.output) source.output->finish();
    }
    state_ = State::closing;
}

void RecordedCall::close(Time now) {
    if (!closing_since_) closing_since_ = now;
    if (retry_at_ && now < *retry_at_) return;
    if (!flush(now) && now - *closing_since_ < full_disk_patience) return;
    result_.ended = result_.begun + last_at_;
    const auto& tags = result_.metadata.tags;
    for (auto& [media, mixed] : mixed_)
        if (mixed.output)
            keep(*mixed.output, {.mixed = true,
                                 .kind = media == 0 ? "mix" : fmt::format("mix-{}", media),
                                 .begun = result_.begun + mixed.mix->begun().value_or(Duration{})});
    for (auto& [key, source] : sources_) {
        if (!source.output) continue;
        const auto tag = tags.find(source.party);
        Recorded::File file{.kind = fmt::format("{:08x}", source.ssrc),
                            .begun = result_.begun + source.begun.value_or(Duration{})};
        if (tag != tags.end()) {
            file.tag = tag->second.tag;
            file.label = tag->second.label;
        }
        keep(*source.output, std::move(file));
    }
    sources_.clear();
    mixed_.clear();
    state_ = State::over;
}

void RecordedCall::keep(Output& output, Recorded::File file) {
    if (result_.metadata.discard) return output.discard();
    file.rate = output.rate();
    file.channels = output.channels();
    file.length = output.length();
    if (output.missing() > 0)
        trouble(fmt::format("{}: {} bytes at the end are missing: {}", file.kind, output.missing(),
                            output.trouble()));
    file.size = output.size();
    auto kept = output.keep();
    if (!kept) return trouble(kept.error().text());
    file.path = std::move(*kept);
    LOG_NOTICE(about(), "recorded {:.1f} s: {}", seconds(file.length), file.path);
    result_.files.push_back(std::move(file));
}

}  // namespace strowger::recorder
