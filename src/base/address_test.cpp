#include "base/address.hpp"

#include <gtest/gtest.h>

namespace strowger {
namespace {

TEST(IpAddress, ReadsAndWritesBothFamilies) {
    EXPECT_EQ(IpAddress::parse("192.0.2.1")->text(), "192.0.2.1");
    EXPECT_EQ(IpAddress::parse("[2001:DB8:0:0::1]")->text(), "2001:db8::1");  // RFC 5952 section 4
    EXPECT_EQ(IpAddress::parse("2001:db8::1")->host_text(), "[2001:db8::1]");
    EXPECT_EQ(IpAddress::parse("::ffff:192.0.2.1"), IpAddress::v4({192, 0, 2, 1}));
    EXPECT_EQ(IpAddress{}.text(), "0.0.0.0");
    EXPECT_NE(IpAddress::any_v4(), IpAddress::any_v6());
}

TEST(IpAddress, RefusesWhatIsNone) {
    using namespace std::string_view_literals;
    for (const auto bad : {""sv, "256.0.0.1"sv, "1.2.3"sv, "example.com"sv, "1.2.3.4 "sv,
                           "fe80::1%eth0"sv, "[::1"sv, "[]"sv, "127.0.0.1\0x"sv, "01.2.3.4"sv,
                           "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"sv})
        EXPECT_FALSE(IpAddress::parse(bad)) << bad;
}

TEST(IpAddress, KnowsItsKind) {
    EXPECT_TRUE(IpAddress::parse("127.255.0.1")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
    EXPECT_FALSE(IpAddress::parse("::")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("::")->is_unspecified());
    EXPECT_TRUE(IpAddress::parse("224.0.1.75")->is_multicast());
    EXPECT_TRUE(IpAddress::parse("ff02::1")->is_multicast());
    EXPECT_FALSE(IpAddress::parse("240.0.0.1")->is_multicast());
}

TEST(SocketAddress, ReadsPortsAndDefaults) {
    EXPECT_EQ(SocketAddress::parse("192.0.2.1:5060")->text(), "192.0.2.1:5060");
    EXPECT_EQ(SocketAddress::parse("[2001:db8::1]:5061")->text(), "[2001:db8::1]:5061");
    EXPECT_EQ(SocketAddress::parse("2001:db8::1", 5060)->port, 5060);
    EXPECT_EQ(SocketAddress::parse("192.0.2.1", 7)->port, 7);
    for (const auto bad :
         {"192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "[::1]5060", "[::1", ":5060"})
        EXPECT_FALSE(SocketAddress::parse(bad)) << bad;
}

TEST(Cidr, ContainsWhatItsPrefixCovers) {
    const auto in = [](std::string_view network, std::string_view address) {
        return Cidr::parse(network).value().contains(*IpAddress::parse(address));
    };
    EXPECT_TRUE(in("192.0.2.0/23", "192.0.3.255"));
    EXPECT_FALSE(in("192.0.2.0/23", "192.0.4.0"));
    EXPECT_TRUE(in("10.0.0.0/255.0.0.0", "10.255.0.1"));
    EXPECT_TRUE(in("2001:db8::/33", "2001:db8:7fff::1"));
    EXPECT_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
    EXPECT_TRUE(in("0.0.0.0/0", "203.0.113.9"));
    EXPECT_FALSE(in("0.0.0.0/0", "::1"));
    EXPECT_TRUE(in("192.0.2.7", "192.0.2.7"));
    EXPECT_FALSE(in("192.0.2.7", "192.0.2.6"));
}

TEST(Cidr, SaysWhatIsWrong) {
    EXPECT_EQ(Cidr::parse("10.0.0.0/33").error().text(),
              "'10.0.0.0/33': the prefix is longer than 32 bits");
    EXPECT_EQ(Cidr::parse("10.0.0.0/255.0.255.0").error().text(),
              "'10.0.0.0/255.0.255.0': the netmask has holes");
    for (const auto bad : {"", "x", "10.0.0.0/", "10.0.0.0/x", "::/255.0.0.0"})
        EXPECT_FALSE(Cidr::parse(bad)) << bad;
}

}  // namespace
}  // namespace strowger
