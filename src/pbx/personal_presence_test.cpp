#include "pbx/personal_presence.hpp"

#include <gtest/gtest.h>

namespace strowger::pbx {
namespace {

TEST(PersonalPresence, IsNotSetUntilSomebodySetsIt) {
    dialplan::MemoryStore store;
    const auto presence = personal_presence(store, "CustomPresence:alice");
    ASSERT_TRUE(presence);
    EXPECT_EQ(presence->state, "not_set");
    EXPECT_EQ(presence->message, "");
}

TEST(PersonalPresence, MessagesMayHoldCommas) {
    dialplan::MemoryStore store;
    ASSERT_TRUE(set_personal_presence(store, "CustomPresence:alice", "away,lunch,Soup, then tea"));
    const auto presence = personal_presence(store, "custompresence:alice");
    ASSERT_TRUE(presence);
    EXPECT_EQ(presence->state, "away");
    EXPECT_EQ(presence->subtype, "lunch");
    EXPECT_EQ(presence->message, "Soup, then tea");
}

TEST(PersonalPresence, TextsMayComeAsBase64) {
    dialplan::MemoryStore store;
    // RFC 4648 section 10: "foobar" is Zm9vYmFy, "foo" is Zm9v.
    ASSERT_TRUE(set_personal_presence(store, "CustomPresence:a", "dnd,Zm9v,Zm9vYmFy,e"));
    const auto presence = personal_presence(store, "CustomPresence:a");
    EXPECT_EQ(presence->subtype, "foo");
    EXPECT_EQ(presence->message, "foobar");
}

TEST(PersonalPresence, RefusesWhatIsNoStateNoBase64OrNoName) {
    dialplan::MemoryStore store;
    EXPECT_FALSE(set_personal_presence(store, "CustomPresence:a", "sleepy"));
    EXPECT_FALSE(set_personal_presence(store, "CustomPresence:a", "away,!,?,e"));
    EXPECT_FALSE(set_personal_presence(store, "PJSIP/alice", "away"));
    EXPECT_FALSE(set_personal_presence(store, "CustomPresence:", "away"));
    EXPECT_FALSE(set_personal_presence(store, "CustomPresence:a",
                                       "away,," + std::string(max_presence_text + 1, 'x')));
    EXPECT_FALSE(personal_presence(store, "PJSIP/alice"));
}

}  // namespace
}  // namespace strowger::pbx
