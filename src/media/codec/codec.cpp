#include "media/codec/codec.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "media/codec/made.hpp"

namespace strowger::codec {
namespace {

// AMR in frames with checksums, sorted by sensitivity or interleaved (RFC 4867 section 4.4) has
// never been met; such a codec is not supported.
bool is_plain_amr(const sdp::Codec& codec) {
    for (const auto name : {"crc", "robust-sorting"})
        if (sdp::fmtp_value(codec.fmtp, name).value_or("0") != "0") return false;
    return !sdp::fmtp_value(codec.fmtp, "interleaving");
}

bool is_octet_aligned(const sdp::Codec& codec) {
    return sdp::fmtp_value(codec.fmtp, "octet-align").value_or("0") == "1";
}

using Rate = std::uint32_t;

struct Entry {
    Listed listed;
    Rate native_rate;
    std::unique_ptr<Decoder> (*decoder)(const sdp::Codec&, Rate wanted);
    std::unique_ptr<Encoder> (*encoder)(const sdp::Codec&, Rate wanted);  ///< null: only heard
    bool (*installed)() = nullptr;  ///< whether its library is there; null: it always is
};

using Dec = std::unique_ptr<Decoder>;
using Enc = std::unique_ptr<Encoder>;

template <unsigned bits, bool aal2>
constexpr Entry g726(std::string_view name) {
    return {{name, 8000, 1},
            8000,
            [](const sdp::Codec&, Rate) -> Dec { return g726_decoder(bits, aal2); },
            [](const sdp::Codec&, Rate) -> Enc { return g726_encoder(bits, aal2); }};
}

template <media::g711::Law law>
constexpr Entry g711(std::string_view name) {
    return {{name, 8000, 1},
            8000,
            [](const sdp::Codec&, Rate) -> Dec { return g711_decoder(law); },
            [](const sdp::Codec&, Rate) -> Enc { return g711_encoder(law); }};
}

constexpr Entry linear(Rate rate, std::uint8_t channels) {
    return {
        {"L16", rate, channels},
        rate,
        [](const sdp::Codec& c, Rate) -> Dec { return linear_decoder(c.clock_rate, c.channels); },
        [](const sdp::Codec& c, Rate) -> Enc { return linear_encoder(c.clock_rate, c.channels); }};
}

constexpr Entry speex(Rate rate) {
    return {{"speex", rate, 1},
            rate,
            [](const sdp::Codec& c, Rate) -> Dec { return speex_decoder(c.clock_rate); },
            [](const sdp::Codec& c, Rate) -> Enc { return speex_encoder(c.clock_rate); }};
}

constexpr Entry amr(std::string_view name, bool wideband) {
    return {{name, wideband ? 16000U : 8000U, 1},
            wideband ? 16000U : 8000U,
            [](const sdp::Codec& c, Rate) -> Dec {
                if (!is_plain_amr(c)) return nullptr;
                return amr_decoder(c.clock_rate == 16000, is_octet_aligned(c));
            },
            [](const sdp::Codec& c, Rate) -> Enc {
                if (!is_plain_amr(c)) return nullptr;
                return amr_encoder(c.clock_rate == 16000, c.fmtp);
            }};
}

constexpr std::array entries{
    g711<media::g711::Law::mu>("PCMU"),
    g711<media::g711::Law::a>("PCMA"),
    // RFC 3551's clock rate for G.722 is 8000, whatever it samples at (section 4.5.2).
    Entry{{"G722", 8000, 1},
          16000,
          [](const sdp::Codec&, Rate) { return g722_decoder(); },
          [](const sdp::Codec&, Rate) { return g722_encoder(); }},
    Entry{{"opus", 48000, 2},
          48000,
          [](const sdp::Codec&, Rate wanted) { return opus_decoder(wanted); },
          [](const sdp::Codec& c, Rate wanted) { return opus_encoder(wanted, c.fmtp); }},
    Entry{{"GSM", 8000, 1},
          8000,
          [](const sdp::Codec&, Rate) { return gsm_decoder(); },
          [](const sdp::Codec&, Rate) { return gsm_encoder(); }},
    Entry{{"G729", 8000, 1},
          8000,
          [](const sdp::Codec&, Rate) { return g729_decoder(); },
          [](const sdp::Codec&, Rate) { return g729_encoder(); }},
    speex(8000),
    speex(16000),
    speex(32000),
    g726<4, false>("G726-32"),
    g726<4, true>("AAL2-G726-32"),
    g726<2, false>("G726-16"),
    g726<3, false>("G726-24"),
    g726<5, false>("G726-40"),
    amr("AMR", false),
    amr("AMR-WB", true),
    Entry{{"G723", 8000, 1},
          8000,
          [](const sdp::Codec&, Rate) { return g723_decoder(); },
          [](const sdp::Codec&, Rate) { return g723_encoder(); },
          has_g723},
    Entry{{"iLBC", 8000, 1},
          8000,
          [](const sdp::Codec& c, Rate) {
              return ilbc_decoder(sdp::fmtp_value(c.fmtp, "mode").value_or("30") == "20");
          },
          nullptr,
          has_ilbc},
    linear(8000, 1),
    linear(16000, 1),
    linear(32000, 1),
    linear(44100, 1),
    linear(48000, 1),
    linear(8000, 2),
    linear(16000, 2),
    linear(44100, 2),
    linear(48000, 2),
};

constexpr auto listed = [] {
    std::array<Listed, entries.size()> list{};
    std::ranges::transform(entries, list.begin(), &Entry::listed);
    return list;
}();

const Entry* find(const sdp::Codec& codec) {
    for (const auto& entry : entries)
        if (entry.listed.clock_rate == codec.clock_rate &&
            entry.listed.channels == codec.channels && iequals(entry.listed.name, codec.name))
            return &entry;
    return nullptr;
}

}  // namespace

std::size_t Encoder::packet_samples(unsigned milliseconds) const {
    const std::size_t frames = std::size_t{milliseconds} * rate_ / 1000 / frame_;
    return std::max<std::size_t>(frames, 1) * frame_;
}

Support support_of(const sdp::Codec& codec) {
    const Entry* const entry = find(codec);
    if (!entry || (entry->installed && !entry->installed())) return {};
    const bool amr = iequals(codec.name, "AMR") || iequals(codec.name, "AMR-WB");
    const bool supported = !amr || is_plain_amr(codec);
    return {supported, supported && entry->encoder};
}

bool is_transcodable(const sdp::Codec& codec) {
    const Support support = support_of(codec);
    return support.decodes && support.encodes;
}

std::uint32_t native_rate(const sdp::Codec& codec) {
    const Entry* const entry = find(codec);
    return entry ? entry->native_rate : 8000;
}

std::unique_ptr<Decoder> make_decoder(const sdp::Codec& codec, std::uint32_t wanted_rate) {
    const Entry* const entry = find(codec);
    return entry ? entry->decoder(codec, wanted_rate) : nullptr;
}

std::unique_ptr<Encoder> make_encoder(const sdp::Codec& codec, std::uint32_t wanted_rate) {
    const Entry* const entry = find(codec);
    return entry && entry->encoder ? entry->encoder(codec, wanted_rate) : nullptr;
}

std::span<const Listed> all() { return listed; }

}  // namespace strowger::codec
