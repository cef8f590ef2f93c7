#include "pbx/host_names.hpp"

#include <gtest/gtest.h>

#include "io/test_name_server.hpp"
#include "pbx/test_parts.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;

TEST(HostNames, KnowsLiteralsWithoutAsking) {
    io::Loop loop;
    Random random{1};
    io::NameServer server{loop};
    io::Resolver resolver{loop, {.servers = {server.socket->local()}, .hosts_file = "/dev/null"}};
    HostNames names{loop, resolver, random};
    EXPECT_EQ(names.address("192.0.2.7"), IpAddress::parse("192.0.2.7"));
    EXPECT_EQ(names.address("pbx.example.net"), std::nullopt);
    EXPECT_FALSE(names.matches("pbx.example.net", *IpAddress::parse("192.0.2.7")));
}

TEST(HostNames, MatchesAnyAddressOfAName) {
    Parts parts{R"([trunk]
type=identify
endpoint=trunk
srv_lookups=no
match=trunk.example.net
)"};
    io::Loop& loop = parts.loop;
    for (const auto* data : {"\xc0\x00\x02\x07", "\xc0\x00\x02\x08"})
        parts.names.zone.emplace("trunk.example.net",
                                 io::NameServer::Record{1, 60, std::string(data, 4)});
    parts.host_names.configure(parts.core->config);
    const auto second = *IpAddress::parse("192.0.2.8");
    EXPECT_TRUE(
        loop.run_until([&] { return parts.host_names.matches("trunk.example.net", second); }, 5s));
    EXPECT_TRUE(parts.host_names.matches("trunk.example.net", *IpAddress::parse("192.0.2.7")));
    EXPECT_FALSE(parts.host_names.matches("trunk.example.net", *IpAddress::parse("192.0.2.9")));
}

}  // namespace
}  // namespace strowger::pbx
