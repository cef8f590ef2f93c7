#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/conference.hpp"
#include "pbx/conference_visit.hpp"
#include "pbx/device_state.hpp"
#include "pbx/dial_target.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/event_queue.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

constexpr std::size_t max_devices = 128;  // a page to more is better made by multicast
constexpr int max_redirections = 16;      // 302s followed for one page
constexpr Duration default_patience = std::chrono::seconds{30};

struct Paging {
    Core& core;
    Bridge::Starter starter;
    std::shared_ptr<Conference> conference;
    ChannelPtr caller;
    OptionLetters options;
    Duration patience;
    int redirections = 0;
    bool over = false;  ///< the caller has left
};
using PagingPtr = std::shared_ptr<Paging>;  // of the caller and all legs, whoever ends last

std::string carets_to_commas(std::string_view text) {
    std::string result(text);
    std::replace(result.begin(), result.end(), '^', ',');
    return result;
}

Task<> page_one(PagingPtr paging, DialTarget target);

// Option i: whoever has sent its calls elsewhere is not paged there.
void follow(const PagingPtr& paging, const std::string& target) {
    if (paging->options.has('i') || paging->redirections++ >= max_redirections) return;
    const auto context =
        paging->caller->variable("FORWARD_CONTEXT").value_or(paging->caller->position().context);
    DialTarget next{"Local", target + "@" + context};
    paging->core.tasks.spawn(page_one(paging, std::move(next)));
}

// Until the phone answers. False: it does not.
Task<bool> answered(PagingPtr paging, ChannelPtr channel, EventQueue& queue) {
    const Time until = paging->core.now() + paging->patience;
    while (!paging->over) {
        // A look now and then whether the caller is still there.
        static constexpr Duration look = std::chrono::milliseconds{250};
        const auto item = co_await queue.next(std::min(until, paging->core.now() + look));
        if (!item && paging->core.now() >= until) co_return false;
        if (!item) continue;
        if (std::holds_alternative<channel::HungUp>(item->event)) co_return false;
        if (const auto* moved = std::get_if<channel::Redirected>(&item->event))
            follow(paging, moved->target);
        if (std::holds_alternative<channel::Answered>(item->event)) co_return !channel->hung_up();
    }
    co_return false;
}

// One phone, from its INVITE until it or the caller hangs up.
Task<> page_one(PagingPtr paging, DialTarget target) {
    auto& core = paging->core;
    const auto name = target.technology + '/' + target.resource;
    std::string linkedid = paging->caller->linkedid();
    auto leg = co_await OutgoingLeg::make(core, std::move(target), std::move(linkedid));
    if (!leg) {
        LOG_NOTICE((log::About{"pbx"}), "Page: {}: {}", name, leg.error().text());
        co_return;
    }
    const auto channel = leg->channel();
    channel->connected = paging->caller->caller;
    channel->dialled = channel->caller.number = paging->caller->position().exten;
    if (const auto endpoint = channel->endpoint(); endpoint && !endpoint->callerid.number.empty())
        channel->caller = {endpoint->callerid.number, endpoint->callerid.name};
    paging->caller->inherit_to(*channel);
    channel->set_position(paging->caller->position());
    EventQueue queue(core.loop);
    channel->listen(&queue);
    bool dials = true;
    if (const auto before = paging->options.argument('b')) {
        std::string routine = carets_to_commas(*before);
        (void)co_await dialplan::Machine::run_subroutine(*channel, std::move(routine));
        dials = !channel->hung_up();
    }
    if (dials) {
        auto preferred = paging->caller->codecs();
        const auto dialled = co_await leg->dial(paging->starter, std::move(preferred));
        if (!dialled) LOG_NOTICE(channel->about(), "Page: {}: {}", name, dialled.error().text());
        dials = dialled && co_await answered(paging, channel, queue);
    }
    channel->listen(nullptr);
    if (dials && !paging->over) {
        config::ConferenceUser user;
        user.name = "paged";
        user.quiet = user.end_marked = true;
        user.startmuted = !paging->options.has('d');
        user.announcement = paging->options.argument('A').value_or("");
        auto member = paging->conference->admit(channel, std::move(user), {});
        if (member) {
            auto visit = visit_conference(paging->conference, *member, std::nullopt);
            (void)co_await std::move(visit);
        }
    }
    channel->hangup(Cause::normal_clearing);
    core.signalling.touch();
}

bool in_use(Core& core, const DialTarget& target) {
    const auto device =
        fmt::format("{}/{}", target.technology, split_once(target.resource, '/').first);
    const auto state = state_of(core, device);
    return state != DeviceState::not_inuse && state != DeviceState::unknown;
}

// Page(tech/device[&...][,options[,seconds]])
Task<AppResult> page(Call& call, std::string_view args, Bridge::Starter starter) {
    auto& channel = static_cast<Channel&>(call);
    const ChannelPtr share = channel.shared_from_this();
    auto& core = channel.core();
    const auto arguments = dialplan::split_arguments(args);
    auto targets = DialTarget::parse_list(argument(arguments, 0));
    const OptionLetters options(argument(arguments, 1));
    if (targets.empty()) {
        channel.report(log::Level::warning, "Page has nobody to page");
        co_return AppResult::proceed;
    }
    if (targets.size() > max_devices) {
        channel.report(log::Level::warning, fmt::format("Page: {} devices, only {} are paged",
                                                        targets.size(), max_devices));
        targets.resize(max_devices);
    }
    if (!co_await open_media(channel)) co_return AppResult::hangup;

    config::ConferenceBridge profile;
    profile.sounds["begin"] = "";
    profile.record_conference = options.has('r');
    auto opened = Conference::open(core, "Page/" + channel.uniqueid(), profile);
    if (!opened) {
        channel.report(log::Level::warning, opened.error().text());
        co_return AppResult::proceed;
    }
    const auto paging = std::make_shared<Paging>(
        Paging{core, std::move(starter), *opened, share, options,
               parse_seconds(argument(arguments, 2)).value_or(default_patience)});
    if (paging->patience <= Duration::zero()) paging->patience = default_patience;
    // The caller first: those who answer come to somebody.
    config::ConferenceUser speaker;
    speaker.name = "paging";
    speaker.quiet = speaker.marked = speaker.admin = true;
    // n: what all hear before, but for the caller.
    if (!options.has('n')) speaker.announcement = options.argument('A').value_or("");
    const auto member = paging->conference->admit(share, std::move(speaker), {});
    if (!member) co_return AppResult::proceed;
    (void)co_await paging->conference->settle(*member);
    for (auto& target : targets) {
        if (options.has('s') && in_use(core, target)) continue;
        core.tasks.spawn(page_one(paging, std::move(target)));
    }
    if (!options.has('q') && !options.has('A')) (*member)->to_hear.emplace_back("beep");
    auto visit = visit_conference(paging->conference, *member, std::nullopt);
    (void)co_await std::move(visit);
    paging->over = true;
    co_return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

}  // namespace

void add_page_application(dialplan::Applications& applications, Bridge::Starter starter) {
    applications.add("Page", "Speak to several phones: Page(tech/device[&...][,options[,seconds]])",
                     [starter = std::move(starter)](Call& call, std::string_view args) {
                         return page(call, args, starter);
                     });
}

}  // namespace strowger::pbx
