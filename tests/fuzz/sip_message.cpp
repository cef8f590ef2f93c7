// Any bytes as a SIP datagram: parsed, looked at in every typed way, and answered. What we build
// from a valid message must be valid itself.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/sip/auth.hpp"
#include "wire/sip/builder.hpp"
#include "wire/sip/contact.hpp"
#include "wire/sip/cseq.hpp"
#include "wire/sip/date.hpp"
#include "wire/sip/event.hpp"
#include "wire/sip/message.hpp"
#include "wire/sip/reason.hpp"
#include "wire/sip/refer_to.hpp"
#include "wire/sip/replaces.hpp"
#include "wire/sip/session_expires.hpp"
#include "wire/sip/via.hpp"

namespace {

using namespace strowger;
using namespace strowger::sip;

void look_at(const Header& header) {
    switch (header.id) {
        case HeaderId::via: (void)Via::parse(header.value); break;
        case HeaderId::contact: (void)Contact::parse(header.value); break;
        case HeaderId::rack: (void)RAck::parse(header.value); break;
        case HeaderId::date:
            if (const auto date = parse_date(header.value);
                date && parse_date(date_text(*date)) != date)
                std::abort();
            break;
        case HeaderId::reason:
            if (const auto reason = Reason::parse(header.value)) (void)reason->header_text();
            break;
        case HeaderId::refer_to:
            if (const auto refer = ReferTo::parse(header.value)) {
                (void)refer->replaces();
                (void)refer->target();
            }
            break;
        case HeaderId::replaces: (void)Replaces::parse(header.value); break;
        case HeaderId::session_expires: (void)SessionExpires::parse(header.value); break;
        case HeaderId::event: (void)Event::parse(header.value); break;
        case HeaderId::subscription_state: (void)SubscriptionState::parse(header.value); break;
        case HeaderId::authorization: (void)Credentials::parse(header.value); break;
        case HeaderId::www_authenticate: (void)Challenge::parse(header.value); break;
        default: break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto message = Message::parse(bytes);
    if (!message) return 0;
    for (const auto& header : message->headers()) look_at(header);
    (void)message->values(HeaderId::via);
    (void)message->values(HeaderId::contact);
    (void)message->lists(HeaderId::supported, "100rel");
    if (!message->is_request()) return 0;
    const SocketAddress source{IpAddress::v4({192, 0, 2, 1}), 5060};
    for (const int status : {100, 404}) {
        const auto wire = Builder::response_to(*message, status, "local-tag", {}, source).finish();
        // The room for growth: received, rport and the tag.
        if (wire.size() > Message::max_size) continue;
        const auto response = Message::parse(wire);
        if (!response || response->status() != status || response->cseq() != message->cseq() ||
            response->call_id() != message->call_id() || response->branch() != message->branch() ||
            response->to_tag() !=
                (message->to_tag().empty() ? std::string_view("local-tag") : message->to_tag()))
            std::abort();
    }
    return 0;
}
