#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>

namespace strowger::srtp {

/// Which of the last `Size` indexes have been (RFC 3711 section 3.3.2), kept as a ring of words of
/// which one is always being emptied (RFC 6479), so that moving on never shifts.
template <std::size_t Size>
class ReplayWindow {
public:
    enum class Verdict : std::uint8_t { fresh, seen, too_old };

    std::optional<std::uint64_t> highest() const {
        return any_ ? std::optional(highest_) : std::nullopt;
    }

    Verdict check(std::uint64_t index) const {
        if (!any_ || index > highest_) return Verdict::fresh;
        if (highest_ - index >= Size) return Verdict::too_old;
        return (word(index) & bit(index)) != 0 ? Verdict::seen : Verdict::fresh;
    }

    void accept(std::uint64_t index) {
        if (!any_ || index > highest_) advance(index);
        if (highest_ - index < Size) word(index) |= bit(index);
    }

    /// As if everything up to `index` had been, for a state that was kept without its window.
    void resume_after(std::uint64_t index) {
        words_.fill(~std::uint64_t{0});
        // Bits behind the highest in its own word stand for indexes yet to come.
        word(index) = bit(index) | (bit(index) - 1);
        highest_ = index;
        any_ = true;
    }

private:
    static_assert(std::has_single_bit(Size) && Size >= 64);
    static constexpr std::size_t words = Size / 64 + 1;

    std::uint64_t& word(std::uint64_t index) { return words_[(index / 64) % words]; }
    const std::uint64_t& word(std::uint64_t index) const { return words_[(index / 64) % words]; }
    static std::uint64_t bit(std::uint64_t index) { return std::uint64_t{1} << (index % 64); }

    void advance(std::uint64_t index) {
        const std::uint64_t from = any_ ? highest_ / 64 : 0;
        const std::uint64_t steps =
            any_ ? std::min<std::uint64_t>(index / 64 - from, words) : words;
        for (std::uint64_t i = 0; i < steps; ++i) words_[(index / 64 - i) % words] = 0;
        highest_ = index;
        any_ = true;
    }

    std::array<std::uint64_t, words> words_{};
    std::uint64_t highest_ = 0;
    bool any_ = false;
};

}  // namespace strowger::srtp
