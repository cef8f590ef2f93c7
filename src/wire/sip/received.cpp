#include "wire/sip/received.hpp"

#include <utility>

#include "base/text.hpp"
#include "wire/sip/header_lines.hpp"
#include "wire/sip/syntax.hpp"
#include "wire/sip/via.hpp"

namespace strowger::sip {
namespace {

// Room for ";received=" with an IPv6 address and ";rport=65535", so that stamping does not
// reallocate.
constexpr std::size_t stamp_size = 80;

/// The value of the topmost Via, as it stands in the raw text; empty when there is none.
std::string_view find_top_via(std::string_view bytes) {
    RawHeaderLines lines{bytes};
    while (const auto line = lines.next()) {
        if (line->id == HeaderId::via) return line->value;
    }
    return {};
}

std::string stamped(std::string_view bytes, const Flow& flow, bool force_rport,
                    bool& asked_for_rport) {
    std::string out;
    out.reserve(bytes.size() + stamp_size);
    const auto line = find_top_via(bytes);
    const auto top = line.substr(0, syntax::value_end(line));
    const auto via = Via::parse(top);
    if (!via) return out += bytes;
    asked_for_rport = via->wants_rport;
    const auto begin = static_cast<std::size_t>(top.data() - bytes.data());
    out += bytes.substr(0, begin);
    const bool with_rport = via->wants_rport || (force_rport && !is_reliable(flow.transport));
    append_received(out, top, *via, flow.remote, with_rport);
    return out += bytes.substr(begin + top.size());
}

}  // namespace

Received::Received(std::string bytes, const Flow& flow, Time at)
    : bytes_(std::move(bytes)), flow_(flow), at_(at) {}

Result<std::shared_ptr<const Received>> Received::parse(std::string_view bytes, const Flow& flow,
                                                        Time at, bool force_rport) {
    const bool is_response = bytes.starts_with("SIP/");
    bool asked = false;
    auto received = std::make_shared<Received>(
        is_response ? std::string(bytes) : stamped(bytes, flow, force_rport, asked), flow, at);
    received->asked_for_rport_ = asked;
    if (auto read = received->message_.read(received->bytes_); !read)
        return std::unexpected(std::move(read.error()));
    return received;
}

}  // namespace strowger::sip
