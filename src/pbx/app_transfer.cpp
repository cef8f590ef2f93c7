#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/attended_transfer.hpp"
#include "pbx/call_features.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

AppResult after(const Channel& channel) {
    return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

// Transfer([Tech/]dest): the phone is asked to call that itself. TRANSFERSTATUS is SUCCESS, FAILURE
// or UNSUPPORTED.
Task<AppResult> transfer(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    auto target = trim(args);
    if (const auto slash = target.find('/'); slash != std::string_view::npos) {
        const auto technology = target.substr(0, slash);
        if (!iequals(technology, channel.technology()) && !iequals(technology, "SIP")) {
            (void)call.variables().set("TRANSFERSTATUS", "UNSUPPORTED");
            co_return AppResult::proceed;
        }
        target.remove_prefix(slash + 1);
    }
    const auto asked = co_await channel.transfer_away(std::string(target));
    const bool accepted = asked && *asked >= 200 && *asked < 400;
    if (!asked)
        channel.report(log::Level::notice, fmt::format("Transfer: {}", asked.error().text()));
    (void)call.variables().set("TRANSFERSTATUS", accepted ? "SUCCESS" : "FAILURE");
    (void)call.variables().set("TRANSFERSTATUSPROTOCOL", std::to_string(asked ? *asked : 0));
    co_return after(channel);
}

// BlindTransfer(exten[,context]): whom this channel talks to is sent there. BLINDTRANSFERSTATUS.
AppResult blind_transfer(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto status = [&](std::string_view text) {
        (void)call.variables().set("BLINDTRANSFERSTATUS", std::string(text));
        return after(channel);
    };
    dialplan::Position target;
    target.exten = trim(argument(arguments, 0));
    target.context = trim(argument(arguments, 1));
    if (target.context.empty())
        target.context = call.variable("TRANSFER_CONTEXT").value_or(call.position().context);
    if (target.exten.empty() || !channel.bridge) return status("FAILURE");
    if (!call.dialplan()->exists(target.context, target.exten, call.query()))
        return status("INVALID");
    return status(channel.bridge->transfer_peer(channel, target) ? "SUCCESS" : "FAILURE");
}

// AttendedTransfer(exten[,context]): this channel consults somebody before it sends the other one
// there. ATTENDEDTRANSFERSTATUS tells whether that has begun.
AppResult attended_transfer_to(Call& call, std::string_view args, const Bridge::Starter& starter) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto status = [&](std::string_view text) {
        (void)call.variables().set("ATTENDEDTRANSFERSTATUS", std::string(text));
        return after(channel);
    };
    dialplan::Position target;
    target.exten = trim(argument(arguments, 0));
    target.context = trim(argument(arguments, 1));
    if (target.context.empty()) target.context = transfer_context(channel);
    target.priority = 1;
    if (target.exten.empty() || !channel.bridge ||
        !call.dialplan()->exists(target.context, target.exten, call.query()))
        return status("FAILURE");
    auto& core = channel.core();
    core.tasks.spawn(attended_transfer(core, starter, channel.bridge, channel.shared_from_this(),
                                       std::move(target)));
    return status("SUCCESS");
}

// Where its dialplan, its conversation or the exchange has it go on.
bool redirect(Channel& channel, dialplan::Position target, const Bridge::Starter& starter) {
    if (channel.bridge) {
        const auto bridge = channel.bridge;
        if (const auto peer = bridge->peer_of(channel)) return bridge->transfer_peer(*peer, target);
    }
    if (!starter || (!channel.has_dialplan && !channel.is_up())) return false;
    starter(channel.shared_from_this(), std::move(target));
    return true;
}

// ChannelRedirect(channel,[[context,]exten,]priority): CHANNELREDIRECT_STATUS is NOCHANNEL or
// SUCCESS.
AppResult channel_redirect(Call& call, std::string_view args, const Bridge::Starter& starter) {
    auto& channel = static_cast<Channel&>(call);
    const auto [name, destination] = split_once(args, ',');
    const auto other = channel.core().channels.find_by_name(trim(name));
    std::string status = "NOCHANNEL";
    if (other) {
        const auto target = dialplan::Machine::resolve(call, destination);
        if (!target)
            channel.report(log::Level::warning,
                           fmt::format("ChannelRedirect: {}", target.error().text()));
        status = target && redirect(*other, *target, starter) ? "SUCCESS" : "FAILURE";
    }
    (void)call.variables().set("CHANNELREDIRECT_STATUS", std::move(status));
    return after(channel);
}

}  // namespace

void add_transfer_applications(dialplan::Applications& applications, Bridge::Starter starter) {
    applications.add("Transfer", "Ask the phone to call elsewhere: Transfer(destination)",
                     transfer);
    applications.add_quick(
        "BlindTransfer", "Send the other party on: BlindTransfer(exten[,context])", blind_transfer);
    applications.add_quick(
        "AttendedTransfer",
        "Consult somebody, and send the other party there: AttendedTransfer(exten[,context])",
        [starter](Call& call, std::string_view args) {
            return attended_transfer_to(call, args, starter);
        });
    applications.add_quick(
        "ChannelRedirect",
        "Send another channel on: ChannelRedirect(channel,[[context,]exten,]priority)",
        [starter = std::move(starter)](Call& call, std::string_view args) {
            return channel_redirect(call, args, starter);
        });
}

}  // namespace strowger::pbx
