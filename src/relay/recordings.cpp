#include "relay/recordings.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/text.hpp"
#include "io/file.hpp"
#include "wire/recording/metadata.hpp"

namespace strowger::relay {
namespace {

constexpr unsigned directory_mode = 0750;

std::string encoded(std::string_view text) {
    std::string name;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
                           c == '-' || c == '_' || c == '~' || (c == '.' && !name.empty());
        std::string next =
            plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
        if (name.size() + next.size() > Recordings::max_name) break;
        name += next;
    }
    return name;
}

// Seconds since the epoch, with six digits, as the metadata has them.
std::string stamp(WallTime at) {
    const auto us =
        std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count();
    return fmt::format("{}.{:06}", us / 1'000'000, us % 1'000'000);
}

std::string readable(WallTime at) {
    return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(
                           std::chrono::time_point_cast<std::chrono::system_clock::duration>(at))));
}

// Who may ask for recordings may name files, but not climb out of what the recorder is given.
bool may_be_path(std::string_view path) {
    if (path.size() > Recordings::max_path || path.find('\0') != std::string_view::npos)
        return false;
    return std::ranges::none_of(split(path, '/'), [](auto part) { return part == ".."; });
}

std::string payloads_of(const Section& section) {
    std::string text;
    for (const auto& [type, codec] : section.payloads)
        text += fmt::format("{} {}/{}/{} {}\n", type, codec.name, codec.clock_rate, codec.channels,
                            codec.fmtp);
    return text;
}

}  // namespace

Recordings::Recordings(const Settings& settings, media::RelayEngine& engine, Clock clock)
    : settings_(settings), engine_(engine), clock_(std::move(clock)), random_(Random::system()) {}

Recordings::~Recordings() {
    for (auto& [call, book] : books_) close(book);
}

bool Recordings::is_recorded(const Call& call) const {
    const auto found = books_.find(&call);
    return found != books_.end() && found->second.recording;
}

Result<Recordings::Book*> Recordings::book_of(Call& call, const Request& request) {
    if (const auto found = books_.find(&call); found != books_.end()) return &found->second;
    const Record& record = settings_.record;
    if (record.directory.empty()) return fail("Recording is off: recording-dir is not set");
    if (!scribe_) scribe_ = std::make_unique<Scribe>(engine_);

    Book book;
    book.record = record;
    book.begun = clock_.wall();
    const std::string tag = fmt::format("{:016x}", random_.next());
    const std::string name = encoded(call.id) + "-" + tag;
    Scribe::Files files{
        .call = call.id, .wall = book.begun, .begun = clock_.now(), .link = record.link};
    if (record.captures) {
        files.capture = book.capture = fmt::format("{}/pcaps/{}.pcap", record.directory, name);
        book.about = fmt::format("{}/metadata/{}.txt", record.directory, name);
        for (const auto* folder : {"pcaps", "metadata"})
            if (auto made = io::make_directories(record.directory + "/" + folder, directory_mode);
                !made)
                return std::unexpected(made.error());
    }
    if (record.feeds) {
        if (auto made = io::make_directories(record.directory, directory_mode); !made)
            return std::unexpected(made.error());
        files.metadata = fmt::format("{}/{}.meta", record.directory, name);
        files.feed = fmt::format("{}/{}.feed", record.directory, name);
    }
    book.number = scribe_->open(std::move(files));
    book.noted = call.metadata;
    append(book, "CALL-ID", call.id);
    append(book, "PARENT", name);
    append(book, "RANDOM_TAG", tag);
    append(book, "FEED", name + ".feed");
    append(book, "STARTED", stamp(book.begun));
    if (!call.metadata.empty()) append(book, "METADATA", call.metadata);
    Book& kept = books_.emplace(&call, std::move(book)).first->second;
    wish(kept, request);
    return &kept;
}

void Recordings::append(const Book& book, std::string_view label, std::string_view content) {
    if (book.record.feeds) scribe_->append(book.number, recording::chunk_text(label, content));
}

