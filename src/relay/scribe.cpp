#include "relay/scribe.hpp"

#include <cstring>

#include "io/clock.hpp"
#include "io/file.hpp"
#include "wire/recording/feed.hpp"

namespace strowger::relay {
namespace {

constexpr unsigned file_mode = 0640;  // calls are nobody's business but the recorder's
constexpr Duration tell_interval = std::chrono::seconds{10};

}  // namespace

Scribe::Scribe(media::RelayEngine& engine) : engine_(engine) {
    (void)engine_.rings();  // made before anybody looks at them
    thread_ = std::thread([this] { run(); });
}

Scribe::~Scribe() {
    mailbox_.post([this] { stopping_ = true; });
    thread_.join();
}

std::uint64_t Scribe::open(Files files) {
    const auto recording = ++last_;
    mailbox_.post([this, recording, files = std::move(files)]() mutable {
        begin(recording, std::move(files));
    });
    return recording;
}

void Scribe::place(std::uint64_t recording, std::uint16_t stream, const SocketAddress& local) {
    mailbox_.post([this, recording, stream, local] {
        const auto book = books_.find(recording);
        if (book != books_.end()) book->second.places[stream] = local;
    });
}

void Scribe::append(std::uint64_t recording, std::string metadata) {
    mailbox_.post([this, recording, metadata = std::move(metadata)] {
        const auto found = books_.find(recording);
        if (found == books_.end() || !found->second.metadata.file.is_open()) return;
        auto& waiting = found->second.metadata.waiting;
        waiting.insert(waiting.end(), metadata.begin(), metadata.end());
        write(found->second, found->second.metadata);
    });
}

void Scribe::close(std::uint64_t recording, Time now, std::string about, std::string text) {
    mailbox_.post([this, recording, now, about = std::move(about),
                   text = std::move(text)]() mutable {
        closings_.emplace_back([this, recording, now, about = std::move(about),
                                text = std::move(text)] { finish(recording, now, about, text); });
    });
}

void Scribe::run() {
    io::Poller poller;
    (void)poller.add(mailbox_.fd(), 0);
    while (!stopping_) {
        // With nothing to record, nothing wakes it.
        poller.wait(books_.empty() ? Duration::max() : interval);
        mailbox_.acknowledge();
        while (auto work = mailbox_.take()) (*work)();
        drain();
        for (auto& closing : closings_) closing();
        closings_.clear();
    }
    const Time now = io::monotonic_now();
    while (!books_.empty()) finish(books_.begin()->first, now, {}, {});
}

void Scribe::drain() {
    for (const auto& ring : engine_.rings())
        ring->drain([this](const auto& packet, Bytes bytes) { take(packet, bytes); });
    tell_dropped(io::monotonic_now());
    for (auto& [recording, book] : books_)
        if (std::exchange(book.touched, false)) write_out(book);
}

void Scribe::take(const media::PacketRing::Packet& packet, Bytes bytes) {
    const auto found = books_.find(packet.recording);
    if (found == books_.end()) return;  // its recording has just been stopped
    Book& book = found->second;
    book.touched = true;
    const Duration at = packet.at - book.files.begun;
    packets_.store(packets() + 1, std::memory_order_relaxed);
    bytes_.store(this->bytes() + bytes.size(), std::memory_order_relaxed);
    bool lost = false;
    if (book.capture.file.is_open() && !packet.forwarded_only) {
        const auto local = book.places[packet.stream];
        const SocketAddress ours{local.ip,
                                 static_cast<std::uint16_t>(local.port + (packet.rtcp ? 1 : 0))};
        const auto& from = packet.egress ? ours : packet.remote;
        const auto& to = packet.egress ? packet.remote : ours;
        if (book.capture.waiting.size() < max_waiting)
            recording::append_pcap_packet(book.capture.waiting, book.files.link,
                                          book.files.wall + at, from, to, bytes);
        else
            lost = true;
    }
    if (book.feed.file.is_open()) {
        auto& feed = book.feed;
        if (feed.waiting.size() < max_waiting && feed.size < max_feed) {
            using Kind = recording::FeedRecord::Kind;
            if (book.lost > 0) {
                std::array<std::uint8_t, 4> count;
                store32(count, 0, std::exchange(book.lost, 0));
                recording::append_feed_record(feed.waiting,
                                              {.kind = Kind::lost, .at = at, .payload = count});
            }
            recording::append_feed_record(feed.waiting,
                                          {.kind = packet.rtcp ? Kind::rtcp : Kind::rtp,
                                           .egress = packet.egress,
                                           .forwarded_only = packet.forwarded_only,
                                           .stream = packet.stream,
                                           .at = std::max(at, Duration::zero()),
                                           .payload = bytes});
        } else {
            ++book.lost;
            lost = true;
        }
    }
    if (lost) {
        if (book.lost_in_all++ == 0)
            LOG_ERROR(book.about(), "recording: packets are lost, the disk does not take them");
        lost_.store(this->lost() + 1, std::memory_order_relaxed);
    }
}

void Scribe::write_out(Book& book) {
    write(book, book.capture);
    write(book, book.feed);
    write(book, book.metadata);
    // What did not fit is tried again with the next packets, or within the interval.
    for (const auto* growing : {&book.capture, &book.feed, &book.metadata})
        book.touched |= !growing->waiting.empty();
}

void Scribe::write(Book& book, Growing& growing) {
    if (growing.waiting.empty() || !growing.file.is_open()) return;
    const auto wrote = growing.file.write_at(growing.size, growing.waiting);
    growing.size += wrote.size;
    growing.waiting.erase(growing.waiting.begin(),
                          growing.waiting.begin() + static_cast<std::ptrdiff_t>(wrote.size));
    if (wrote.error == 0) {
        if (std::exchange(growing.full, false))
            LOG_NOTICE(book.about(), "recording: {} is written again", growing.file.path());
    } else if (!std::exchange(growing.full, true)) {
        LOG_ERROR(book.about(), "recording: {}: {}; tried again while {} bytes wait at most",
                  growing.file.path(), std::strerror(wrote.error), max_waiting);
    }
}

void Scribe::begin(std::uint64_t number, Files files) {
    Book& book = books_[number];
    book.files = std::move(files);
    // The metadata comes last, and under its name only when it is there: that tells the recorder of
    // the call, and what it names exists by then.
    const std::string metadata = book.files.metadata;
    if (!metadata.empty()) book.files.metadata += ".new";
    for (const auto& [path, growing] :
         {std::pair(&book.files.capture, &book.capture), std::pair(&book.files.feed, &book.feed),
          std::pair(&book.files.metadata, &book.metadata)}) {
        if (path->empty()) continue;
        auto file = io::RawFile::create(*path, file_mode);
        if (!file) {
            LOG_ERROR(book.about(), "recording: {}", file.error().text());
            continue;
        }
        (void)file->lock();  // says to the recorder that there is more to come
        growing->file = std::move(*file);
    }
    if (book.metadata.file.is_open())
        if (auto renamed = io::rename_file(book.files.metadata, metadata); !renamed)
            LOG_ERROR(book.about(), "recording: {}", renamed.error().text());
    if (book.capture.file.is_open())
        recording::append_pcap_head(book.capture.waiting, book.files.link);
    if (book.feed.file.is_open()) recording::append_feed_head(book.feed.waiting, book.files.wall);
    write_out(book);
}

void Scribe::finish(std::uint64_t number, Time now, const std::string& about,
                    const std::string& text) {
    const auto found = books_.find(number);
    if (found == books_.end()) return;
    Book& book = found->second;
    if (book.feed.file.is_open())
        recording::append_feed_record(book.feed.waiting,
                                      {.kind = recording::FeedRecord::Kind::end,
                                       .at = std::max(now - book.files.begun, Duration::zero())});
    write_out(book);
    std::size_t left = 0;
    for (const auto* growing : {&book.capture, &book.feed, &book.metadata})
        left += growing->waiting.size();
    if (left > 0 || book.lost_in_all > 0)
        LOG_ERROR(book.about(), "recording is not whole: {} packets lost, {} bytes not written",
                  book.lost_in_all, left);
    if (!about.empty())
        if (auto written = io::replace_file(about, text, file_mode); !written)
            LOG_ERROR(book.about(), "recording: {}", written.error().text());
    books_.erase(found);
}

void Scribe::tell_dropped(Time now) {
    std::uint64_t dropped = 0;
    for (const auto& ring : engine_.rings()) dropped += ring->dropped();
    if (dropped == dropped_) return;
    lost_.store(lost() + (dropped - dropped_), std::memory_order_relaxed);
    if (now - told_ >= tell_interval) {
        told_ = now;
        LOG_ERROR((log::About{"relay"}),
                  "recording: {} packets lost so far, the disk is slower than the media", dropped);
    }
    dropped_ = dropped;
}

}  // namespace strowger::relay
