#include "pbx/device_state.hpp"

#include "pbx/hints.hpp"
#include "pbx/test_parts.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using enum DeviceState;

/// A leg whose state a test decides.
class Leg final : public Channel {
public:
    static std::shared_ptr<Leg> make(Parts& parts, std::string technology, std::string resource) {
        auto leg = std::make_shared<Leg>(*parts.core, std::move(technology), std::move(resource));
        parts.channels.add(leg);
        leg->publish(events::ChannelChanged::What::created);
        return leg;
    }
    Leg(Core& core, std::string technology, std::string resource)
        : Channel(core, std::move(technology), std::move(resource), {}) {}

    void is(ChannelState state) { set_state(state); }
    void hold(bool on) {
        held_ = on;
        publish(events::ChannelChanged::What::state);
    }
    void ring() override {}
    Task<Result<>> progress() override { co_return Result<>{}; }
    Task<Result<>> answer() override { co_return Result<>{}; }
    void hangup(Cause cause) override {
        ended(cause);
        core().channels.remove(*this);
    }
    std::optional<media::Party> party() const override { return std::nullopt; }
    bool on_hold() const override { return held_; }

private:
    bool held_ = false;
};

const char* const pjsip =
    "[alice]\ntype=endpoint\naors=alice\n[alice]\ntype=aor\ncontact=sip:127.0.0.1:5070\n"
    "[bob]\ntype=endpoint\naors=bob\ndevice_state_busy_at=2\n[bob]\ntype=aor\ncontact=sip:127.0.0."
    "1:5071\n"
    "[carol]\ntype=endpoint\naors=carol\n[carol]\ntype=aor\nmax_contacts=1\n";
const char* const extensions =
    "[internal]\nexten => 100,1,NoOp()\nexten => 100,hint,PJSIP/alice\nexten => "
    "200,hint,PJSIP/alice&PJSIP/bob\n"
    "exten => 300,hint,Custom:lamp\nexten => _4XX,hint,Custom:${EXTEN}\nexten => "
    "500,hint,PJSIP/carol\n";

TEST(DeviceState, AnEndpointIsUnavailableUntilItCanBeReached) {
    Parts parts(pjsip, extensions);
    EXPECT_EQ(device_state(*parts.core, "PJSIP/alice"), "NOT_INUSE");
    EXPECT_EQ(device_state(*parts.core, "PJSIP/carol"), "UNAVAILABLE");
    Contact contact;
    contact.uri = "sip:carol@127.0.0.1:5072";
    auto& bound = parts.location.bind("carol", contact);
    EXPECT_EQ(device_state(*parts.core, "PJSIP/carol"), "NOT_INUSE");
    bound.reach = Contact::Reach::unreachable;
    EXPECT_EQ(device_state(*parts.core, "PJSIP/carol"), "UNAVAILABLE");
}

TEST(DeviceState, WhatIsNotConfiguredIsInvalidAndNeverAnAbort) {
    Parts parts(pjsip, extensions);
    for (const auto* device :
         {"PJSIP/nobody", "PJSIP/", "PJSIP", "", "SIP/alice", "/", "Local/999@internal", "Local/x"})
        EXPECT_EQ(device_state(*parts.core, device), "INVALID") << device;
    EXPECT_EQ(device_state(*parts.core, "Custom:never-set"), "UNKNOWN");
}

TEST(DeviceState, FollowsItsLegs) {
    Parts parts(pjsip, extensions);
    const auto state = [&] { return device_state(*parts.core, "PJSIP/alice"); };
    const auto first = Leg::make(parts, "PJSIP", "alice");
    EXPECT_EQ(state(), "NOT_INUSE");  // dialled, but the phone has not rung yet
    first->is(ChannelState::ringing);
    EXPECT_EQ(state(), "RINGING");
    first->is(ChannelState::up);
    EXPECT_EQ(state(), "INUSE");
    const auto second = Leg::make(parts, "PJSIP", "alice");
    second->is(ChannelState::ringing);
    EXPECT_EQ(state(), "RINGINUSE");
    second->hangup(Cause::normal_clearing);
    first->hold(true);
    EXPECT_EQ(state(), "ONHOLD");
    first->hold(false);
    first->hangup(Cause::normal_clearing);
    EXPECT_EQ(state(), "NOT_INUSE");
    const auto caller = Leg::make(parts, "PJSIP", "alice");
    caller->is(ChannelState::ring);
    EXPECT_EQ(state(), "INUSE");
    EXPECT_EQ(device_state(*parts.core, "pjsip/alice"), "INUSE");
    caller->hangup(Cause::normal_clearing);
}

