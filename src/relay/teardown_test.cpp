#include "relay/teardown.hpp"

#include <gtest/gtest.h>

namespace strowger::relay {
namespace {

struct TwoParties {
    TwoParties() {
        Party& from = **call.add("f<1>", {});
        Party& to = **call.add("t1", {});
        call.join(from, to);
        from.offered = true;
    }
    Call call{"call&1", 0, {}, {}};
};

TEST(Teardown, NamesTheCallAloneOrEachTagOrTheDialogue) {
    TwoParties two;
    EXPECT_EQ(teardown_requests(two.call, TeardownFormat::call_id),
              std::vector<std::string>{xmlrpc_call("teardown", {"call&1"})});
    EXPECT_EQ(
        teardown_requests(two.call, TeardownFormat::sems),
        (std::vector<std::string>{xmlrpc_call("di", {"sbc", "postControlCmd", "f<1>", "teardown"}),
                                  xmlrpc_call("di", {"sbc", "postControlCmd", "t1", "teardown"})}));
    EXPECT_EQ(teardown_requests(two.call, TeardownFormat::kamailio),
              std::vector<std::string>{xmlrpc_call("dlg.terminate_dlg", {"call&1", "f<1>", "t1"})});
}

TEST(Teardown, WhatATagHoldsCannotBecomeMarkup) {
    EXPECT_EQ(
        xmlrpc_call("m", {std::string_view("a<b>&\x01", 6)}),
        "<?xml version=\"1.0\"?>\n<methodCall><methodName>m</methodName><params><param><value>"
        "<string>a&lt;b&gt;&amp;?</string></value></param></params></methodCall>\n");
}

TEST(Teardown, TwoPercentSignsAreTheProxysAddress) {
    TwoParties two;
    two.call.asker = IpAddress::parse("2001:db8::1");
    EXPECT_EQ(teardown_url("http://%%:8000/RPC2", two.call), "http://[2001:db8::1]:8000/RPC2");
    two.call.callback = "192.0.2.1";
    EXPECT_EQ(teardown_url("http://%%:8000/RPC2", two.call), "http://192.0.2.1:8000/RPC2");
    EXPECT_EQ(teardown_url("http://sip.example/RPC2", two.call), "http://sip.example/RPC2");
}

}  // namespace
}  // namespace strowger::relay
