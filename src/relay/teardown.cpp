#include "relay/teardown.hpp"

namespace strowger::relay {
namespace {

// XML 1.0 has no way to say control characters but these three.
void escape(std::string& out, std::string_view text) {
    for (const char c : text) {
        if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '&')
            out += "&amp;";
        else if (static_cast<unsigned char>(c) >= ' ' || c == '\t' || c == '\n' || c == '\r')
            out += c;
        else
            out += '?';
    }
}

}  // namespace

std::string xmlrpc_call(std::string_view method, const std::vector<std::string_view>& parameters) {
    std::string text = "<?xml version=\"1.0\"?>\n<methodCall><methodName>";
    escape(text, method);
    text += "</methodName><params>";
    for (const auto parameter : parameters) {
        text += "<param><value><string>";
        escape(text, parameter);
        text += "</string></value></param>";
    }
    return text + "</params></methodCall>\n";
}

std::vector<std::string> teardown_requests(const Call& call, TeardownFormat format) {
    std::vector<std::string> requests;
    if (format == TeardownFormat::call_id) return {xmlrpc_call("teardown", {call.id})};
    for (const auto& party : call.parties) {
        if (party->tag.empty()) continue;
        if (format == TeardownFormat::sems)
            requests.push_back(
                xmlrpc_call("di", {"sbc", "postControlCmd", party->tag, "teardown"}));
        else if (party->offered && party->dialogue)
            requests.push_back(
                xmlrpc_call("dlg.terminate_dlg", {call.id, party->tag, party->dialogue->tag}));
    }
    return requests;
}

std::string teardown_url(std::string_view pattern, const Call& call) {
    std::string url(pattern);
    const auto at = url.find("%%");
    if (at == std::string::npos) return url;
    std::string address = call.callback.empty() && call.asker ? call.asker->text() : call.callback;
    if (address.find(':') != std::string::npos && !address.starts_with('['))
        address = '[' + address + ']';
    return url.replace(at, 2, address);
}

}  // namespace strowger::relay
