#include <cstdlib>
#include <vector>

#include "wire/srtp/receiver.hpp"
#include "wire/srtp/sender.hpp"

using namespace strowger;
using namespace strowger::srtp;

namespace {

std::vector<IdentifiedKey> keys_of(Suite suite, std::size_t mki_size) {
    static const std::vector<std::uint8_t> zeros(max_key_size + max_salt_size);
    const auto& info = info_of(suite);
    const auto size = std::size_t{info.key_size} + info.salt_size;
    std::vector<IdentifiedKey> keys(
        mki_size > 0 ? 2 : 1,
        {.master = MasterKey::from(suite, Bytes(zeros).first(size)).value(), .mki = {}});
    for (std::size_t i = 0; i < keys.size(); ++i) {
        keys[i].mki.resize(mki_size, static_cast<std::uint8_t>(i));
    }
    return keys;
}

/// What the sender makes of a packet, the receiver must make the packet of again. Without
/// authentication it cannot know that it has guessed a wrong rollover counter (RFC 3711 section
/// 3.3.1), after a jump of sequence numbers that the fuzzer chose.
void round_trip(Sender& sender, Receiver& receiver, const std::vector<std::uint8_t>& plain,
                bool rtcp, bool authentic) {
    auto packet = plain;
    packet.resize(plain.size() + sender.headroom());
    const auto made =
        rtcp ? sender.protect_rtcp(packet, plain.size()) : sender.protect(packet, plain.size());
    if (!made) return;
    packet.resize(*made);
    const auto read = rtcp ? receiver.unprotect_rtcp(packet) : receiver.unprotect(packet);
    // Another packet of the fuzzer's may have moved the receiver's window on before.
    if (!read && read.error() != Fault::replayed && read.error() != Fault::too_old &&
        read.error() != Fault::not_authentic && read.error() != Fault::too_many_streams) {
        std::abort();
    }
    if (!read) return;
    packet.resize(*read);
    if (packet != plain && authentic) std::abort();
}

}  // namespace

/// Suite and session parameters, then packets after two bytes of length and one of what to do.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    const Policy policy{.suite = suites[data[0] % suites.size()].suite,
                        .encrypt_rtp = (data[1] & 1) == 0,
                        .encrypt_rtcp = (data[1] & 2) == 0,
                        .authenticate_rtp = (data[1] & 4) == 0};
    const auto keys = keys_of(policy.suite, data[2] % 5);
    auto sender =
        Sender::make(policy, keys.back(),
                     (data[1] & 8) != 0 ? Sender::Repeats::allowed : Sender::Repeats::refused);
    auto receiver = Receiver::make(policy, keys);
    if (sender.has_value() != receiver.has_value()) std::abort();
    if (!sender) return 0;
    Bytes rest{data + 3, size - 3};
    while (rest.size() > 3) {
        const std::size_t length = std::min<std::size_t>(load16(rest, 0), rest.size() - 3);
        const std::uint8_t what = rest[2];
        std::vector<std::uint8_t> bytes(rest.begin() + 3,
                                        rest.begin() + 3 + static_cast<std::ptrdiff_t>(length));
        rest = rest.subspan(3 + length);
        switch (what % 5) {
            case 0: (void)receiver->unprotect(bytes); break;
            case 1: (void)receiver->unprotect_rtcp(bytes); break;
            case 2: round_trip(*sender, *receiver, bytes, false, policy.authenticate_rtp); break;
            case 3: round_trip(*sender, *receiver, bytes, true, true); break;
            default:
                for (const auto& state : sender->states()) {
                    if (!sender->resume(state) || !receiver->resume(state)) break;
                }
        }
    }
    if (receiver->states().size() > max_streams) std::abort();
    return 0;
}
