#include "wire/sip/keyed_hash.hpp"

#include <bit>
#include <cstring>

namespace strowger::sip {
namespace {

struct SipState {
    std::uint64_t v0, v1, v2, v3;

    void rounds(int count) {
        while (count-- > 0) {
            v0 += v1;
            v1 = std::rotl(v1, 13) ^ v0;
            v0 = std::rotl(v0, 32);
            v2 += v3;
            v3 = std::rotl(v3, 16) ^ v2;
            v0 += v3;
            v3 = std::rotl(v3, 21) ^ v0;
            v2 += v1;
            v1 = std::rotl(v1, 17) ^ v2;
            v2 = std::rotl(v2, 32);
        }
    }
    void absorb(std::uint64_t word) {
        v3 ^= word;
        rounds(2);
        v0 ^= word;
    }
};

}  // namespace

std::uint64_t keyed_hash(const std::array<std::uint64_t, 2>& key, std::string_view text) {
    // The constants spell "somepseudorandomlygeneratedbytes".
    SipState state{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                   key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + at, 8);  // little-endian, as all our machines are
        state.absorb(word);
    }
    std::uint64_t last = std::uint64_t{text.size()} << 56;
    for (int shift = 0; at < text.size(); ++at, shift += 8) {
        last |= std::uint64_t{static_cast<std::uint8_t>(text[at])} << shift;
    }
    state.absorb(last);
    state.v2 ^= 0xff;
    state.rounds(4);
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace strowger::sip
