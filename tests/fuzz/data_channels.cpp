#include <algorithm>
#include <cstdlib>
#include <vector>

#include "wire/datachannel/channels.hpp"
#include "wire/sctp/test_gettimeofday.hpp"
#include "wire/sctp/test_pair.hpp"

using namespace strowger;
using datachannel::Channels;

namespace {

constexpr std::size_t max_packets = 64;

/// Packets between the two, until neither has any; those that the input wants changed are.
class Link {
public:
    Link(sctp::Association& a, sctp::Association& b, Bytes input) : a_(a), b_(b), input_(input) {}

    void carry() {
        for (std::size_t i = 0; i < max_packets; ++i) {
            if (!move(a_, b_) && !move(b_, a_)) break;
        }
    }
    Bytes rest() const { return input_; }

private:
    bool move(sctp::Association& from, sctp::Association& to) {
        const Bytes packet = from.next_packet();
        if (packet.empty()) return false;
        std::vector<std::uint8_t> copy(packet.begin(), packet.end());
        if (input_.size() >= 3) {
            // One packet in four or so is damaged behind its header; its checksum is made right
            // again.
            const auto how = input_[0];
            if (how % 4 == 0 && copy.size() > 12) {
                copy[12 + input_[1] % (copy.size() - 12)] = input_[2];
                sctp::seal(copy);
            }
            input_ = input_.subspan(3);
        }
        to.receive(copy);
        return true;
    }
    sctp::Association& a_;
    sctp::Association& b_;
    Bytes input_;
};

}  // namespace

/// A session whose packets and messages are partly the input's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 4096) return 0;
    static Time now{};
    auto& stack = sctp::Stack::the_process();
    sctp::Association a({}), b({});
    Channels ours(a, {}), theirs(b, {.role = Channels::DtlsRole::server});
    if (!a.connect() || !b.connect()) std::abort();
    Link link(a, b, {data, size});
    (void)ours.open({.label = "x"});
    for (int round = 0; round < 8; ++round) {
        link.carry();
        Channels::Event event;
        while (ours.poll(event)) {
            if (event.kind == Channels::Event::Kind::message) ours.close(event.channel);
        }
        while (theirs.poll(event)) {
            if (event.kind == Channels::Event::Kind::message) {
                (void)theirs.send(event.channel, event.text, event.bytes);
            }
        }
        if (theirs.size() > Channels::max_channels) std::abort();
        const Bytes rest = link.rest();
        const auto part = rest.first(std::min<std::size_t>(rest.size(), 64));
        if (!part.empty())
            (void)a.send(part[0] % 8, 50 + part[0] % 8, part.subspan(part.size() > 1));
        now += sctp::Stack::step * 30;
        sctp::test_clock = now;
        stack.tick(now);
    }
    return 0;
}
