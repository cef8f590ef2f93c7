#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "media/g711.hpp"

namespace strowger::media {

/// Tones in the syntax of indications.conf: elements separated by commas (or '&' or '|'), each
/// `[!]f[+f...][*g][/ms]`. `+` adds frequencies, `*` modulates the amplitude of f by g;
/// no `/ms` means for ever; 0 is silence. Elements with `!` sound once, the
/// others then repeat. The phase runs on between chunks and between elements of the same frequency.
class ToneGenerator {
public:
    static constexpr std::size_t max_elements = 64;    ///< real zones use up to 20
    static constexpr std::size_t max_frequencies = 4;  ///< added up in one element
    static constexpr std::uint32_t max_ms = 3600000;   ///< an hour
    static constexpr double default_level = -13;       ///< dBm0 of each frequency

    static Result<ToneGenerator> parse(std::string_view spec, double level_dbm = default_level);

    /// Fills samples; fewer only when nothing is left to sound (a spec of `!` elements only).
    std::size_t generate(std::span<Sample> out);
    bool finished() const { return at_ >= elements_.size(); }
    void rewind();

private:
    struct Element {
        double frequencies[max_frequencies] = {};
        std::size_t count = 0;
        double modulator = 0;
        bool once = false;
        std::uint64_t samples = 0;  ///< 0: for ever
    };
    void advance();

    std::vector<Element> elements_;
    double amplitude_ = 0;
    std::size_t at_ = 0;
    std::uint64_t in_element_ = 0;
    std::uint64_t clock_ = 0;  // samples since the start; sines are functions of it
};

/// Peak amplitude of a sine at that level: 3.14 dBm0 is full scale (G.711 table, µ-law 3.17).
double amplitude_of(double level_dbm);

/// The two frequencies of a key in hertz; {0, 0} for what is none.
struct DtmfPair {
    int low, high;
};
DtmfPair dtmf_pair(char digit);

/// Digits as sound (Q.23): each `on` long with `off` of silence after it.
class DtmfGenerator {
public:
    static constexpr std::size_t max_digits = 256;
    static constexpr double low_level = -9,
                            high_level = -7;  ///< dBm0; high group 2 dB up, Q.24 Europe

    static Result<DtmfGenerator> make(std::string_view digits, Duration on, Duration off);
    std::size_t generate(std::span<Sample> out);  ///< fewer than asked at the end
    bool finished() const { return at_ >= digits_.size(); }

private:
    std::string digits_;
    std::uint64_t on_ = 0, off_ = 0, in_digit_ = 0;
    std::size_t at_ = 0;
};

}  // namespace strowger::media
