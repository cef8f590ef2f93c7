#include "wire/sip/enum_uri.hpp"

#include <gtest/gtest.h>

namespace strowger::sip {
namespace {

// The example of RFC 6116 section 3.2.
TEST(EnumUri, AsksForTheDigitsReversed) {
    EXPECT_EQ(enum_domain("+44-116-496-0348", "e164.arpa"), "8.4.3.0.6.9.4.6.1.1.4.4.e164.arpa");
    EXPECT_EQ(enum_domain("no digits", "e164.arpa"), "");
}

TEST(EnumUri, TellsServicesApart) {
    EXPECT_TRUE(is_enum_service("E2U+sip", "sip"));
    EXPECT_TRUE(is_enum_service("sip+E2U", "SIP"));
    EXPECT_TRUE(is_enum_service("E2U+pstn:tel+sip", "tel"));
    EXPECT_TRUE(is_enum_service("E2U+email:mailto", ""));
    EXPECT_FALSE(is_enum_service("E2U+email:mailto", "sip"));
    EXPECT_FALSE(is_enum_service("SIP+D2U", "sip"));
}

// Rules of RFC 6116 section 3.6 and RFC 3402 section 3.2.
TEST(EnumUri, AppliesARuleToTheNumber) {
    EXPECT_EQ(apply_naptr_rule("!^.*$!sip:information@foo.se!i", "+46555"),
              "sip:information@foo.se");
    EXPECT_EQ(apply_naptr_rule("!^\\+441632960(.*)$!sip:\\1@gw.example.com!", "441632960083"),
              "sip:083@gw.example.com");
    EXPECT_EQ(apply_naptr_rule("!^\\+49(.*)$!sip:\\1@gw.example.com!", "441632960083"),
              std::nullopt);
}

TEST(EnumUri, RefusesMalformedRules) {
    for (const auto* rule : {"", "!", "!!", "!a!b", "!(!b!", "!a!b!c!d!"})
        EXPECT_EQ(apply_naptr_rule(rule, "+46555"), std::nullopt) << rule;
}

TEST(NaptrRule, WhoseExpressionWouldTakeAllMemoryIsLeftOut) {
    EXPECT_FALSE(apply_naptr_rule("!^." + std::string(62, '+') + "$!sip:a@example.com!", "+4930"));
}

}  // namespace
}  // namespace strowger::sip
