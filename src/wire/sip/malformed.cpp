#include "wire/sip/malformed.hpp"

#include <utility>

#include "wire/sip/builder.hpp"
#include "wire/sip/header_lines.hpp"

namespace strowger::sip {
namespace {

// The answer must not be much larger than what provoked it, whatever that was.
constexpr std::size_t max_vias = 20;
constexpr std::size_t max_value = 1024;

struct Remains {
    std::string_view from, to, call_id, cseq;
    std::size_t vias = 0;

    void keep(const Header& line) {
        switch (line.id) {
            case HeaderId::from: from = line.value; break;
            case HeaderId::to: to = line.value; break;
            case HeaderId::call_id: call_id = line.value; break;
            case HeaderId::cseq: cseq = line.value; break;
            default: break;
        }
    }
};

}  // namespace

std::optional<std::string> answer_malformed(std::string_view bytes, const Error& error,
                                            std::string_view to_tag, std::string_view server) {
    if (error.code() == 0) return std::nullopt;
    RawHeaderLines lines{bytes};
    const auto start = lines.start_line();
    if (start.starts_with("SIP/") || start.starts_with("ACK ")) return std::nullopt;
    Builder answer = Builder::response(error.code());
    Remains remains;
    while (const auto line = lines.next()) {
        if (line->value.size() > max_value) continue;
        if (line->id == HeaderId::via) {
            if (remains.vias++ < max_vias) answer.header(HeaderId::via, line->value);
        } else {
            remains.keep(*line);
        }
    }
    // The Via is what brings the answer to its sender; of the others it gets those that it sent
    // (RFC 4475 section 3.3.1).
    if (remains.vias == 0) return std::nullopt;
    std::string to{remains.to};
    if (!to.empty() && to.find("tag=") == std::string::npos) (to += ";tag=") += to_tag;
    const std::pair<HeaderId, std::string_view> parts[] = {{HeaderId::from, remains.from},
                                                           {HeaderId::to, to},
                                                           {HeaderId::call_id, remains.call_id},
                                                           {HeaderId::cseq, remains.cseq}};
    for (const auto& [id, value] : parts)
        if (!value.empty()) answer.header(id, value);
    if (!server.empty()) answer.header(HeaderId::server, server);
    return std::move(answer).finish();
}

}  // namespace strowger::sip
