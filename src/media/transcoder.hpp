#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "media/doorbell.hpp"
#include "media/recoding.hpp"
#include "media/slot_ring.hpp"

namespace strowger::media {

class Transcoder;

/// The packets of one media thread that one transcoder recodes, there and back. What has no room is
/// dropped and counted: who waits for it longer than the ring lasts hears it too late anyway.
class RecodingLane {
public:
    /// Packets under way, each way. With Opus it takes 25 ms to make so many.
    static constexpr std::size_t room = 512;
    /// As a stream's buffer (relay_stream.cpp); what comes back may still be encrypted in place.
    static constexpr std::size_t max_packet = 1888, max_protected = 2048;

    RecodingLane(Transcoder& transcoder, Doorbell& media)
        : transcoder_(transcoder), media_(media) {}

    // By the media thread.
    /// False: there was no room for it.
    /// No packet at all: the time has come for its `tick`.
    bool give(const std::shared_ptr<Recoding>& recoding, Bytes packet, Time now);
    /// The transcoder hears of what was given since the last time.
    void flush();
    /// Hands `send(Recoding&, MutableBytes buffer, std::size_t size)` each packet that has come
    /// back.
    template <typename Send>
    void take_back(Send send) {
        while (Reply* reply = back_.first()) {
            reply->recoding->sent(reply->figures);
            send(*reply->recoding, MutableBytes(reply->bytes), reply->size);
            reply->recoding.reset();
            back_.take();
        }
    }
    bool anything_back() { return back_.first() != nullptr; }

    // By the transcoder.
    /// Recodes some of what waits; false: nothing does.
    bool work();

    // By anybody.
    std::uint64_t dropped() const {
        return not_given_.load(std::memory_order_relaxed) +
               not_returned_.load(std::memory_order_relaxed);
    }
    Transcoder& transcoder() const { return transcoder_; }

private:
    struct Out;
    struct Request {
        std::shared_ptr<Recoding> recoding;
        Time at{};
        std::size_t size = 0;
        std::array<std::uint8_t, max_packet> bytes;
    };
    struct Reply {
        std::shared_ptr<Recoding> recoding;
        Recoder::Figures figures;
        std::size_t size = 0;
        std::array<std::uint8_t, max_protected> bytes;
    };

    Transcoder& transcoder_;
    Doorbell& media_;
    SlotRing<Request, room> there_;
    SlotRing<Reply, room> back_;
    std::atomic<std::uint64_t> not_given_{0}, not_returned_{0};
    int given_ = 0;  // the media thread's: since the last flush
};

/// A thread that decodes and encodes, so that those that receive packets do not. Each direction of
/// a call stays with one, and in order. Idle it costs nothing; it starts with its first work.
class Transcoder {
public:
    explicit Transcoder(std::size_t media_threads) : lanes_(media_threads) {}
    ~Transcoder() { stop(); }

    /// Each media thread gives to so many at most: a lane has two megabytes.
    static constexpr std::size_t max_of_a_thread = 4;

    // By the engine's owner.
    /// The lane of that media thread, whose bell it rings.
    RecodingLane& lane(std::size_t media_thread, Doorbell& bell);
    void stop();  ///< before the media threads, whose bells it rings

    /// Directions that it has. By anybody.
    std::size_t directions() const { return directions_.load(std::memory_order_relaxed); }
    void join() { directions_.fetch_add(1, std::memory_order_relaxed); }
    void leave() { directions_.fetch_sub(1, std::memory_order_relaxed); }
    void wake();
    std::uint64_t dropped() const;

private:
    void run();

    std::atomic<std::size_t> directions_{0};
    std::vector<std::unique_ptr<RecodingLane>> owned_;
    std::vector<std::atomic<RecodingLane*>> lanes_;  // by media thread; null: none yet
    std::atomic<std::uint32_t> signals_{0};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace strowger::media
