#include "wire/sip/method.hpp"

#include <array>
#include <utility>

namespace strowger::sip {

namespace {

constexpr std::array<std::pair<Method, std::string_view>, 14> names{{
    {Method::invite, "INVITE"},
    {Method::ack, "ACK"},
    {Method::bye, "BYE"},
    {Method::cancel, "CANCEL"},
    {Method::options, "OPTIONS"},
    {Method::register_, "REGISTER"},
    {Method::prack, "PRACK"},
    {Method::update, "UPDATE"},
    {Method::refer, "REFER"},
    {Method::subscribe, "SUBSCRIBE"},
    {Method::notify, "NOTIFY"},
    {Method::publish, "PUBLISH"},
    {Method::message, "MESSAGE"},
    {Method::info, "INFO"},
}};

}  // namespace

Method method_by_name(std::string_view name) {
    for (const auto& [method, spelling] : names)
        if (spelling == name) return method;
    return Method::unknown;
}

std::string_view name_of(Method method) {
    for (const auto& [known, spelling] : names)
        if (known == method) return spelling;
    return {};
}

std::string_view via_name(Transport transport) {
    switch (transport) {
        case Transport::udp: return "UDP";
        case Transport::tcp: return "TCP";
        case Transport::tls: return "TLS";
        case Transport::ws: return "WS";
        case Transport::wss: return "WSS";
    }
    return {};
}

std::string_view uri_name(Transport transport) {
    switch (transport) {
        case Transport::udp: return "udp";
        case Transport::tcp: return "tcp";
        case Transport::tls: return "tls";
        case Transport::ws: return "ws";
        case Transport::wss: return "wss";
    }
    return {};
}

}  // namespace strowger::sip
