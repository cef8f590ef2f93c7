#include "io/interfaces.hpp"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "io/native_address.hpp"

namespace strowger::io {

namespace {

bool is_link_local(const IpAddress& address) {
    return address.is_v6() && address.data()[0] == 0xfe && (address.data()[1] & 0xc0) == 0x80;
}

}  // namespace

std::vector<IpAddress> interface_addresses() {
    std::vector<IpAddress> found;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return found;
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
        const auto family = entry->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        sockaddr_storage native{};
        std::memcpy(&native, entry->ifa_addr,
                    family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
        const auto address = from_native(native).ip;
        if (!is_link_local(address)) found.push_back(address);
    }
    freeifaddrs(list);
    const auto rank = [](const IpAddress& address) {
        return std::tuple(address.is_loopback(), address.is_v6());
    };
    std::ranges::stable_sort(found, {}, rank);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

}  // namespace strowger::io
