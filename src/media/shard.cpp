#include "media/shard.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "io/clock.hpp"

namespace strowger::media {
namespace {

// A descriptor's key is the address of its Watched, with this bit for the RTCP socket; 0 is the
// mailbox, and the bit alone the bell.
constexpr std::uint64_t rtcp_bit = 1;
constexpr std::uint64_t mailbox_key = 0, bell_key = rtcp_bit;
static_assert(alignof(Watched) > 1);

// What is thrown away at a socket that nobody reads before the others have their turn.
constexpr int max_drained = 16;

void throw_away(Watched& watched, int descriptor, Time now) {
    if (descriptor < 0) return;
    watched.disturbed.store(now, std::memory_order_relaxed);
    std::uint8_t scrap[1];
    for (int i = 0; i < max_drained; ++i)
        if (::recv(descriptor, scrap, sizeof scrap, MSG_DONTWAIT) < 0) return;
}

constexpr Duration watch_interval = std::chrono::seconds{1};

}  // namespace

Shard::Shard(Tell tell, std::uint64_t seed)
    : tell_(std::move(tell)), random_(seed), cname_(random_.token(16)) {
    now_ = io::monotonic_now();
    for (const auto& [fd, key] : {std::pair(mailbox_.fd(), mailbox_key), {bell_.fd(), bell_key}})
        if (const auto added = poller_.add(fd, key); !added)
            throw std::runtime_error(added.error().text());
    thread_ = std::thread([this] { run(); });
}

Shard::~Shard() {
    post([this] { stopping_ = true; });
    thread_.join();
}

void Shard::run() {
    while (!stopping_) {
        unwatched_.clear();
        const Time next = timers_.next();
        Duration rest = next == Time::max() ? Duration::max() : next - now_;
        bell_.lie_down();
        if (anything_recoded()) rest = Duration::zero();
        const auto ready = poller_.wait(rest);
        bell_.get_up();
        now_ = io::monotonic_now();
        if (std::ranges::any_of(ready,
                                [](const auto& event) { return event.data.u64 == mailbox_key; }))
            mailbox_.acknowledge();
        do_work();  // what was asked for before a packet came holds for the packet
        for (const epoll_event& event : ready) {
            const std::uint64_t key = event.data.u64;
            if (key == mailbox_key) continue;
            if (key == bell_key) {
                bell_.acknowledge();
                continue;
            }
            Watched& watched = *reinterpret_cast<Watched*>(key & ~rtcp_bit);
            if (!watched.reader)
                throw_away(watched, key & rtcp_bit ? watched.rtcp : watched.rtp, now_);
            else if (key & rtcp_bit)
                watched.reader->rtcp_readable(now_);
            else
                watched.reader->rtp_readable(now_);
        }
        timers_.run(now_);  // which may have given transcoders something, too
        send_recoded();
    }
    for (auto& leg : legs_) leg.first->stop_record(0, "shutdown");
    for (auto& mix : mixes_) mix.first->stop_record(0, "shutdown");
    legs_.clear();
    mixes_.clear();
    streams_.clear();
}

void Shard::do_work() {
    while (auto work = mailbox_.take()) (*work)();
}

void Shard::adopt(RecodingLane& lane) {
    if (std::ranges::find(lanes_, &lane) == lanes_.end()) lanes_.push_back(&lane);
}

bool Shard::anything_recoded() {
    return std::ranges::any_of(lanes_, [](RecodingLane* lane) { return lane->anything_back(); });
}

void Shard::send_recoded() {
    for (RecodingLane* lane : lanes_) {
        lane->flush();
        lane->take_back([](Recoding& recoding, MutableBytes buffer, std::size_t size) {
            if (RelayStream* to = recoding.to()) to->send_recoded(recoding, buffer, size);
        });
    }
}

void Shard::watch(SocketPair& sockets) {
    sockets.watched = std::make_unique<Watched>();
    sockets.watched->rtp = sockets.rtp.fd();
    sockets.watched->rtcp = sockets.rtcp.fd();
    const auto key = reinterpret_cast<std::uint64_t>(sockets.watched.get());
    // Fails only for want of kernel memory; the reader is then silent, which its timeout reports.
    (void)poller_.add(sockets.rtp.fd(), key);
    (void)poller_.add(sockets.rtcp.fd(), key | rtcp_bit);
}

void Shard::set_reader(SocketPair& sockets, Readable& reader) {
    if (!sockets.watched) watch(sockets);
    sockets.watched->reader = &reader;
}

// Closing would not do: between fork and exec a child of ours (System(), #exec) holds the sockets
// too, and the poller would go on to tell of them.
void Shard::unwatch(SocketPair& sockets) {
    if (!sockets.watched) return;
    poller_.remove(sockets.rtp.fd());
    poller_.remove(sockets.rtcp.fd());
    sockets.watched->reader = nullptr;
    sockets.watched->rtp = sockets.watched->rtcp = -1;
    unwatched_.push_back(std::move(sockets.watched));
}

Leg& Shard::adopt(std::unique_ptr<Leg> leg) {
    Leg& adopted = *leg;
    legs_.emplace(&adopted, std::move(leg));
    set_reader(adopted.sockets(), adopted);
    adopted.attach(*this);
    return adopted;
}

std::unique_ptr<Leg> Shard::release(Leg& leg) {
    leg.detach();
    unwatch(leg.sockets());
    auto node = legs_.extract(&leg);
    return std::move(node.mapped());
}

void Shard::end(Leg& leg) { release(leg).reset(); }

RelayStream& Shard::adopt(std::unique_ptr<RelayStream> stream) {
    RelayStream& adopted = *stream;
    streams_.emplace(&adopted, std::move(stream));
    set_reader(adopted.sockets(), adopted);
    adopted.attach(*this);
    if (!stream_timer_.armed()) timers_.arm(stream_timer_, now_ + watch_interval);
    return adopted;
}

std::unique_ptr<RelayStream> Shard::release(RelayStream& stream) {
    unwatch(stream.sockets());
    stream.detach();
    auto node = streams_.extract(&stream);
    return std::move(node.mapped());
}

SocketPair Shard::end(RelayStream& stream) {
    stream.close();
    SocketPair sockets = std::move(stream.sockets());
    if (sockets.watched) sockets.watched->reader = nullptr;
    sockets.rtp.disconnect();
    streams_.erase(&stream);
    return sockets;
}

// One timer for all: a stream has nothing to do in time but to give up on a source that is silent.
void Shard::watch_streams(Time now) {
    for (auto& stream : streams_) stream.first->watch(now);
    if (!streams_.empty()) timers_.arm(stream_timer_, now + watch_interval);
}

void Shard::adopt(std::unique_ptr<Mix> mix) {
    Mix& adopted = *mix;
    mixes_.emplace(&adopted, std::move(mix));
    adopted.attach(*this);
}

void Shard::end(Mix& mix) { mixes_.erase(&mix); }

}  // namespace strowger::media
