#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/bridge.hpp"
#include "pbx/codecs.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/regex.hpp"
#include "pbx/hangup_handlers.hpp"
#include "pbx/prompt.hpp"
#include "pbx/sip_channel.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

constexpr std::size_t max_shared_variables = 1000;  // of one channel; dialplans use a few
constexpr std::size_t max_shared_bytes = 64 << 10;  // of one value

std::string joined(const std::vector<unsigned>& groups) {
    return fmt::format("{}", fmt::join(groups, ","));
}

// Names as Asterisk has them, where they differ from SDP's.
std::string format_name(std::string_view codec) { return codec_name(codec); }

std::string formats(const Channel& channel, std::string_view kind, std::string_view otherwise) {
    std::string names;
    for (const auto& codec : channel.codecs())
        if (sdp::kind_of(codec) == kind)
            (names += names.empty() ? "" : "|") += format_name(codec.name);
    return "(" + (names.empty() ? std::string(otherwise) : names) + ")";
}

// rtp,src | rtp,dest | rtcp,all | rtcp,txjitter ...: of the media as it was when last looked at.
Result<std::string> media_field(const Channel& channel, std::string_view kind,
                                std::string_view field) {
    const auto* sip = dynamic_cast<const SipChannel*>(&channel);
    if (!sip || !sip->last_stats()) return std::string();
    const auto& stats = *sip->last_stats();
    if (kind == "rtp") {
        if (field == "src") return stats.local.text();
        if (field == "dest") return stats.remote.text();
        if (field == "secure" || field == "hold") return std::string("0");
        return fail("CHANNEL(rtp): unknown field '{}'", field);
    }
    const auto& in = stats.received;
    const auto& out = stats.sent;
    if (field.empty() || field == "all")
        return fmt::format(
            "ssrc=0;themssrc=0;lp={};rxjitter={:.6f};rxcount={};txjitter={:.6f};txcount={};rlp={};"
            "rtt={:.6f}",
            in.lost, in.jitter_ms / 1000, in.packets, out.jitter_ms / 1000, out.packets, out.lost,
            stats.round_trip_ms / 1000);
    if (field == "rtt") return fmt::format("{:.6f}", stats.round_trip_ms / 1000);
    if (field == "txcount") return std::to_string(out.packets);
    if (field == "rxcount") return std::to_string(in.packets);
    if (field == "txjitter") return fmt::format("{:.6f}", out.jitter_ms / 1000);
    if (field == "rxjitter") return fmt::format("{:.6f}", in.jitter_ms / 1000);
    if (field == "txploss") return std::to_string(out.lost);
    if (field == "rxploss") return std::to_string(in.lost);
    if (field == "rxmes" || field == "mes") return fmt::format("{:.2f}", in.mos * 20);
    return fail("CHANNEL(rtcp): unknown field '{}'", field);
}

Result<std::string> read_channel(Call& call, std::string_view args) {
    const auto& channel = static_cast<const Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    std::string field = to_lower(trim(argument(arguments, 0)));
    if (field == "pjsip") field = to_lower(trim(argument(arguments, 1)));
    if (field == "rtp" || field == "rtcp")
        return media_field(channel, field, trim(argument(arguments, 1)));
    const auto endpoint = channel.endpoint();
    if (field == "name") return channel.name();
    if (field == "state") return std::string(text_of(channel.state()));
    if (field == "language") return channel.language;
    if (field == "musicclass") return channel.music_class;
    if (field == "accountcode") return channel.accountcode;
    if (field == "userfield") return channel.userfield;
    if (field == "uniqueid") return channel.uniqueid();
    if (field == "linkedid") return channel.linkedid();
    if (field == "channeltype") return channel.technology();
    if (field == "context") return call.position().context;
    if (field == "exten") return call.position().exten;
    if (field == "checkhangup") return std::string(channel.hung_up() ? "1" : "0");
    if (field == "appname") return channel.last_application;
    if (field == "appdata") return channel.last_arguments;
    if (field == "hangupsource") return channel.hung_up() ? channel.name() : std::string();
    if (field == "amaflags") return std::string("3");
    if (field == "tonezone")
        return !channel.tone_zone.empty() || !endpoint ? channel.tone_zone : endpoint->tone_zone;
    if (field == "peer") {
        const auto peer = channel.bridge ? channel.bridge->peer_of(channel) : nullptr;
        return peer ? peer->name() : std::string();
    }
    if (field == "audionativeformat") return formats(channel, "audio", "slin");
    if (field == "audioreadformat" || field == "audiowriteformat") {
        const auto all = channel.codecs();
        return all.empty() ? std::string("slin") : format_name(all.front().name);
    }
    if (field == "videonativeformat") return formats(channel, "video", "nothing");
    if (endpoint) {
        if (field == "callgroup") return joined(endpoint->call_group);
        if (field == "pickupgroup") return joined(endpoint->pickup_group);
        if (field == "namedcallgroup")
            return fmt::format("{}", fmt::join(endpoint->named_call_group, ","));
        if (field == "namedpickupgroup")
            return fmt::format("{}", fmt::join(endpoint->named_pickup_group, ","));
    }
    if (auto value = channel.signalling_field(field)) return std::move(*value);
    static constexpr std::string_view quiet[] = {
        "rxgain",  "txgain", "parkinglot",    "transfercapability", "callid",
        "contact", "trace",  "dtmf_features", "after_bridge_goto",  "max_forwards"};
    if (std::find(std::begin(quiet), std::end(quiet), field) != std::end(quiet))
        return std::string();
    return fail("unknown field '{}'", field);
}