// What a request says about where the output goes, and what goes with it.
void Recordings::wish(Book& book, const Request& request) {
    if (!request.metadata.empty() && request.metadata != book.noted) {
        book.noted = request.metadata;
        append(book, "METADATA", request.metadata);
    }
    for (const auto& [label, path] : {std::pair("RECORDING_FILE", request.recording_file),
                                      std::pair("RECORDING_PATH", request.recording_path),
                                      std::pair("RECORDING_PATTERN", request.recording_pattern)}) {
        if (path.empty()) continue;
        if (may_be_path(path))
            append(book, label, path);
        else
            LOG_WARNING((log::About{"relay", request.call_id}),
                        "recording: '{}' is no path that is taken", path.substr(0, 80));
    }
    if (request.skip_recording_db) append(book, "SKIP_DATABASE", "1");
    if (request.discard_recording) append(book, "DISCARD", "1");
}

void Recordings::tell_state(const Book& book) {
    append(book, "RECORDING", book.recording && !book.paused ? "1" : "0");
    append(book, "FORWARDING", book.forwards_all || !book.forwarded.empty() ? "1" : "0");
}

Result<> Recordings::start(Call& call, const Request& request) {
    const auto book = book_of(call, request);
    if (!book) return std::unexpected(book.error());
    wish(**book, request);
    if ((*book)->recording && !(*book)->paused) return {};
    LOG_NOTICE((log::About{"relay", call.id}), "recording {}",
               (*book)->recording ? "goes on" : "begins");
    (*book)->recording = true;
    (*book)->paused = false;
    tell_state(**book);
    follow(call, **book);
    return {};
}

void Recordings::pause(Call& call) {
    const auto found = books_.find(&call);
    if (found == books_.end() || !found->second.recording) return;
    found->second.paused = true;
    tell_state(found->second);
    follow(call, found->second);
    LOG_NOTICE((log::About{"relay", call.id}), "recording pauses");
}

void Recordings::stop(Call& call) {
    const auto found = books_.find(&call);
    if (found == books_.end() || !found->second.recording) return;
    LOG_NOTICE((log::About{"relay", call.id}), "recording ends");
    found->second.recording = false;
    found->second.paused = false;
    tell_state(found->second);
    follow(call, found->second);
    if (found->second.forwards_all || !found->second.forwarded.empty()) return;
    close(found->second);
    books_.erase(found);
}

Result<> Recordings::forward(Call& call, Party* party, const Request& request, bool on) {
    if (!on && !books_.contains(&call)) return {};
    const auto found = book_of(call, request);
    if (!found) return std::unexpected(found.error());
    Book& book = **found;
    wish(book, request);
    if (!book.record.feeds)
        LOG_WARNING((log::About{"relay", call.id}),
                    "forwarding has no effect without recording-method proc or all");
    if (party && on) {
        book.forwarded.insert(party->tag);
    } else if (party) {
        book.forwarded.erase(party->tag);
    } else {
        book.forwards_all = on;
        if (!on) book.forwarded.clear();
    }
    tell_state(book);
    follow(call, book);
    if (book.recording || book.forwards_all || !book.forwarded.empty()) return {};
    close(book);
    books_.erase(&call);
    return {};
}

void Recordings::negotiated(Call& call, Party& from, const Request& request, std::string_view sent,
                            bool is_offer) {
    if (request.record_call == true) {
        if (auto started = start(call, request); !started)
            LOG_WARNING((log::About{"relay", call.id}), "{}", started.error().text());
    } else if (request.record_call == false) {
        stop(call);
    }
    const auto found = books_.find(&call);
    if (found == books_.end()) return;
    Book& book = found->second;
    if (request.exclude_recording) book.excluded.insert(from.tag);
    wish(book, request);
    const auto tag = tag_number(book, from);
    const auto* mode = is_offer ? "offer" : "answer";
    append(book, fmt::format("SDP from {} before {}", tag, mode), request.sdp);
    append(book, fmt::format("SDP from {} after {}", tag, mode), sent);
    if (!book.about.empty() && book.text.size() + request.sdp.size() < max_noted)
        book.text += fmt::format("\nSDP mode: {}\nSDP from: {}\nSDP time: {}\n\n{}\n", mode,
                                 from.tag, readable(clock_.wall()), request.sdp);
}

unsigned Recordings::tag_number(Book& book, const Party& party) {
    const auto [place, fresh] =
        book.tags.try_emplace(party.tag, static_cast<unsigned>(book.tags.size()));
    if (fresh) {
        append(book, fmt::format("TAG {}", place->second), party.tag);
        if (!party.label.empty()) append(book, fmt::format("LABEL {}", place->second), party.label);
    }
    return place->second;
}

