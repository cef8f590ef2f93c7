#include "media/transcoder.hpp"

#include <algorithm>
#include <utility>

namespace strowger::media {
namespace {

// Of one lane before the other side hears of it: more would make what is done wait for what is not,
// fewer would wake it for each packet.
constexpr int batch = 8;

void count(std::atomic<std::uint64_t>& figure) {
    figure.store(figure.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

bool RecodingLane::give(const std::shared_ptr<Recoding>& recoding, Bytes packet, Time now) {
    Request* const place = there_.free();
    if (!place || packet.size() > place->bytes.size()) {
        count(not_given_);
        return false;
    }
    place->recoding = recoding;
    place->at = now;
    place->size = packet.size();
    std::ranges::copy(packet, place->bytes.begin());
    there_.put();
    if (++given_ == batch) flush();
    return true;
}

void RecodingLane::flush() {
    if (std::exchange(given_, 0) > 0) transcoder_.wake();
}

// What comes out is made where it goes back from.
struct RecodingLane::Out final : Recoder::Out {
    Out(RecodingLane& lane, const std::shared_ptr<Recoding>& recoding)
        : lane(lane), recoding(recoding) {}
    MutableBytes room() override {
        place = lane.back_.free();
        return MutableBytes(place ? place->bytes : scrap).first(max_packet);
    }
    void put(std::size_t size) override {
        if (!place) return count(lane.not_returned_);
        place->recoding = recoding;
        place->figures = recoding->recoder().figures();
        place->size = size;
        lane.back_.put();
    }
    RecodingLane& lane;
    const std::shared_ptr<Recoding>& recoding;
    Reply* place = nullptr;
    std::array<std::uint8_t, max_protected> scrap;
};

bool RecodingLane::work() {
    int done = 0;
    for (; done < batch; ++done) {
        Request* const request = there_.first();
        if (!request) break;
        // Out of the ring, so that it does not live on there when the call has ended.
        const auto recoding = std::move(request->recoding);
        Out out(*this, recoding);
        if (request->size == 0)
            recoding->recoder().tick(request->at, out);
        else
            recoding->recoder().take(Bytes(request->bytes).first(request->size), request->at, out);
        there_.take();
    }
    if (done > 0) media_.ring();
    return done > 0;
}

RecodingLane& Transcoder::lane(std::size_t media_thread, Doorbell& bell) {
    auto& place = lanes_.at(media_thread);
    if (RecodingLane* known = place.load(std::memory_order_relaxed)) return *known;
    owned_.push_back(std::make_unique<RecodingLane>(*this, bell));
    place.store(owned_.back().get(), std::memory_order_release);
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    return *owned_.back();
}

void Transcoder::stop() {
    if (!thread_.joinable()) return;
    stopping_.store(true, std::memory_order_relaxed);
    wake();
    thread_.join();
}

void Transcoder::wake() {
    signals_.fetch_add(1, std::memory_order_acq_rel);
    signals_.notify_one();  // no system call while nobody waits
}

std::uint64_t Transcoder::dropped() const {
    std::uint64_t sum = 0;
    for (const auto& lane : owned_) sum += lane->dropped();
    return sum;
}

void Transcoder::run() {
    while (!stopping_.load(std::memory_order_relaxed)) {
        const std::uint32_t seen = signals_.load(std::memory_order_acquire);
        bool worked = false;
        for (auto& place : lanes_)
            if (RecodingLane* lane = place.load(std::memory_order_acquire)) worked |= lane->work();
        if (!worked) signals_.wait(seen, std::memory_order_acquire);
    }
}

}  // namespace strowger::media