Result<> write_channel(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto field = to_lower(trim(args));
    if (field == "language")
        channel.language = trim(value);
    else if (field == "musicclass")
        channel.music_class = trim(value);
    else if (field == "accountcode")
        channel.accountcode = value;
    else if (field == "userfield")
        channel.userfield = value;
    else if (field == "tonezone")
        channel.tone_zone = trim(value);
    else if (field == "hangup_handler_push")
        return push_hangup_handler(channel, value);
    else if (field == "hangup_handler_pop") {
        if (!channel.hangup_handlers.empty()) channel.hangup_handlers.pop_back();
        if (!trim(value).empty()) return push_hangup_handler(channel, value);
    } else if (field == "hangup_handler_wipe") {
        channel.hangup_handlers.clear();
        if (!trim(value).empty()) return push_hangup_handler(channel, value);
    } else {
        return fail("'{}' is unknown or cannot be set", field);
    }
    return {};
}

// CHANNELS([regex]): the names of all channels.
Result<std::string> channels(Call& call, std::string_view args) {
    std::string names;
    const auto pattern = trim(args);
    for (const auto& channel : static_cast<Channel&>(call).core().channels.all()) {
        if (!pattern.empty()) {
            const auto found = dialplan::search(pattern, channel->name());
            if (!found) return std::unexpected(found.error());
            if (!found->matched) continue;
        }
        (names += names.empty() ? "" : " ") += channel->name();
    }
    return names;
}

std::shared_ptr<Channel> named(Channel& channel, std::string_view name) {
    if (name.empty()) return channel.shared_from_this();
    if (auto found = channel.core().channels.find_by_name(name)) return found;
    return channel.core().channels.find(name);
}

std::shared_ptr<Channel> master_of(Channel& channel) {
    auto master = channel.core().channels.find(channel.linkedid());
    return master ? master : channel.shared_from_this();
}

// A variable or function of another channel.
std::string value_on(Call& call, const std::string& name) {
    if (name.find('(') != std::string::npos && name.ends_with(')'))
        return call.environment().functions.read(call, name).value_or("");
    return call.variable(name).value_or("");
}

Result<std::string> read_master(Call& call, std::string_view args) {
    return value_on(*master_of(static_cast<Channel&>(call)), std::string(trim(args)));
}

Result<> write_master(Call& call, std::string_view args, std::string_view value) {
    return master_of(static_cast<Channel&>(call))->assign(trim(args), value);
}

// IMPORT(channel,var) and EXPORT(channel,var)=
Result<std::string> read_import(Call& call, std::string_view args) {
    const auto [name, variable] = split_once(args, ',');
    const auto other = named(static_cast<Channel&>(call), trim(name));
    if (!other) return fail("there is no channel '{}'", trim(name));
    return value_on(*other, std::string(trim(variable)));
}

Result<> write_export(Call& call, std::string_view args, std::string_view value) {
    const auto [name, variable] = split_once(args, ',');
    const auto other = named(static_cast<Channel&>(call), trim(name));
    if (!other) return fail("there is no channel '{}'", trim(name));
    return other->assign(trim(variable), value);
}

// SHARED(var[,channel])
Result<std::string> read_shared(Call& call, std::string_view args) {
    const auto [variable, name] = split_once(args, ',');
    const auto other = named(static_cast<Channel&>(call), trim(name));
    if (!other) return fail("there is no channel '{}'", trim(name));
    const auto found = other->shared_variables.find(trim(variable));
    return found == other->shared_variables.end() ? std::string() : found->second;
}

Result<> write_shared(Call& call, std::string_view args, std::string_view value) {
    const auto [variable, name] = split_once(args, ',');
    const auto other = named(static_cast<Channel&>(call), trim(name));
    if (!other) return fail("there is no channel '{}'", trim(name));
    if (value.size() > max_shared_bytes || other->shared_variables.size() >= max_shared_variables)
        return fail("too much for '{}'", other->name());
    other->shared_variables.insert_or_assign(std::string(trim(variable)), std::string(value));
    return {};
}

