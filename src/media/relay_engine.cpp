#include "media/relay_engine.hpp"

#include <algorithm>
#include <future>

#include "base/log.hpp"
#include "io/clock.hpp"

namespace strowger::media {
namespace {

// More than any sane machine has; a mistyped option must not start thousands of threads.
constexpr unsigned max_threads = 256;

}  // namespace

RelaySide::RelaySide(RelayEngine& engine, Ports& ports, std::unique_ptr<RelayStream> stream,
                     std::shared_ptr<StreamFigures> figures, Place place)
    : engine_(engine),
      ports_(ports),
      stream_(stream.get()),
      figures_(std::move(figures)),
      place_(place) {
    Shard& shard = engine_.shard(*this);
    shard.put([&shard, stream = std::move(stream)]() mutable { shard.adopt(std::move(stream)); });
}

RelaySide::~RelaySide() {
    *self_ = nullptr;
    Shard& shard = engine_.shard(*this);
    shard.put([&shard, stream = stream_, &engine = engine_, &ports = ports_, place = place_] {
        engine.mailbox_.put([&engine, &ports,
                             kept = Ports::Kept{.sockets = shard.end(*stream),
                                                .address = place.address,
                                                .tos = place.tos,
                                                .home = place.home}]() mutable {
            engine.take_back(std::move(kept), ports);
        });
    });
    // A browser is told, and who is in our own RTCP sessions.
    if (has_path_ || (reporting_ && reporting_->generate)) shard.hurry();
}

void RelaySide::hurry(Work work) {
    Shard& shard = engine_.shard(*this);
    shard.put(std::move(work));
    shard.hurry();
}

void RelaySide::aim(RelayStream::Place place) {
    engine_.shard(*this).put([stream = stream_, place] { stream->aim(place); });
    // Connected to where it heard somebody, the socket is deaf to who sends from elsewhere now.
    if (figures_->last_rtp.get() != 0) engine_.shard(*this).hurry();
}

void RelaySide::pierce() {
    hurry([stream = stream_] { stream->pierce(); });
}

Result<> RelaySide::set_receiving_key(std::optional<Key> key) {
    if (key == receiving_) return {};
    std::unique_ptr<srtp::Receiver> receiver;
    if (key) {
        auto made = srtp::Receiver::make(key->policy, key->keys);
        if (!made) return std::unexpected(made.error());
        receiver = std::make_unique<srtp::Receiver>(std::move(*made));
    }
    receiving_ = std::move(key);
    engine_.shard(*this).put([stream = stream_, receiver = std::move(receiver)]() mutable {
        stream->set_receiving_key(std::move(receiver));
    });
    return {};
}

Result<> RelaySide::set_sending_key(std::optional<Key> key) {
    if (key == sending_) return {};
    std::unique_ptr<srtp::Sender> sender;
    if (key) {
        // What a party retransmits goes through as often as it comes, and is the same packet.
        auto made =
            srtp::Sender::make(key->policy, key->keys.front(), srtp::Sender::Repeats::allowed);
        if (!made) return std::unexpected(made.error());
        sender = std::make_unique<srtp::Sender>(std::move(*made));
    }
    sending_ = std::move(key);
    engine_.shard(*this).put([stream = stream_, sender = std::move(sender)]() mutable {
        stream->set_sending_key(std::move(sender));
    });
    return {};
}

void RelaySide::inherit(RelaySide& before) {
    receiving_ = before.receiving_;
    sending_ = before.sending_;
    reporting_ = before.reporting_;
    engine_.shard(*this).put([stream = stream_, old = before.stream_] { stream->inherit(*old); });
}

void RelaySide::begin_path(RelayPath::Start start) {
    has_path_ = true;
    hurry([stream = stream_, figures = figures_, start = std::move(start)] {
        stream->set_path(std::make_unique<RelayPath>(start, stream->transport_for_path(), figures));
    });
}

void RelaySide::end_path() {
    hurry([stream = stream_] { stream->set_path(nullptr); });
}

void RelaySide::borrow(std::vector<RelaySide*> lenders) {
    if (lenders_.empty() && lenders.empty()) return;
    lenders_ = std::move(lenders);
    std::vector<RelayStream*> streams;
    for (const RelaySide* lender : lenders_) streams.push_back(lender->stream_);
    engine_.shard(*this).put([stream = stream_, streams = std::move(streams)]() mutable {
        stream->borrow(std::move(streams));
    });
}

void RelaySide::set_peer(WebrtcPeer peer) {
    hurry([stream = stream_, peer = std::move(peer)] {
        if (auto* path = stream->path()) path->set_peer(peer);
    });
}

void RelaySide::restart(ice::Credentials local, WebrtcPeer peer) {
    hurry([stream = stream_, local = std::move(local), peer = std::move(peer)] {
        if (auto* path = stream->path()) path->restart(local, peer);
    });
}

void RelaySide::add_candidates(std::vector<ice::Candidate> candidates, bool last) {
    hurry([stream = stream_, candidates = std::move(candidates), last] {
        if (auto* path = stream->path()) path->add_candidates(candidates, last);
    });
}

void RelaySide::use_one_component() {
    hurry([stream = stream_] {
        if (auto* path = stream->path()) path->use_one_component();
    });
}

void RelaySide::carry(const std::vector<Rider>& riders) {
    std::vector<RelayStream::Rider> streams;
    for (const auto& rider : riders)
        streams.push_back({rider.side->stream_, rider.mid_extension, rider.mid, rider.types});
    engine_.shard(*this).put([stream = stream_, streams = std::move(streams)]() mutable {
        stream->carry(std::move(streams));
    });
}

void RelaySide::gate(std::optional<RelayStream::Gate> gate) {
    auto made = gate ? std::make_unique<RelayStream::Gate>(*gate) : nullptr;
    engine_.shard(*this).put(
        [stream = stream_, made = std::move(made)]() mutable { stream->gate(std::move(made)); });
}

void RelaySide::report(const std::optional<OwnReports::Settings>& settings) {
    if (settings == reporting_) return;
    reporting_ = settings;
    engine_.shard(*this).put([stream = stream_, settings] { stream->report(settings); });
}

void RelaySide::hold(const std::optional<RelayStream::Hold>& hold) {
    if (hold == held_) return;
    const bool fresh = hold && (!held_ || held_->settings != hold->settings);
    held_ = hold;
    engine_.shard(*this).put(
        [stream = stream_, hold,
         buffer = fresh ? std::make_unique<JitterBuffer>(hold->settings) : nullptr]() mutable {
            stream->hold(hold ? &*hold : nullptr, std::move(buffer));
        });
}

void RelaySide::feed(std::vector<Sink> sinks) {
    std::vector<RelayStream::Sink> streams;
    std::vector<Planned> planned;
    for (auto& sink : sinks) {
        auto& stream = streams.emplace_back(RelayStream::Sink{.stream = sink.side->stream_,
                                                              .terms = sink.terms,
                                                              .silent = sink.silent,
                                                              .rtcp_only = sink.rtcp_only});
        stream.terms.listening = engine_.judges_listening_;
        if (!sink.plan) continue;
        const auto before = std::ranges::find_if(planned_, [&](const Planned& one) {
            return one.side == sink.side && one.plan == *sink.plan;
        });
        stream.recoding = before != planned_.end() ? before->recoding
                                                   : std::make_shared<Recoding>(
                                                         *sink.plan, engine_.random_,
                                                         engine_.lane_for(*sink.plan, place_.home));
        planned.push_back({sink.side, std::move(*sink.plan), stream.recoding});
    }
    planned_ = std::move(planned);
    engine_.shard(*this).put([stream = stream_, streams = std::move(streams)]() mutable {
        stream->feed(std::move(streams));
    });
}

Result<> RelaySide::tap(std::optional<Tap> tap) {
    if (tap == tap_) return {};
    std::unique_ptr<RelayStream::Tap> made;
    if (tap) {
        made = std::make_unique<RelayStream::Tap>(
            RelayStream::Tap{.ring = engine_.rings()[place_.home].get(),
                             .recording = tap->recording,
                             .stream = tap->stream,
                             .ingress = tap->ingress,
                             .egress = tap->egress,
                             .forwarded_only = tap->forwarded_only});
        if (tap->key) {
            auto key = srtp::Receiver::make(tap->key->policy, tap->key->keys);
            if (!key) return std::unexpected(key.error());
            made->key = std::make_unique<srtp::Receiver>(std::move(*key));
        }
    }
    tap_ = std::move(tap);
    engine_.shard(*this).put(
        [stream = stream_, made = std::move(made)]() mutable { stream->tap(std::move(made)); });
    return {};
}

void RelaySide::play(Player::Sounds from, std::vector<std::string> paths,
                     StreamSpeaker::Voice voice) {
    const auto turn = ++plays_;
    auto work = [&mailbox = engine_.mailbox_, self = self_, from = std::move(from),
                 paths = std::move(paths), voice, turn](Disk& disk) mutable {
        for (const auto& path : paths) {
            auto sound = disk.load(path);
            if (!sound) {
                LOG_WARNING((log::About{"relay"}), "cannot play: {}", sound.error().text());
                return;
            }
            from.sounds.push_back(std::move(*sound));
        }
        mailbox.post([self = std::move(self), from = std::move(from), voice, turn]() mutable {
            RelaySide* side = *self;
            if (!side || side->plays_ != turn) return;
            side->play(std::make_unique<Player>(std::move(from)), voice);
            side->engine_.flush();
        });
    };
    if (!engine_.disk_) engine_.disk_ = std::make_unique<Disk>(RelayEngine::sound_cache);
    engine_.disk_->post(std::move(work));
}

void RelaySide::play(std::unique_ptr<Player> player, StreamSpeaker::Voice voice) {
    ++plays_;
    hurry([stream = stream_, player = std::move(player), voice]() mutable {
        stream->play(std::move(player), voice);
    });
}

void RelaySide::stop_playing() {
    ++plays_;
    hurry([stream = stream_] { stream->stop_playing(); });
}

void RelaySide::press(StreamSpeaker::Keys keys) {
    hurry([stream = stream_, keys = std::move(keys)] { stream->press(keys); });
}

RelayEngine::RelayEngine(unsigned threads, unsigned transcoders) {
    threads = std::clamp(threads, 1U, max_threads);
    for (unsigned i = 0; i < std::min(transcoders, max_threads); ++i)
        transcoders_.push_back(std::make_unique<Transcoder>(threads));
    for (unsigned i = 0; i < threads; ++i)
        shards_.push_back(
            std::make_unique<Shard>([](std::uint64_t, const Event&) {}, random_.next()));
}

RelayEngine::~RelayEngine() {
    disk_.reset();
    for (const auto& transcoder : transcoders_) transcoder->stop();
    shards_.clear();
    dispatch();
}

// The least busy of the few that a media thread gives to; null: it does that itself.
RecodingLane* RelayEngine::lane_for(const Recoder::Plan& plan, std::size_t home) {
    if (transcoders_.empty() || !plan.makes_sound()) return nullptr;
    Transcoder* best = nullptr;
    const std::size_t choice = std::min(transcoders_.size(), Transcoder::max_of_a_thread);
    for (std::size_t i = 0; i < choice; ++i) {
        Transcoder* const one = transcoders_[(home + i) % transcoders_.size()].get();
        if (!best || one->directions() < best->directions()) best = one;
    }
    return &best->lane(home, shards_[home]->bell());
}

std::size_t RelayEngine::transcoded_directions() const {
    std::size_t sum = 0;
    for (const auto& transcoder : transcoders_) sum += transcoder->directions();
    return sum;
}

std::uint64_t RelayEngine::transcoding_dropped() const {
    std::uint64_t sum = 0;
    for (const auto& transcoder : transcoders_) sum += transcoder->dropped();
    return sum;
}

void RelayEngine::dispatch() {
    mailbox_.acknowledge();
    collect();
}

void RelayEngine::collect() {
    while (auto work = mailbox_.take()) (*work)();
}

void RelayEngine::take_back(Ports::Kept kept, Ports& ports) {
    if (ports.keeps_more())
        ports.keep(std::move(kept));
    else
        close(std::move(kept), ports);
}

void RelayEngine::close(Ports::Kept kept, Ports& ports) {
    const std::uint16_t port = kept.sockets.port;
    if (shards_.empty()) return ports.give_back(port);
    Shard& shard = *shards_[kept.home];
    shard.put(
        [&shard, &mailbox = mailbox_, &ports, port, sockets = std::move(kept.sockets)]() mutable {
            shard.unwatch(sockets);
            sockets = {};
            mailbox.put([&ports, port] { ports.give_back(port); });
        });
}

// Everything that no call needs is closed, now.
void RelayEngine::reclaim(Ports& ports) {
    settle();
    while (auto kept = ports.drop_kept()) close(std::move(*kept), ports);
    for (Ports* rival : ports.rivals())
        while (auto kept = rival->drop_kept()) close(std::move(*kept), *rival);
    settle();
}

Result<std::unique_ptr<RelaySide>> RelayEngine::open(std::size_t home, Ports& ports,
                                                     const IpAddress& bind, int tos) {
    collect();
    auto kept = ports.take_kept(bind, tos, home, random_);
    if (kept && Ports::disturbed(*kept, io::monotonic_now())) {
        close(std::move(*kept), ports);
        kept.reset();
    }
    auto sockets = kept ? Result<SocketPair>(std::move(kept->sockets)) : ports.open(bind, tos);
    if (!sockets) {  // for want of ports, or of descriptors
        reclaim(ports);
        sockets = ports.open(bind, tos);
    }
    if (!sockets) return std::unexpected(sockets.error());
    if (!sockets->watched) shards_[home]->watch(*sockets);
    const RelaySide::Place place{bind, tos, sockets->port, home};
    auto figures = std::make_shared<StreamFigures>();
    auto stream = std::make_unique<RelayStream>(std::move(*sockets), figures);
    return std::unique_ptr<RelaySide>(
        new RelaySide(*this, ports, std::move(stream), std::move(figures), place));
}

void RelayEngine::move(RelaySide& side, std::size_t home) {
    if (side.place_.home == home) return;
    // First: what comes to them must find the path on their own thread.
    for (RelaySide* lender : side.lenders_) move(*lender, home);
    std::promise<std::unique_ptr<RelayStream>> promise;
    auto stream = promise.get_future();
    Shard& from = shard(side);
    from.post([&] { promise.set_value(from.release(*side.stream_)); });
    side.place_.home = home;
    side.tap_.reset();
    side.planned_.clear();
    shard(side).post(
        [&to = shard(side), stream = stream.get()]() mutable { to.adopt(std::move(stream)); });
    if (!side.lenders_.empty()) side.borrow(side.lenders_);
}

const std::vector<std::unique_ptr<PacketRing>>& RelayEngine::rings() {
    while (rings_.size() < shards_.size()) rings_.push_back(std::make_unique<PacketRing>());
    return rings_;
}

// What was asked of the threads has been done, and ports that they have given up are here.
void RelayEngine::settle() {
    for (const auto& shard : shards_) {
        if (shard->waiting() == 0) continue;
        std::promise<void> done;
        shard->put([&done] { done.set_value(); });
        shard->wake();
        done.get_future().wait();
    }
    collect();
}

void RelayEngine::flush() {
    for (const auto& shard : shards_)
        if (shard->hurried() || shard->waiting() >= max_waiting) shard->wake();
}

void RelayEngine::sweep() {
    for (const auto& shard : shards_) shard->wake();
    collect();
}

}  // namespace strowger::media
