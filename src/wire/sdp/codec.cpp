#include "wire/sdp/codec.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace strowger::sdp {

namespace {

struct NumberedPayload {
    std::uint8_t type;
    StaticPayload payload;
};

// RFC 3551 tables 4 and 5. G722 says 8000 although it samples at 16000 (section 4.5.2).
constexpr std::array<NumberedPayload, 24> static_payloads{{
    {0, {"PCMU", 8000, 1}},   {3, {"GSM", 8000, 1}},    {4, {"G723", 8000, 1}},
    {5, {"DVI4", 8000, 1}},   {6, {"DVI4", 16000, 1}},  {7, {"LPC", 8000, 1}},
    {8, {"PCMA", 8000, 1}},   {9, {"G722", 8000, 1}},   {10, {"L16", 44100, 2}},
    {11, {"L16", 44100, 1}},  {12, {"QCELP", 8000, 1}}, {13, {"CN", 8000, 1}},
    {14, {"MPA", 90000, 1}},  {15, {"G728", 8000, 1}},  {16, {"DVI4", 11025, 1}},
    {17, {"DVI4", 22050, 1}}, {18, {"G729", 8000, 1}},  {25, {"CelB", 90000, 1}},
    {26, {"JPEG", 90000, 1}}, {28, {"nv", 90000, 1}},   {31, {"H261", 90000, 1}},
    {32, {"MPV", 90000, 1}},  {33, {"MP2T", 90000, 1}}, {34, {"H263", 90000, 1}},
}};

bool same_value(const Codec& a, const Codec& b, std::string_view name, std::string_view otherwise) {
    return iequals(fmtp_value(a.fmtp, name).value_or(otherwise),
                   fmtp_value(b.fmtp, name).value_or(otherwise));
}

// RFC 6184 section 8.1: without profile-level-id it is Baseline, level 1. The level is negotiable
// and constraint bits below constrained-baseline do not part two decoders.
bool same_h264_profile(const Codec& a, const Codec& b) {
    const auto profile = [](const Codec& codec) {
        return fmtp_value(codec.fmtp, "profile-level-id").value_or("42000A").substr(0, 2);
    };
    return iequals(profile(a), profile(b));
}

}  // namespace

std::string_view name_of(Direction direction) {
    switch (direction) {
        case Direction::sendrecv: return "sendrecv";
        case Direction::sendonly: return "sendonly";
        case Direction::recvonly: return "recvonly";
        case Direction::inactive: return "inactive";
    }
    return "";
}

std::optional<Direction> direction_by_name(std::string_view name) {
    for (const auto direction :
         {Direction::sendrecv, Direction::sendonly, Direction::recvonly, Direction::inactive}) {
        if (name == name_of(direction)) return direction;
    }
    return std::nullopt;
}

Direction reversed(Direction direction) {
    return direction_of(receives(direction), sends(direction));
}

Direction direction_of(bool sends, bool receives) {
    if (sends) return receives ? Direction::sendrecv : Direction::sendonly;
    return receives ? Direction::recvonly : Direction::inactive;
}

std::optional<StaticPayload> static_payload(std::uint8_t type) {
    for (const auto& entry : static_payloads) {
        if (entry.type == type) return entry.payload;
    }
    return std::nullopt;
}

std::optional<std::uint8_t> static_type(const Codec& codec) {
    for (const auto& [type, payload] : static_payloads) {
        if (payload.clock_rate == codec.clock_rate && payload.channels == codec.channels &&
            iequals(payload.name, codec.name)) {
            return type;
        }
    }
    return std::nullopt;
}

std::string_view kind_of(const Codec& codec) {
    static constexpr std::array video{"H261", "H263", "H263-1998", "H263-2000", "H264", "H265",
                                      "VP8",  "VP9",  "MP4V-ES",   "JPEG",      "AV1"};
    if (std::ranges::any_of(video, [&](const char* name) { return iequals(name, codec.name); }))
        return "video";
    // RFC 4103: text has 1000 ticks a second; `red` stands beside audio as well.
    if (codec.clock_rate == 1000 && (iequals(codec.name, "t140") || iequals(codec.name, "red")))
        return "text";
    return "audio";
}

bool is_auxiliary(std::string_view codec_name) {
    return iequals(codec_name, "telephone-event") || iequals(codec_name, "CN") ||
           iequals(codec_name, "red");
}

std::optional<std::string_view> fmtp_value(std::string_view fmtp, std::string_view name) {
    while (!fmtp.empty()) {
        const auto [parameter, rest] = split_once(fmtp, ';');
        const auto [key, value] = split_once(trim(parameter), '=');
        if (iequals(trim(key), name)) return trim(value);
        fmtp = rest;
    }
    return std::nullopt;
}

bool compatible(const Codec& a, const Codec& b) {
    if (a.clock_rate != b.clock_rate || a.channels != b.channels || !iequals(a.name, b.name)) {
        return false;
    }
    if (iequals(a.name, "AMR") || iequals(a.name, "AMR-WB")) {
        return same_value(a, b, "octet-align", "0") && same_value(a, b, "crc", "0") &&
               same_value(a, b, "robust-sorting", "0") && same_value(a, b, "interleaving", "");
    }
    if (iequals(a.name, "H264")) {
        return same_value(a, b, "packetization-mode", "0") && same_h264_profile(a, b);
    }
    if (iequals(a.name, "VP9")) return same_value(a, b, "profile-id", "0");
    if (iequals(a.name, "G7221")) return same_value(a, b, "bitrate", "");
    return true;
}

}  // namespace strowger::sdp
