#include "pbx/codecs.hpp"

#include <array>

#include "base/text.hpp"

namespace strowger::pbx {

namespace {

struct Entry {
    std::string_view name;
    std::string_view sdp_name;
    std::uint32_t clock_rate;
    std::uint8_t channels;
};

// RFC 3551's clock rate for G.722 is 8000, whatever it samples at.
constexpr std::array entries{
    Entry{"ulaw", "PCMU", 8000, 1},        Entry{"alaw", "PCMA", 8000, 1},
    Entry{"g722", "G722", 8000, 1},        Entry{"g729", "G729", 8000, 1},
    Entry{"g723", "G723", 8000, 1},        Entry{"gsm", "GSM", 8000, 1},
    Entry{"g726", "G726-32", 8000, 1},     Entry{"ilbc", "iLBC", 8000, 1},
    Entry{"opus", "opus", 48000, 2},       Entry{"speex", "speex", 8000, 1},
    Entry{"speex16", "speex", 16000, 1},   Entry{"speex32", "speex", 32000, 1},
    Entry{"slin", "L16", 8000, 1},         Entry{"slin16", "L16", 16000, 1},
    Entry{"siren7", "G7221", 16000, 1},    Entry{"siren14", "G7221", 32000, 1},
    Entry{"amr", "AMR", 8000, 1},          Entry{"amrwb", "AMR-WB", 16000, 1},
    Entry{"h261", "H261", 90000, 1},       Entry{"h263", "H263", 90000, 1},
    Entry{"h263p", "H263-1998", 90000, 1}, Entry{"h264", "H264", 90000, 1},
    Entry{"h265", "H265", 90000, 1},       Entry{"mpeg4", "MP4V-ES", 90000, 1},
    Entry{"vp8", "VP8", 90000, 1},         Entry{"vp9", "VP9", 90000, 1},
    Entry{"jpeg", "JPEG", 90000, 1},       Entry{"t140", "t140", 1000, 1},
    Entry{"red", "red", 1000, 1},
};

}  // namespace

std::optional<media::CodecSpec> codec_by_name(std::string_view name) {
    name = split_once(name, ':').first;
    for (const auto& entry : entries)
        if (iequals(entry.name, name))
            return media::CodecSpec{std::string(entry.sdp_name), entry.clock_rate, entry.channels};
    return std::nullopt;
}

std::vector<media::CodecSpec> codecs_by_names(const std::vector<std::string>& names) {
    std::vector<media::CodecSpec> specs;
    for (const auto& name : names)
        if (auto spec = codec_by_name(name)) specs.push_back(std::move(*spec));
    return specs;
}

std::vector<media::Profile::PacketTime> packet_times(const std::vector<std::string>& names) {
    std::vector<media::Profile::PacketTime> times;
    for (const auto& name : names) {
        const auto codec = codec_by_name(name);
        const auto time = parse_number<unsigned>(split_once(name, ':').second);
        if (codec && time) times.push_back({codec->name, *time});
    }
    return times;
}

std::string codec_name(std::string_view sdp_name) {
    for (const auto& entry : entries)
        if (iequals(entry.sdp_name, sdp_name)) return std::string(entry.name);
    return to_lower(sdp_name);
}

}  // namespace strowger::pbx
