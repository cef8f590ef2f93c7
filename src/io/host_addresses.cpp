#include "io/host_addresses.hpp"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

namespace strowger::io {
namespace {

std::optional<IpAddress> address_of(const sockaddr* address) {
    if (address == nullptr) return std::nullopt;
    if (address->sa_family == AF_INET) {
        std::array<std::uint8_t, 4> bytes;
        std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
        return IpAddress::v4(bytes);
    }
    if (address->sa_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
        if (IN6_IS_ADDR_LINKLOCAL(&v6)) return std::nullopt;
        std::array<std::uint8_t, 16> bytes;
        std::memcpy(bytes.data(), &v6, 16);
        return IpAddress::v6(bytes);
    }
    return std::nullopt;
}

void add(std::vector<IpAddress>& found, const std::optional<IpAddress>& address) {
    if (address && std::ranges::find(found, *address) == found.end()) found.push_back(*address);
}

}  // namespace

std::vector<IpAddress> addresses_of(const std::string& name) {
    std::vector<IpAddress> found;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) == 0) {
        const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
        for (const ifaddrs* each = list; each; each = each->ifa_next) {
            const auto address = address_of(each->ifa_addr);
            if (name == each->ifa_name || (name == "any" && address && !address->is_loopback()))
                add(found, address);
        }
    }
    if (!found.empty() || name == "any") return found;
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* answers = nullptr;
    if (::getaddrinfo(name.c_str(), nullptr, &hints, &answers) != 0) return found;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(answers, ::freeaddrinfo);
    for (const addrinfo* each = answers; each; each = each->ai_next)
        add(found, address_of(each->ai_addr));
    return found;
}

std::size_t raise_open_files() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

}  // namespace strowger::io
