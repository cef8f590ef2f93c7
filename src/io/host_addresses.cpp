#include "io/host_addresses.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>

#include "io/native_address.hpp"

namespace strowger::io {
namespace {

bool is_link_local(const IpAddress& address) {
    return address.is_v6() && address.data()[0] == 0xfe && (address.data()[1] & 0xc0) == 0x80;
}

std::optional<IpAddress> address_of(const sockaddr* address) {
    if (address == nullptr) return std::nullopt;
    const auto family = address->sa_family;
    if (family != AF_INET && family != AF_INET6) return std::nullopt;
    sockaddr_storage native{};
    std::memcpy(&native, address, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    const auto ip = from_native(native).ip;
    return is_link_local(ip) ? std::nullopt : std::optional(ip);
}

/// One address of one device, in the system's order.
struct DeviceAddress {
    std::string device;
    bool up;
    IpAddress ip;
};

std::vector<DeviceAddress> device_addresses() {
    std::vector<DeviceAddress> found;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return found;
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
    for (const ifaddrs* each = list; each; each = each->ifa_next)
        if (const auto ip = address_of(each->ifa_addr))
            found.push_back({each->ifa_name, (each->ifa_flags & IFF_UP) != 0, *ip});
    return found;
}

void add(std::vector<IpAddress>& found, const IpAddress& address) {
    if (std::ranges::find(found, address) == found.end()) found.push_back(address);
}

}  // namespace

std::vector<IpAddress> interface_addresses() {
    std::vector<IpAddress> found;
    for (const auto& [device, up, ip] : device_addresses())
        if (up) add(found, ip);
    std::ranges::stable_sort(found, {}, [](const IpAddress& address) {
        return std::tuple(address.is_loopback(), address.is_v6());
    });
    return found;
}

std::vector<IpAddress> addresses_of(const std::string& name) {
    std::vector<IpAddress> found;
    for (const auto& [device, up, ip] : device_addresses())
        if (name == device || (name == "any" && !ip.is_loopback())) add(found, ip);
    if (!found.empty() || name == "any") return found;
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* answers = nullptr;
    if (::getaddrinfo(name.c_str(), nullptr, &hints, &answers) != 0) return found;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(answers, ::freeaddrinfo);
    for (const addrinfo* each = answers; each; each = each->ai_next)
        if (const auto ip = address_of(each->ai_addr)) add(found, *ip);
    return found;
}

}  // namespace strowger::io
