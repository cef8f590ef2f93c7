#include "media/shard.hpp"

#include <algorithm>

#include "io/clock.hpp"

namespace strowger::media {
namespace {

// A descriptor's key is its reader's address, with this bit for the RTCP socket; 0 is the mailbox,
// and the bit alone the bell.
constexpr std::uint64_t rtcp_bit = 1;
constexpr std::uint64_t mailbox_key = 0, bell_key = rtcp_bit;
static_assert(alignof(Readable) > 1);

// Work for a thousand calls a second comes in fewer rounds than this while a packet waits.
constexpr int max_rounds_of_mail = 16;

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
    int rounds_of_mail = 0;
    while (!stopping_) {
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
        const bool mail = mailbox_.any();
        // What was asked for before a packet came holds for the packet. Work may take readers away,
        // so the packets wait for the next round, where they are told of again; but not for ever.
        if (mail && rounds_of_mail < max_rounds_of_mail) {
            ++rounds_of_mail;
            do_work();
            continue;
        }
        rounds_of_mail = 0;
        for (const epoll_event& event : ready) {
            const std::uint64_t key = event.data.u64;
            if (key == mailbox_key) continue;
            if (key == bell_key) {
                bell_.acknowledge();
                continue;
            }
            Readable& reader = *reinterpret_cast<Readable*>(key & ~rtcp_bit);
            if (key & rtcp_bit)
                reader.rtcp_readable(now_);
            else
                reader.rtp_readable(now_);
        }
        send_recoded();
        timers_.run(now_);
        if (mail) do_work();
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

void Shard::watch(Readable& reader, const SocketPair& sockets) {
    const auto key = reinterpret_cast<std::uint64_t>(&reader);
    // Fails only for want of kernel memory; the reader is then silent, which its timeout reports.
    (void)poller_.add(sockets.rtp.fd(), key);
    (void)poller_.add(sockets.rtcp.fd(), key | rtcp_bit);
}

void Shard::unwatch(const SocketPair& sockets) {
    poller_.remove(sockets.rtp.fd());
    poller_.remove(sockets.rtcp.fd());
}

Leg& Shard::adopt(std::unique_ptr<Leg> leg) {
    Leg& adopted = *leg;
    legs_.emplace(&adopted, std::move(leg));
    watch(adopted, adopted.sockets());
    adopted.attach(*this);
    return adopted;
}

std::unique_ptr<Leg> Shard::release(Leg& leg) {
    leg.detach();
    unwatch(leg.sockets());
    auto node = legs_.extract(&leg);
    return std::move(node.mapped());
}

// Closing would not do: between fork and exec a child of ours (System(), #exec) holds the sockets
// too, and the poller would go on to tell of them with the address of a leg that is no more.
void Shard::end(Leg& leg) { release(leg).reset(); }

RelayStream& Shard::adopt(std::unique_ptr<RelayStream> stream) {
    RelayStream& adopted = *stream;
    streams_.emplace(&adopted, std::move(stream));
    watch(adopted, adopted.sockets());
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

void Shard::end(RelayStream& stream) { release(stream).reset(); }

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