Result<std::string> read_timeout(Call& call, std::string_view args) {
    const auto& channel = static_cast<const Channel&>(call);
    const auto field = trim(args);
    if (iequals(field, "digit")) return fmt::format("{:.3f}", seconds(channel.digit_timeout));
    if (iequals(field, "response")) return fmt::format("{:.3f}", seconds(channel.response_timeout));
    if (iequals(field, "absolute")) {
        if (channel.absolute_timeout_at == Time::max()) return std::string("0.000");
        return fmt::format(
            "{:.3f}", std::max(0.0, seconds(channel.absolute_timeout_at - channel.core().now())));
    }
    return fail("unknown timeout '{}'", field);
}

Result<> write_timeout(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto field = trim(args);
    const auto duration = parse_seconds(value);
    if (!duration) return fail("TIMEOUT({}): '{}' is no number of seconds", field, value);
    if (iequals(field, "digit")) {
        channel.digit_timeout = *duration;
    } else if (iequals(field, "response")) {
        channel.response_timeout = *duration;
    } else if (iequals(field, "absolute")) {
        channel.absolute_timeout.cancel();
        channel.absolute_timeout_at = Time::max();
        if (*duration == Duration::zero()) return {};
        channel.absolute_timeout_at = channel.core().now() + *duration;
        // The timer is the channel's own, so it never outlives it.
        channel.absolute_timeout = channel.core().loop.at(channel.absolute_timeout_at, [&channel] {
            channel.absolute_timeout_at = Time::max();
            channel.time_out();
            channel.raise(channel::Interrupted{});
        });
    } else {
        return fail("unknown timeout '{}'", field);
    }
    return {};
}

// HANGUPCAUSE(channel,tech|ast): of a leg that this channel dialled.
Result<std::string> hangup_cause(Call& call, std::string_view args) {
    const auto& channel = static_cast<const Channel&>(call);
    const auto [name, type] = split_once(args, ',');
    for (auto leg = channel.leg_outcomes.rbegin(); leg != channel.leg_outcomes.rend(); ++leg) {
        if (leg->channel != trim(name)) continue;
        if (iequals(trim(type), "ast")) return std::string(text_of(leg->cause));
        return leg->text;
    }
    return fail("'{}' was not dialled from here", trim(name));
}

Result<std::string> hangup_cause_keys(Call& call, std::string_view) {
    std::string names;
    for (const auto& leg : static_cast<const Channel&>(call).leg_outcomes)
        (names += names.empty() ? "" : ",") += leg.channel;
    return names;
}

// MUTEAUDIO(in|out|all)=on|off. The engine can keep what the party says from the others; what it
// hears cannot be muted by itself.
Result<> mute_audio(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto direction = trim(args);
    if (!iequals(direction, "in") && !iequals(direction, "all"))
        return fail("direction '{}' cannot be muted", direction);
    const auto party = channel.party();
    if (!party) return fail("the channel has no media yet");
    const bool on = is_true(trim(value));
    channel.core().tasks.spawn([](ChannelPtr self, media::Party who, bool mute) -> Task<> {
        media::BlockRequest request{std::move(who), mute, false};
        const auto blocked = co_await self->core().engine.block(std::move(request));
        if (!blocked) self->report(log::Level::warning, blocked.error().text());
    }(channel.shared_from_this(), *party, on));
    return {};
}

}  // namespace

void add_leg_functions(dialplan::Functions& functions) {
    functions.add("CHANNEL", "A property of this channel: CHANNEL(field)", read_channel,
                  write_channel);
    functions.add("CHANNELS", "The names of all channels: CHANNELS([regex])", channels);
    functions.add("MASTER_CHANNEL",
                  "A variable of the channel that began the call: MASTER_CHANNEL(var)", read_master,
                  write_master);
    functions.add("IMPORT", "A variable of another channel: IMPORT(channel,var)", read_import);
    functions.add("EXPORT", "Set a variable of another channel: EXPORT(channel,var)=", {},
                  write_export);
    functions.add("SHARED", "A variable that channels share: SHARED(var[,channel])", read_shared,
                  write_shared);
    functions.add("TIMEOUT", "How long to wait: TIMEOUT(absolute|digit|response)", read_timeout,
                  write_timeout);
    functions.add("HANGUPCAUSE", "Why a dialled leg ended: HANGUPCAUSE(channel,tech|ast)",
                  hangup_cause);
    functions.add("HANGUPCAUSE_KEYS", "The dialled legs: HANGUPCAUSE_KEYS()", hangup_cause_keys);
    functions.add("MUTEAUDIO", "Mute what the caller says: MUTEAUDIO(in)=on", {}, mute_audio);
}

}  // namespace strowger::pbx
