#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/log.hpp"
#include "io/mailbox.hpp"
#include "io/raw_file.hpp"
#include "media/relay_engine.hpp"
#include "relay/settings.hpp"

namespace strowger::relay {

/// The thread that writes recordings down: it takes copies of packets from the media threads'
/// rings, and may wait for the disk, which they may not. What the disk does not take is kept for
/// a while, then dropped, counted and told.
class Scribe {
public:
    /// How often the rings are emptied, which is what a crash loses at most.
    static constexpr Duration interval = std::chrono::milliseconds{50};
    /// Of one recording, while its disk is full or slow: some ten seconds of two voices.
    static constexpr std::size_t max_waiting = 256 << 10;
    /// Of the packets of one call that no recorder has fetched: over ten hours of two voices.
    static constexpr std::uint64_t max_feed = std::uint64_t{1} << 30;

    explicit Scribe(media::RelayEngine& engine);
    ~Scribe();  ///< after everything that was asked for

    /// What a recording consists of; empty paths are left out.
    struct Files {
        std::string call;  ///< the Call-ID, for the log
        std::string capture, feed, metadata;
        WallTime wall{};  ///< what the calendar says at `begun`
        Time begun{};
        recording::Link link = recording::Link::raw;  ///< of the capture
    };
    std::uint64_t open(Files files);
    /// The address at which the relay has a stream: for captures.
    void place(std::uint64_t recording, std::uint16_t stream, const SocketAddress& local);
    void append(std::uint64_t recording, std::string metadata);
    /// No more comes. A text about the capture is written to `about`, unless that is empty.
    void close(std::uint64_t recording, Time now, std::string about, std::string text);

    std::uint64_t packets() const { return packets_.load(std::memory_order_relaxed); }
    std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
    std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

private:
    using Work = std::move_only_function<void()>;

    /// A file that grows, and what it has not taken yet.
    struct Growing {
        io::RawFile file;
        std::uint64_t size = 0;
        std::vector<std::uint8_t> waiting;
        bool full = false;  ///< it was told that the disk does not take it
    };
    struct Book {
        Files files;
        Growing capture, feed, metadata;
        std::unordered_map<std::uint16_t, SocketAddress> places;
        std::uint32_t lost = 0;  ///< not yet noted in the feed
        std::uint64_t lost_in_all = 0;
        bool touched = false;
        log::About about() const { return {"relay", files.call}; }
    };

    void run();
    void drain();
    void take(const media::PacketRing::Packet& packet, Bytes bytes);
    void write(Book& book, Growing& growing);
    void write_out(Book& book);
    void begin(std::uint64_t recording, Files files);
    void finish(std::uint64_t recording, Time now, const std::string& about,
                const std::string& text);
    void tell_dropped(Time now);

    media::RelayEngine& engine_;
    std::uint64_t last_ = 0;  ///< the owner's: number of the newest recording
    std::atomic<std::uint64_t> packets_{0}, bytes_{0}, lost_{0};

    // The thread's own.
    std::unordered_map<std::uint64_t, Book> books_;
    std::vector<Work> closings_;  ///< for after the packets that came before
    std::uint64_t dropped_ = 0;   ///< by the rings, as far as it is known
    Time told_{};
    bool stopping_ = false;

    io::Mailbox<Work> mailbox_;
    std::thread thread_;
};

}  // namespace strowger::relay