void Recordings::follow(Call& call) {
    const auto found = books_.find(&call);
    if (found != books_.end()) follow(call, found->second);
}

void Recordings::follow(Call& call, Book& book) {
    for (const auto& party : call.parties) {
        // One that has not answered has no tag yet, and sends nothing that anybody should keep.
        if (party->tag.empty()) continue;
        for (std::size_t i = 0; i < party->sections.size(); ++i)
            if (party->sections[i].side) follow(call, book, *party, i);
    }
}

void Recordings::follow(Call& call, Book& book, Party& party, std::size_t index) {
    Section& section = party.sections[index];
    const bool forwards = book.forwards_all || book.forwarded.contains(party.tag);
    const bool records = book.recording && !book.paused && !book.excluded.contains(party.tag);
    // Who only listens says nothing.
    const bool speaks = section.signalled && !section.refused;
    if ((!records && !forwards) || !speaks || section.opaque) {
        (void)section.side->tap(std::nullopt);
        if (speaks && section.opaque && records) {
            auto& stream = book.streams[{tag_number(book, party), index}];
            if (!std::exchange(stream.told_opaque, true))
                LOG_WARNING((log::About{"relay", call.id}),
                            "recording: section {} of '{}' is not recorded, its keys are the "
                            "parties' own, or it is no RTP",
                            index + 1, party.tag);
        }
        return;
    }
    const auto tag = tag_number(book, party);
    const auto known = book.streams.find({tag, index});
    const bool fresh = known == book.streams.end();
    auto& stream = fresh ? book.streams[{tag, index}] : known->second;
    if (fresh) {
        stream.number = static_cast<std::uint16_t>(book.streams.size() - 1);
        append(book, fmt::format("STREAM {} details", stream.number),
               fmt::format("TAG {} MEDIA {} TAG-MEDIA {} COMPONENT 1 FLAGS 0", tag,
                           stream.number + 1, index + 1));
        append(book, fmt::format("STREAM {} interface", stream.number),
               fmt::format("tag-{}-media-{}-component-1-RTP-id-{}", tag, index + 1, stream.number));
    }
    if (auto payloads = payloads_of(section); payloads != stream.payloads) {
        stream.payloads = std::move(payloads);
        const unsigned media = stream.number + 1U;
        for (const auto& [type, codec] : section.payloads) {
            append(book, fmt::format("MEDIA {} PAYLOAD TYPE {}", media, type),
                   fmt::format("{}/{}/{}", codec.name, codec.clock_rate, codec.channels));
            if (!codec.fmtp.empty())
                append(book, fmt::format("MEDIA {} FMTP {}", media, type), codec.fmtp);
        }
        if (section.ptime)
            append(book, fmt::format("MEDIA {} PTIME", media), fmt::to_string(*section.ptime));
    }
    if (stream.forwarding != forwards) {
        stream.forwarding = forwards;
        append(book, fmt::format("STREAM {} FORWARDING", stream.number), forwards ? "1" : "0");
    }
    if (stream.port != section.side->port()) {
        stream.port = section.side->port();
        scribe_->place(book.number, stream.number, {section.local->bind, stream.port});
    }
    media::RelaySide::Tap tap{.recording = book.number,
                              .stream = stream.number,
                              .ingress = book.record.ingress,
                              .egress = book.record.egress,
                              .forwarded_only = !records};
    if (const auto* crypto = section.passthrough ? section.sdes.answer() : nullptr)
        tap.key = media::RelaySide::Key{crypto->policy, crypto->identified_keys()};
    if (auto tapped = section.side->tap(std::move(tap)); !tapped)
        LOG_WARNING((log::About{"relay", call.id}), "recording: {}", tapped.error().text());
}

void Recordings::end(const Call& call) {
    const auto found = books_.find(&call);
    if (found == books_.end()) return;
    close(found->second);
    books_.erase(found);
}

void Recordings::close(Book& book) {
    std::string text;
    if (!book.about.empty())
        text = fmt::format("{}\n{}\ncall start time: {}\ncall end time: {}\n\n{}\n", book.capture,
                           book.text, readable(book.begun), readable(clock_.wall()), book.noted);
    scribe_->close(book.number, clock_.now(), book.about, std::move(text));
}

}  // namespace strowger::relay
