#include "pbx/applications.hpp"
#include "pbx/local_channel.hpp"
#include "pbx/test_parts.hpp"

namespace strowger::pbx {
namespace {

struct DnsFunctions : ::testing::Test {
    Parts parts{{}, "[c]\nexten => 1,1,NoOp()\n"};
    std::shared_ptr<LocalChannel> channel;

    void SetUp() override {
        add_dns_functions(parts.functions);
        channel = *LocalChannel::make(*parts.core, "1@c", {});
    }
    std::string value(std::string expression) {
        const auto result = parts.wait(parts.functions.await(*channel, std::move(expression)));
        return result ? *result : "error: " + result.error().text();
    }
};

TEST_F(DnsFunctions, ListTheServersOfAServiceByPriority) {
    using namespace io;
    parts.names.zone = {
        {"_sip._udp.example.com",
         {33, 60, be16(20) + be16(1) + be16(5060) + name_field("second.example.com")}},
        {"_sip._udp.example.com",
         {33, 60, be16(10) + be16(3) + be16(5062) + name_field("first.example.com")}},
    };
    const auto id = value("SRVQUERY(_sip._udp.example.com)");
    EXPECT_EQ(value("SRVRESULT(" + id + ",getnum)"), "2");
    EXPECT_EQ(value("SRVRESULT(" + id + ",1)"), "first.example.com");
    EXPECT_EQ(value("SRVRESULT(" + id + ",1,port)"), "5062");
    EXPECT_EQ(value("SRVRESULT(" + id + ",2,priority)"), "20");
    EXPECT_TRUE(value("SRVRESULT(" + id + ",3)").starts_with("error"));
    EXPECT_TRUE(value("SRVQUERY(_sip._udp.nowhere.example.com)").starts_with("error"));
}

TEST_F(DnsFunctions, FindTheUrisOfANumber) {
    using namespace io;
    const auto naptr = [](unsigned order, const char* service, const char* rule) {
        return io::NameServer::Record{35, 60,
                                      be16(order) + be16(10) + text_field("u") +
                                          text_field(service) + text_field(rule) + name_field("")};
    };
    // The number of RFC 6116 section 3.2.
    const std::string name = "8.4.3.0.6.9.4.6.1.1.4.4.e164.arpa";
    parts.names.zone = {
        {name, naptr(100, "E2U+email:mailto", "!^.*$!mailto:info@example.com!")},
        {name, naptr(50, "E2U+sip", "!^\\+44116(.*)$!sip:\\1@example.com!")},
        {name, naptr(60, "E2U+sip", "!^.*$!sip:other@example.com!")},
    };
    const std::string number = "+441164960348";
    EXPECT_EQ(value("ENUMLOOKUP(" + number + ")"), "4960348@example.com");
    EXPECT_EQ(value("ENUMLOOKUP(" + number + ",sip,u)"), "sip:4960348@example.com");
    EXPECT_EQ(value("ENUMLOOKUP(" + number + ",sip,,2)"), "other@example.com");
    EXPECT_EQ(value("ENUMLOOKUP(" + number + ",sip,c)"), "2");
    EXPECT_EQ(value("ENUMLOOKUP(" + number + ",ALL,c)"), "3");
    EXPECT_EQ(value("ENUMLOOKUP(" + number + ",ALL,,3)"), "mailto:info@example.com");
    EXPECT_EQ(value("ENUMLOOKUP(+4611111)"), "");
    const auto id = value("ENUMQUERY(" + number + ",mailto)");
    EXPECT_EQ(value("ENUMRESULT(" + id + ",getnum)"), "1");
    EXPECT_EQ(value("ENUMRESULT(" + id + ",1)"), "info@example.com");
    EXPECT_EQ(value("ENUMRESULT(77,getnum)"), "-1");
}

TEST_F(DnsFunctions, FindTheNameOfANumber) {
    parts.names.zone = {{"5.5.5.cid.example.com",
                         {16, 60, io::text_field("Agatha ") + io::text_field("Hardware")}}};
    EXPECT_EQ(value("TXTCIDNAME(555,cid.example.com)"), "Agatha Hardware");
    EXPECT_EQ(value("TXTCIDNAME(556,cid.example.com)"), "");
}

}  // namespace
}  // namespace strowger::pbx
