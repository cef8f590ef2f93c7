#include <cstdlib>
#include <vector>

#include "wire/ice/agent.hpp"
#include "wire/ice/binding.hpp"
#include "wire/stun/builder.hpp"

using namespace strowger;
using namespace strowger::ice;

namespace {

const Credentials ours{"ours", "ourpasswordof22letters"};
const Credentials theirs{"them", "theirpasswordof22lette"};

/// The input, taken bit by bit.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
    bool empty() const { return rest_.empty(); }
    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        const auto first = rest_[0];
        rest_ = rest_.subspan(1);
        return first;
    }
    Bytes bytes() {
        const auto part = rest_.first(std::min<std::size_t>(byte(), rest_.size()));
        rest_ = rest_.subspan(part.size());
        return part;
    }

private:
    Bytes rest_;
};

/// An agent, and a peer that knows its password and does with it what the input says.
class Session {
public:
    explicit Session(Input& input) : input_(input), agent_(config(input.byte()), random_) {
        peer_.set_remote(ours);
        for (SocketId socket = 0; socket < 3; ++socket) {
            const auto port = static_cast<std::uint16_t>(1000 + socket);
            const auto component = static_cast<std::uint16_t>(socket == 2 ? 2 : 1);
            (void)agent_.add_local(
                Candidate::host({IpAddress::v4({192, 0, 2, 1}), port}, component), socket);
        }
    }

    void step() {
        switch (input_.byte() % 12) {
            case 0: agent_.receive({socket(), address(), input_.bytes()}, now_); break;
            case 1:
            case 2: check(); break;
            case 3:
            case 4: answer(); break;
            case 5: now_ += std::chrono::milliseconds(1 << input_.byte() % 16); break;
            case 6: now_ = std::max(now_, std::min(agent_.deadline(), now_ + patience)); break;
            case 7: (void)agent_.set_remote(theirs, input_.byte() % 4 == 0); break;
            case 8:
                (void)agent_.add_remote(Candidate::host(address(), input_.byte() % 3 + 1u));
                break;
            case 9: agent_.end_of_candidates(); break;
            case 10: agent_.restart(ours); break;
            case 11:
                input_.byte() % 8 ? agent_.heard(input_.byte(), now_) : agent_.use_one_component();
        }
        settle();
    }

private:
    static constexpr Duration patience = std::chrono::minutes{1};

    static Agent::Config config(std::uint8_t bits) {
        Agent::Config config;
        config.role = bits & 1 ? Role::controlling : Role::controlled;
        config.lite = bits & 2;
        config.ordinary_checks = bits & 4;
        config.components = bits & 8 ? 2 : 1;
        config.local = ours;
        return config;
    }

    SocketId socket() { return input_.byte() % 4; }
    SocketAddress address() {
        return {IpAddress::v4({198, 51, 100, 1}), static_cast<std::uint16_t>(2000 + input_.byte())};
    }

    /// Attributes of the input's choice, with right integrity.
    void check() {
        std::array<std::uint8_t, 600> buffer;
        const auto from = address();
        stun::Builder out(buffer, stun::Class::request, stun::Method::binding, {{input_.byte()}});
        out.text(stun::AttributeType::username, peer_.username);
        const auto bits = input_.byte();
        if (bits & 1) out.flag(stun::AttributeType::use_candidate);
        if (bits & 2) out.number(stun::AttributeType::priority, bits * 0x01010101u);
        const auto tie_breaker = bits & 4 ? ~std::uint64_t{0} : 0;
        out.long_number(
            bits & 8 ? stun::AttributeType::ice_controlling : stun::AttributeType::ice_controlled,
            tie_breaker);
        if (bits & 16)
            out.attribute(static_cast<stun::AttributeType>(input_.byte()), input_.bytes());
        out.integrity(peer_.remote_key,
                      bits & 32 ? stun::Integrity::sha256 : stun::Integrity::sha1);
        agent_.receive({socket(), from, out.finish()}, now_);
    }

    /// To one of the agent's last checks: well, or as the input says.
    void answer() {
        if (asked_.empty()) return;
        const auto& [socket, to, transaction] = asked_[input_.byte() % asked_.size()];
        std::array<std::uint8_t, 600> buffer;
        const auto bits = input_.byte();
        Bytes bytes;
        if (bits % 4 == 0) {
            constexpr std::uint16_t codes[] = {487, 403, 401, 500};
            bytes = write_refusal(buffer, transaction, codes[bits / 4 % 4], {}, &peer_.local_key,
                                  stun::Integrity::sha1);
        } else {
            bytes = write_answer(buffer, transaction, address(), peer_.local_key,
                                 stun::Integrity::sha1);
        }
        const auto from = bits % 32 == 31 ? address() : to;
        agent_.receive({socket, from, bytes}, now_);
    }

    /// What it sends is well-formed, and it comes to rest.
    void settle() {
        for (int rounds = 0;; ++rounds) {
            agent_.tick(now_);
            drain();
            if (agent_.deadline() > now_) break;
            if (rounds == 10) std::abort();
        }
        if (agent_.check_list().pairs().size() > CheckList::max_pairs) std::abort();
        for (std::uint16_t component = 0; component < 4; ++component) (void)agent_.path(component);
    }

    void drain() {
        Transmit transmit;
        while (agent_.poll(transmit)) {
            const auto message = stun::Message::parse(transmit.bytes());
            if (!message || transmit.to.port == 0) std::abort();
            if (message->message_class() != stun::Class::request) continue;
            if (agent_.lite()) std::abort();
            if (asked_.size() == 16) asked_.erase(asked_.begin());
            asked_.push_back({transmit.socket, transmit.to, message->transaction()});
        }
        Agent::Event event;
        while (agent_.poll(event)) {}
    }

    struct Asked {
        SocketId socket;
        SocketAddress to;
        stun::TransactionId transaction;
    };

    Input& input_;
    Random random_{1};
    Agent agent_;
    Generation peer_{theirs};
    std::vector<Asked> asked_;
    Time now_{};
};

}  // namespace

/// A whole session with a peer that has the password and no manners.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 4096) return 0;
    Input input(data, size);
    Session session(input);
    while (!input.empty()) session.step();
    return 0;
}
