// Commands about recordings.
#include "relay/relay.hpp"

namespace strowger::relay {

Result<> Relay::start_recording(const Request& request, ng::Writer&) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    return recordings_.start(**call, request);
}

Result<> Relay::pause_recording(const Request& request, ng::Writer&) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    recordings_.pause(**call);
    return {};
}

Result<> Relay::stop_recording(const Request& request, ng::Writer& out) {
    if (request.pause_recording) return pause_recording(request, out);
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    recordings_.stop(**call);
    return {};
}

Result<> Relay::forward(const Request& request, bool on) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    Party* party = nullptr;
    if (!request.all) {
        const auto found = selected(**call, request);
        if (!found) return std::unexpected(found.error());
        party = *found;
    }
    return recordings_.forward(**call, party, request, on);
}

Result<> Relay::start_forwarding(const Request& request, ng::Writer&) {
    return forward(request, true);
}
Result<> Relay::stop_forwarding(const Request& request, ng::Writer&) {
    return forward(request, false);
}

}  // namespace strowger::relay
