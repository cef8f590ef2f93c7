#include "wire/sip/malformed.hpp"

#include <utility>

#include "wire/sip/builder.hpp"
#include "wire/sip/header_lines.hpp"
#include "wire/sip/via.hpp"

namespace strowger::sip {
namespace {

// The answer must not be much larger than what provoked it, whatever that was.
constexpr std::size_t max_vias = 20;
constexpr std::size_t max_value = 1024;

struct Remains {
    std::string_view from, to, call_id, cseq;
    std::size_t vias = 0;

    bool enough() const {
        return vias > 0 && !from.empty() && !to.empty() && !call_id.empty() && !cseq.empty();
    }
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
            if (remains.vias == 0 && !Via::parse(line->value.substr(0, line->value.find(',')))) {
                return std::nullopt;
            }
            if (remains.vias++ < max_vias) answer.header(HeaderId::via, line->value);
        } else {
            remains.keep(*line);
        }
    }
    if (!remains.enough()) return std::nullopt;
    std::string to{remains.to};
    if (to.find("tag=") == std::string::npos) (to += ";tag=") += to_tag;
    answer.header(HeaderId::from, remains.from)
        .header(HeaderId::to, to)
        .header(HeaderId::call_id, remains.call_id)
        .header(HeaderId::cseq, remains.cseq);
    if (!server.empty()) answer.header(HeaderId::server, server);
    return std::move(answer).finish();
}

}  // namespace strowger::sip
