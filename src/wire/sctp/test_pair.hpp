#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "wire/sctp/association.hpp"
#include "wire/sctp/test_clock.hpp"
#include "wire/sctp/test_seal.hpp"

namespace strowger::sctp {

/// Two associations with a link between them that may lose and reorder packets, in virtual time.
class TestPair {
public:
    using Kind = Association::Event::Kind;
    struct Seen {
        Kind kind;
        std::uint16_t stream;
        std::uint32_t protocol;
        bool unordered;
        std::string text;
    };

    explicit TestPair(double loss = 0, std::uint64_t seed = 1,
                      const Association::Config& config = {})
        : loss_(loss), random_(seed) {
        for (auto& side : sides_) side.association = std::make_unique<Association>(config);
    }

    Association& a() { return *sides_[0].association; }
    Association& b() { return *sides_[1].association; }
    std::vector<Seen>& seen_by_a() { return sides_[0].seen; }
    std::vector<Seen>& seen_by_b() { return sides_[1].seen; }
    Time now() const { return now_; }
    std::size_t largest_packet() const { return largest_; }
    const std::vector<std::uint8_t>& first_packet() const { return first_; }

    /// Sees every packet.
    std::function<void(Bytes)> inspect;
    /// Whether this packet of side 0 or 1 gets lost.
    std::function<bool(int, Bytes)> lose;
    /// Reads the events of side 0 or 1 instead of the pair.
    std::function<void(int)> reader;

    void connect() {
        (void)a().connect();
        (void)b().connect();
    }
    /// Lets time pass until `done`; false when `limit` comes first.
    template <typename Done>
    bool run_until(Duration limit, Done done, bool b_reads = true) {
        const Time end = now_ + limit;
        while (!done()) {
            carry(b_reads);
            if (done()) return true;
            if (now_ >= end) return false;
            now_ += Stack::step;
            test_clock += Stack::step;
            Stack::the_process().tick(now_);
        }
        return true;
    }
    void run(Duration duration) {
        run_until(duration, [] { return false; });
    }
    bool both_connected() {
        return a().state() == Association::State::connected &&
               b().state() == Association::State::connected;
    }

private:
    struct Side {
        std::unique_ptr<Association> association;
        std::vector<Seen> seen;
        std::vector<std::vector<std::uint8_t>> on_the_way;
    };

    void carry(bool b_reads) {
        for (std::size_t moved = 1; moved > 0;) {
            moved = 0;
            for (int i = 0; i < 2; ++i) moved += move(i);
            for (int i = 0; i < 2; ++i) {
                if (reader) {
                    reader(i);
                } else if (i == 0 || b_reads) {
                    take(sides_[i]);
                }
            }
        }
    }
    std::size_t move(int side) {
        Side& from = sides_[side];
        Association& to = *sides_[1 - side].association;
        auto& way = from.on_the_way;
        for (Bytes packet = from.association->next_packet(); !packet.empty();
             packet = from.association->next_packet()) {
            largest_ = std::max(largest_, packet.size());
            if (inspect) inspect(packet);
            if (first_.empty()) first_.assign(packet.begin(), packet.end());
            if (random_.between(0, 1) < loss_ || (lose && lose(side, packet))) continue;
            way.emplace_back(packet.begin(), packet.end());
            // With loss comes disorder: now and then a packet overtakes the one before.
            if (loss_ > 0 && way.size() > 1 && random_.below(4) == 0) {
                std::swap(way.back(), way[way.size() - 2]);
            }
        }
        const auto arriving = std::exchange(way, {});
        for (const auto& packet : arriving) to.receive(packet);
        return arriving.size();
    }
    static void take(Side& side) {
        Association::Event event;
        while (side.association->poll(event)) {
            if (event.kind == Kind::streams_reset) {
                for (const auto stream : event.streams) {
                    side.seen.push_back({event.kind, stream, 0, false, {}});
                }
                continue;
            }
            const auto& message = event.message;
            side.seen.push_back({event.kind, message.stream, message.protocol, message.unordered,
                                 std::string(as_text(message.bytes))});
        }
    }

    double loss_;
    Random random_;
    Side sides_[2];
    Time now_{};
    std::size_t largest_ = 0;
    std::vector<std::uint8_t> first_;
};

}  // namespace strowger::sctp
