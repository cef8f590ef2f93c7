#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "io/mailbox.hpp"
#include "io/poller.hpp"
#include "media/doorbell.hpp"
#include "media/engine.hpp"
#include "media/leg.hpp"
#include "media/mix.hpp"
#include "media/relay_stream.hpp"
#include "media/timers.hpp"
#include "media/transcoder.hpp"

namespace strowger::media {

/// Work for another thread: a message that carries its own handling.
using Work = std::move_only_function<void()>;

/// One media thread with its legs, sockets and timers. Nothing in it is shared: others post work.
///
/// A round: posted work, if there is any when it wakes, for whatever reason; then packets of all
/// ready sockets, then timers. So a packet finds done what was asked for before it came.
///
/// What transcoders give back is sent at the end of each round.
class Shard {
public:
    /// `tell` is called on the shard's thread with what happened to a leg, or (0) to a mix.
    using Tell = std::function<void(std::uint64_t leg, Event event)>;

    Shard(Tell tell, std::uint64_t seed);
    ~Shard();  ///< stops the thread; its legs go with it

    /// From any thread.
    void post(Work work) { mailbox_.post(std::move(work)); }

    /// From the engine's owner alone: work that is noticed with the next `wake`, or before the next
    /// packet.
    void put(Work work) {
        mailbox_.put(std::move(work));
        ++waiting_;
    }
    void wake() {
        hurried_ = false;
        if (std::exchange(waiting_, 0) > 0) mailbox_.wake();
    }
    std::size_t waiting() const { return waiting_; }  ///< put since the last `wake`
    /// What was put is not to wait for a packet. Asked for until the next `wake`.
    void hurry() { hurried_ = true; }
    bool hurried() const { return hurried_; }

    /// From any thread: tells of packets at these sockets from now on, which must not be watched
    /// yet; until a reader comes they are thrown away.
    void watch(SocketPair& sockets);

    // From here on: on the shard's thread.
    Leg& adopt(std::unique_ptr<Leg> leg);
    std::unique_ptr<Leg> release(Leg& leg);
    void end(Leg& leg);  ///< as `release`, and its sockets are closed
    RelayStream& adopt(std::unique_ptr<RelayStream> stream);
    std::unique_ptr<RelayStream> release(RelayStream& stream);  ///< it feeds nobody any more
    /// Gives its sockets back, still watched: what comes there is thrown away.
    SocketPair end(RelayStream& stream);
    /// What stands for sockets that are about to be closed.
    void unwatch(SocketPair& sockets);
    void adopt(std::unique_ptr<Mix> mix);
    void end(Mix& mix);

    /// One more transcoder of this thread's.
    void adopt(RecodingLane& lane);
    Doorbell& bell() { return bell_; }  ///< for transcoders

    Time now() const { return now_; }
    Timers& timers() { return timers_; }
    Random& random() { return random_; }
    const std::string& cname() const { return cname_; }
    void tell(std::uint64_t leg, Event event) { tell_(leg, std::move(event)); }

    // Larger than any packet that fits an Ethernet frame; longer datagrams are cut and then
    // refused.
    static constexpr std::size_t max_packet = 2048;
    /// Scratch of the packet being handled.
    MutableBytes buffer() { return buffer_; }
    /// Scratch of the packet being made from it.
    MutableBytes second_buffer() { return second_buffer_; }

private:
    void run();
    void do_work();
    void set_reader(SocketPair& sockets, Readable& reader);
    void watch_streams(Time now);
    bool anything_recoded();
    void send_recoded();

    Tell tell_;
    Random random_;
    std::string cname_;
    io::Mailbox<Work> mailbox_;
    io::Poller poller_;
    Timers timers_;
    std::unordered_map<Leg*, std::unique_ptr<Leg>> legs_;
    std::unordered_map<Mix*, std::unique_ptr<Mix>> mixes_;
    std::unordered_map<RelayStream*, std::unique_ptr<RelayStream>> streams_;
    std::vector<RecodingLane*> lanes_;
    Doorbell bell_;
    Timer stream_timer_{[this](Time now) { watch_streams(now); }};
    std::array<std::uint8_t, max_packet> buffer_;
    std::array<std::uint8_t, max_packet> second_buffer_;
    Time now_{};
    bool stopping_ = false;
    std::vector<std::unique_ptr<Watched>> unwatched_;  ///< events of this round may tell of them
    std::size_t waiting_ = 0;                          ///< the engine owner's, as the next
    bool hurried_ = false;
    std::thread thread_;
};

}  // namespace strowger::media
