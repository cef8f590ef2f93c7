#include "pbx/conference_transfer.hpp"

#include <fmt/format.h>

#include "pbx/conference_visit.hpp"
#include "pbx/dial_target.hpp"
#include "pbx/event_queue.hpp"
#include "pbx/local_channel.hpp"
#include "pbx/originate.hpp"

namespace strowger::pbx {

namespace {

// Returns 200 when it has answered.
Task<int> ring(Core& core, ChannelPtr leg, OutgoingLeg& prepared, const ConferenceGuest& guest) {
    EventQueue queue(core.loop);
    leg->listen(&queue);
    auto codecs = guest.codecs;
    const auto dialled = co_await prepared.dial(guest.starter, std::move(codecs));
    const Time until = core.now() + ConferenceGuest::patience;
    int status = dialled ? 0 : sip_status(Cause::subscriber_absent);
    while (status == 0) {
        const auto item = co_await queue.next(until);
        if (!item)
            status = sip_status(Cause::no_answer);
        else if (const auto* gone = std::get_if<channel::HungUp>(&item->event))
            status = sip_status(gone->cause);
        else if (std::holds_alternative<channel::Answered>(item->event))
            status = 200;
        else if (std::holds_alternative<channel::Ringing>(item->event))
            guest.report(180);
    }
    leg->listen(nullptr);
    if (status != 200) leg->hangup(Cause::no_answer);
    co_return status;
}

Result<std::pair<std::shared_ptr<Conference>, Conference::MemberPtr>> seat(
    Core& core, ChannelPtr leg, const ConferenceGuest& guest) {
    auto conference = Conference::open(core, guest.conference, guest.profile);
    if (!conference) return std::unexpected(conference.error());
    const auto* known = core.config->conference_users.find("default_user");
    auto user = known ? *known : config::ConferenceUser{};
    user.admin = user.marked = false;
    auto member = (*conference)->admit(std::move(leg), std::move(user), "");
    if (!member) return std::unexpected(member.error());
    return std::pair{*conference, *member};
}

}  // namespace

Task<> bring_into_conference(Core& core, ConferenceGuest guest) {
    DialTarget target{"Local", fmt::format("{}@{}", guest.target.exten, guest.target.context)};
    auto linkedid = guest.linkedid;
    auto made = co_await OutgoingLeg::make(core, std::move(target), std::move(linkedid));
    if (!made) {
        LOG_NOTICE((log::About{"pbx"}), "transfer from conference {}: {}", guest.conference,
                   made.error().text());
        guest.report(404);
        co_return;
    }
    const auto leg = made->channel();
    leg->connected = guest.caller;
    if (const auto* local = dynamic_cast<const LocalChannel*>(leg.get()))
        for (const auto& [name, value] : guest.variables)
            (void)local->other()->variables().set(name, value);
    const int status = co_await ring(core, leg, *made, guest);
    if (status == 200) co_await until_heard(*leg);
    if (status != 200 || leg->hung_up()) {
        guest.report(status != 200 ? status : sip_status(leg->hangup_cause()));
        co_return;
    }
    const auto seated = seat(core, leg, guest);
    if (!seated) {
        leg->report(log::Level::notice, seated.error().text());
        leg->hangup(Cause::call_rejected);
        guest.report(403);
        co_return;
    }
    guest.report(200);
    leg->has_dialplan = true;  // whoever leads it is here
    auto visit = visit_conference(seated->first, seated->second, std::nullopt);
    (void)co_await std::move(visit);
    leg->has_dialplan = false;
    if (!leg->hung_up()) leg->hangup(Cause::normal_clearing);
    core.signalling.touch();
}

}  // namespace strowger::pbx
