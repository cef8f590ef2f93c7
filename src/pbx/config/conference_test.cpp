#include "pbx/config/conference.hpp"

#include <gtest/gtest.h>

#include "pbx/config/configuration.hpp"

namespace strowger::pbx::config {
namespace {

std::shared_ptr<Configuration> load_of(std::string text) {
    ini::MemoryFiles files({{"confbridge.conf", std::move(text)}});
    return load(files, "");
}

TEST(Conferences, HaveDefaultProfilesWithoutAFile) {
    ini::MemoryFiles files;
    const auto config = load(files, "");
    ASSERT_NE(config->conference_bridges.find("default_bridge"), nullptr);
    ASSERT_NE(config->conference_users.find("default_user"), nullptr);
    EXPECT_EQ(config->conference_bridges.find("default_bridge")->sound("locked"), "conf-locked");
}

TEST(Conferences, ReadTheirProfilesByType) {
    const auto config = load_of(
        "[general]\n[b]\ntype=bridge\nmax_members=7\nsound_join=\nsound_kicked=out\n"
        "mixing_interval=20\n[u]\ntype=user\nadmin=yes\npin=12#\nannounce_user_count_all=3\n"
        "[m]\ntype=menu\n*1=toggle_mute,playback(a&b)\n*=dialplan_exec(x,s,1),no_op\n");
    ASSERT_TRUE(config->ok()) << config->diagnostics.text();
    const auto* bridge = config->conference_bridges.find("b");
    ASSERT_NE(bridge, nullptr);
    EXPECT_EQ(bridge->max_members, 7U);
    EXPECT_EQ(bridge->sound("join"), "");
    EXPECT_EQ(bridge->sound("kicked"), "out");
    const auto* user = config->conference_users.find("u");
    ASSERT_NE(user, nullptr);
    EXPECT_TRUE(user->admin);
    EXPECT_EQ(user->pin, "12#");
    EXPECT_EQ(user->announce_user_count_all, 3U);
    const auto* menu = config->conference_menus.find("m");
    ASSERT_NE(menu, nullptr);
    ASSERT_EQ(menu->entries.size(), 2U);
    ASSERT_EQ(menu->entries[0].steps.size(), 2U);
    EXPECT_EQ(menu->entries[0].steps[1].argument, "a&b");
    ASSERT_EQ(menu->entries[1].steps.size(), 2U);
    EXPECT_EQ(menu->entries[1].steps[0].argument, "x,s,1");
}

TEST(Conferences, RefuseWhatTheyDoNotKnow) {
    for (const auto* wrong :
         {"[x]\ntype=room\n", "[x]\ntype=user\npin=abc\n", "[x]\ntype=menu\n*1=toggle_mut\n",
          "[x]\ntype=menu\nxyz=no_op\n", "[x]\ntype=menu\n1=playback\n"})
        EXPECT_FALSE(load_of(wrong)->ok()) << wrong;
    const auto near = load_of("[x]\ntype=menu\n*1=toggle_mut\n");
    EXPECT_NE(near->diagnostics.text().find("did you mean 'toggle_mute'"), std::string::npos);
}

TEST(Conferences, TakeOptionsOneByOne) {
    ConferenceUser user;
    EXPECT_TRUE(set_option(user, "startmuted", "yes"));
    EXPECT_TRUE(user.startmuted);
    const auto wrong = set_option(user, "startmutd", "yes");
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().text().find("startmuted"), std::string::npos);
    ConferenceMenu menu;
    EXPECT_TRUE(set_option(menu, "1", "no_op"));
    EXPECT_TRUE(set_option(menu, "1", "leave_conference"));
    ASSERT_EQ(menu.entries.size(), 1U);
    EXPECT_EQ(menu.entries[0].steps[0].action, ConferenceMenu::Action::leave_conference);
}

}  // namespace
}  // namespace strowger::pbx::config
