#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "media/engine.hpp"

namespace strowger::pbx {

/// The configuration's names of codecs ("ulaw", "h264") as SDP has them.
std::optional<media::CodecSpec> codec_by_name(std::string_view name);
std::vector<media::CodecSpec> codecs_by_names(const std::vector<std::string>& names);
/// "ulaw:40": the packet times that stand with the names.
std::vector<media::Profile::PacketTime> packet_times(const std::vector<std::string>& names);
/// The reverse: "PCMU" gives "ulaw"; unknown ones stay as they are, in lower case.
std::string codec_name(std::string_view sdp_name);

}  // namespace strowger::pbx