TEST(DeviceState, IsBusyAtTheConfiguredNumberOfCalls) {
    Parts parts(pjsip, extensions);
    const auto one = Leg::make(parts, "PJSIP", "bob");
    one->is(ChannelState::up);
    EXPECT_EQ(device_state(*parts.core, "PJSIP/bob"), "INUSE");
    const auto two = Leg::make(parts, "PJSIP", "bob");
    two->is(ChannelState::up);
    EXPECT_EQ(device_state(*parts.core, "PJSIP/bob"), "BUSY");
    EXPECT_EQ(device_state(*parts.core, "PJSIP/bob&PJSIP/alice"), "INUSE");
    one->hangup(Cause::normal_clearing);
    two->hangup(Cause::normal_clearing);
}

TEST(DeviceState, LocalDevicesAreThereWhenTheirExtensionIs) {
    Parts parts(pjsip, extensions);
    EXPECT_EQ(device_state(*parts.core, "Local/100@internal"), "NOT_INUSE");
    EXPECT_EQ(device_state(*parts.core, "Local/100@internal/n"), "NOT_INUSE");
    EXPECT_EQ(device_state(*parts.core, "Local/101@internal"), "INVALID");
}

TEST(DeviceState, CustomDevicesAreWhatTheStoreSays) {
    Parts parts(pjsip, extensions);
    parts.store.put(custom_state_family, "lamp", "inuse");
    EXPECT_EQ(device_state(*parts.core, "Custom:lamp"), "INUSE");
    parts.store.put(custom_state_family, "lamp", "nonsense");
    EXPECT_EQ(device_state(*parts.core, "Custom:lamp"), "UNKNOWN");
}

TEST(Channels, ALegThatHasEndedIsFreedThoughNobodyTookItsLastEvent) {
    Parts parts(pjsip, extensions);
    auto leg = Leg::make(parts, "PJSIP", "alice");
    const std::weak_ptr<Leg> watched = leg;
    leg->hangup(Cause::normal_clearing);
    leg.reset();
    EXPECT_TRUE(watched.expired());
}

TEST(DeviceState, SeveralDevicesTogether) {
    const auto of = [](std::initializer_list<DeviceState> states) {
        return aggregate(std::vector(states));
    };
    EXPECT_EQ(of({}), unknown);
    EXPECT_EQ(of({not_inuse, unavailable}), not_inuse);
    EXPECT_EQ(of({unavailable, unavailable}), unavailable);
    EXPECT_EQ(of({inuse, not_inuse}), inuse);
    EXPECT_EQ(of({ringing, not_inuse}), ringing);
    EXPECT_EQ(of({ringing, inuse}), ringinuse);
    EXPECT_EQ(of({ringing, onhold}), ringinuse);
    EXPECT_EQ(of({busy, busy}), busy);
    EXPECT_EQ(of({busy, unavailable}), busy);
    EXPECT_EQ(of({busy, not_inuse}), inuse);
    EXPECT_EQ(of({onhold, not_inuse}), onhold);
    EXPECT_EQ(of({onhold, inuse}), inuse);
    EXPECT_EQ(of({invalid, unavailable}), unavailable);
    EXPECT_EQ(of({invalid}), invalid);
}

