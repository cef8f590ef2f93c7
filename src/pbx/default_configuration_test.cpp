// The configuration that ships: it must load without a word, and its dialplan must do what it says.

#include <gtest/gtest.h>

#include "io/disk_files.hpp"
#include "pbx/config/configuration.hpp"
#include "pbx/dialplan/fixture.hpp"

namespace strowger::pbx {
namespace {

using dialplan::AppResult;
using dialplan::Call;
using Said = std::vector<std::string>;

struct Shipped {
    io::DiskFileSource files;
    std::shared_ptr<config::Configuration> configuration =
        config::load(files, STROWGER_SOURCE_DIR "/etc");
    dialplan::testing::Exchange exchange;
    Said said;
    std::string status = "ANSWER";

    Shipped() {
        std::vector<dialplan::ExtraHint> hints;
        for (const auto& hint : configuration->hints)
            hints.push_back({hint.context, hint.exten, "PJSIP/" + hint.endpoint, hint.application,
                             hint.file, hint.line});
        exchange.plan =
            dialplan::load(configuration->extensions, hints, configuration->diagnostics);
        dialplan::load_globals(*exchange.plan, exchange.environment);
        exchange.functions.add("PJSIP_DIAL_CONTACTS", "",
                               [](Call&, std::string_view endpoint) -> Result<std::string> {
                                   return fmt::format("PJSIP/{0}/sip:{0}@192.0.2.1;ob", endpoint);
                               });
        exchange.functions.add("CALLERID", "", [](Call&, std::string_view) -> Result<std::string> {
            return std::string("102");
        });
        for (const auto* name : {"Answer", "Playback", "Echo", "MusicOnHold", "Progress", "Busy",
                                 "Congestion", "Hangup"})
            exchange.applications.add_quick(name, "", [this, name](Call&, std::string_view args) {
                said.push_back(fmt::format("{}({})", name, args));
                const std::string_view is = name;
                return is == "Hangup" || is == "Busy" || is == "Congestion" ? AppResult::hangup
                                                                            : AppResult::proceed;
            });
        exchange.applications.add_quick("Dial", "", [this](Call& call, std::string_view args) {
            said.push_back(fmt::format("Dial({})", args));
            (void)call.variables().set("DIALSTATUS", status);
            return AppResult::proceed;
        });
    }
};

TEST(DefaultConfiguration, LoadsWithoutDiagnostics) {
    const Shipped shipped;
    EXPECT_EQ(shipped.configuration->diagnostics.text(), "");
    EXPECT_EQ(shipped.configuration->endpoints.size(), 2u);
    EXPECT_EQ(shipped.configuration->transports.size(), 2u);
    EXPECT_EQ(shipped.configuration->indications.zones.size(), 5u);
    EXPECT_EQ(shipped.exchange.plan->hints().size(), 2u);
    EXPECT_EQ(shipped.configuration->endpoints.find("alice")->context, "dp_entry_call_inout");
}

TEST(DefaultConfiguration, ACallToANumberRingsItsPhone) {
    Shipped shipped;
    shipped.exchange.run("dp_entry_call_inout", "101");
    EXPECT_EQ(shipped.said, (Said{"Dial(PJSIP/alice/sip:alice@192.0.2.1;ob,30)", "Hangup()"}));
    EXPECT_TRUE(shipped.exchange.call.reports.empty()) << shipped.exchange.call.reports.front();
}

TEST(DefaultConfiguration, WhoIsBusyOrAwayIsSaidToBe) {
    Shipped shipped;
    shipped.status = "BUSY";
    shipped.exchange.run("dp_entry_call_inout", "102");
    EXPECT_EQ(shipped.said, (Said{"Dial(PJSIP/bob/sip:bob@192.0.2.1;ob,30)", "Progress()",
                                  "Playback(vm-theperson&vm-isonphone,noanswer)", "Busy(1)"}));
    Shipped away;
    away.status = "NOANSWER";
    away.exchange.run("dp_entry_call_in", "4685551234");
    EXPECT_EQ(away.said.back(), "Hangup(19)");
    Shipped nobody;
    nobody.exchange.run("dp_entry_call_inside", "399");
    EXPECT_EQ(nobody.said.back(), "Hangup(1)");
}

TEST(DefaultConfiguration, TheWorldIsReachedThroughTheTrunk) {
    Shipped shipped;
    (void)shipped.exchange.call.variables().set("TRUNK_ENDPOINT", "trunk");
    shipped.exchange.run("dp_entry_call_inout", "0855512");
    EXPECT_EQ(shipped.said.front(), "Dial(PJSIP/+46855512@trunk,30)");
    EXPECT_FALSE(shipped.exchange.plan->exists("dp_entry_call_inside", "0855512", {}));
}

TEST(DefaultConfiguration, TheServicesAnswer) {
    Shipped echo;
    echo.exchange.run("dp_entry_call_inout", "600");
    EXPECT_EQ(echo.said, (Said{"Answer()", "Playback(demo-echotest)", "Echo()",
                               "Playback(demo-echodone)", "Hangup()"}));
    Shipped music;
    music.exchange.run("dp_entry_call_inside", "601");
    EXPECT_EQ(music.said[1], "MusicOnHold(default)");
}

}  // namespace
}  // namespace strowger::pbx
