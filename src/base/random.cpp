#include "base/random.hpp"

#include <bit>
#include <random>
#include <string_view>

namespace strowger {

namespace {

std::uint64_t splitmix64(std::uint64_t& x) {
    std::uint64_t z = (x += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

}  // namespace

Random::Random(std::uint64_t seed) {
    for (auto& word : state_) word = splitmix64(seed);
}

Random Random::system() {
    std::random_device device;
    Random random{0};
    for (auto& word : random.state_) word = (std::uint64_t{device()} << 32) | device();
    return random;
}

std::uint64_t Random::next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::uint64_t Random::below(std::uint64_t bound) {
    // Multiply-shift on 32 bits where they suffice; the bias is below 2^-32 for the bounds in use.
    if (bound <= 0xffffffffULL) return (next() >> 32) * bound >> 32;
    return next() % bound;
}

double Random::between(double low, double high) {
    return low + (high - low) * static_cast<double>(next() >> 11) * 0x1.0p-53;
}

std::string Random::token(std::size_t length) {
    static constexpr std::string_view alphabet =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    std::string text(length, '0');
    for (auto& c : text) c = alphabet[below(alphabet.size())];
    return text;
}

}  // namespace strowger