TEST(Hints, AnExtensionsStateIsThatOfItsDevices) {
    Parts parts(pjsip, extensions);
    parts.store.put(custom_state_family, "401", "RINGING");
    EXPECT_EQ(extension_state(*parts.core, "internal", "100"), "NOT_INUSE");
    EXPECT_EQ(extension_state(*parts.core, "internal", "401"), "RINGING");
    EXPECT_EQ(extension_state(*parts.core, "internal", "500"), "UNAVAILABLE");
    EXPECT_EQ(extension_state(*parts.core, "internal", "999"), "UNKNOWN");
    EXPECT_EQ(extension_state(*parts.core, "nowhere", "100"), "UNKNOWN");
}

struct Followed {
    std::vector<std::string> changes;
    std::shared_ptr<void> handle;
    explicit Followed(Hints& hints) {
        handle = hints.on_change([this](const Hints::Hint& hint) {
            changes.push_back(fmt::format("{}@{} {}", hint.exten, hint.context,
                                          hint.devices.empty() ? "gone" : text_of(hint.state)));
        });
    }
    std::vector<std::string> take() {
        std::sort(changes.begin(), changes.end());
        return std::exchange(changes, {});
    }
};

using Lines = std::vector<std::string>;

TEST(Hints, TellsOfEachChangeOnceAndOnlyOfChanges) {
    Parts parts(pjsip, extensions);
    Hints hints(*parts.core);
    hints.configure();
    Followed followed(hints);
    const auto leg = Leg::make(parts, "PJSIP", "alice");
    leg->is(ChannelState::ringing);
    parts.pause(5ms);
    EXPECT_EQ(followed.take(), (Lines{"100@internal RINGING", "200@internal RINGING"}));
    leg->is(ChannelState::up);
    leg->hold(true);
    leg->hold(false);
    parts.pause(5ms);
    EXPECT_EQ(followed.take(), (Lines{"100@internal INUSE", "200@internal INUSE"}));
    leg->hangup(Cause::normal_clearing);
    parts.pause(5ms);
    EXPECT_EQ(followed.take(), (Lines{"100@internal NOT_INUSE", "200@internal NOT_INUSE"}));
}

TEST(Hints, FollowRegistrationsAndReachability) {
    Parts parts(pjsip, extensions);
    Hints hints(*parts.core);
    hints.configure();
    Followed followed(hints);
    Contact contact;
    contact.uri = "sip:carol@127.0.0.1:5072";
    parts.location.bind("carol", contact);
    parts.pause(5ms);
    EXPECT_EQ(followed.take(), Lines{"500@internal NOT_INUSE"});
    parts.location.find("carol")->front().reach = Contact::Reach::unreachable;
    parts.events.publish(events::ContactStatus{"carol", contact.uri, false, {}});
    parts.pause(5ms);
    EXPECT_EQ(followed.take(), Lines{"500@internal UNAVAILABLE"});
}

TEST(Hints, FollowCustomDevicesAndExtensionsBehindAPatternOnceAskedFor) {
    Parts parts(pjsip, extensions);
    Hints hints(*parts.core);
    hints.configure();
    Followed followed(hints);
    EXPECT_EQ(hints.follow("internal", "999"), nullptr);
    ASSERT_NE(hints.follow("internal", "401"), nullptr);
    for (const auto* name : {"lamp", "401", "402"}) {
        parts.store.put(custom_state_family, name, "INUSE");
        parts.events.publish(events::DeviceStateChanged{"Custom:" + std::string(name), "INUSE"});
    }
    parts.pause(5ms);
    EXPECT_EQ(followed.take(), (Lines{"300@internal INUSE", "401@internal INUSE"}));
}

TEST(Hints, AReloadTellsWhatIsGoneAndWhatIsOtherNow) {
    Parts parts(pjsip, extensions);
    Hints hints(*parts.core);
    hints.configure();
    Followed followed(hints);
    parts.load(pjsip, "[internal]\nexten => 100,hint,PJSIP/carol\nexten => 300,hint,Custom:lamp\n");
    hints.configure();
    EXPECT_EQ(followed.take(),
              (Lines{"100@internal UNAVAILABLE", "200@internal gone", "500@internal gone"}));
    EXPECT_EQ(hints.all().size(), 2u);
}

}  // namespace
}  // namespace strowger::pbx
