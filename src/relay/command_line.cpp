#include "relay/command_line.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <map>

#include "base/text.hpp"
#include "io/open_files.hpp"
#include "relay/request.hpp"
#include "relay/words.hpp"

namespace strowger::relay {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (const auto word : split(trim(line), ' '))
        if (!trim(word).empty()) words.push_back(trim(word));
    return words;
}

constexpr std::string_view usage =
    "list numsessions | sessions [all|own|foreign|CALLID] | totals | counters | interfaces |\n"
    "     jsonstats | maxopenfiles | maxsessions | maxcpu | maxload | maxbw | timeout |\n"
    "     silenttimeout | offertimeout | finaltimeout | deletedelay | controltos | loglevels |\n"
    "     loglevel | transcoders\n"
    "set maxsessions | maxcpu | maxload | maxbw | timeout | silenttimeout | offertimeout |\n"
    "    finaltimeout | deletedelay | loglevel NUMBER\n"
    "terminate CALLID | all | own | foreign\n"
    "params start | current | diff | revert\n"
    "debug CALLID on | off\n"
    "call CALLID info | terminate | debug on|off | delay MILLISECONDS\n"
    "     | tag TAG info | tag TAG delay MILLISECONDS\n"
    "media list | add | reload | evict files | dbs | caches | players\n"
    "usage\n";

/// A setting that can be listed and set, in seconds or as a number.
struct Setting {
    std::string_view name;
    std::string (*get)(const Settings&);
    bool (*set)(Settings&, std::string_view);
};

template <auto Member>
constexpr Setting duration(std::string_view name) {
    return {name,
            [](const Settings& settings) {
                return fmt::to_string(
                    std::chrono::duration_cast<std::chrono::seconds>(settings.*Member).count());
            },
            [](Settings& settings, std::string_view value) {
                constexpr long longest = 10L * 365 * 86'400;
                const auto parsed = parse_number<long>(value);
                if (!parsed || *parsed < 0 || *parsed > longest) return false;
                settings.*Member = std::chrono::seconds(*parsed);
                return true;
            }};
}

template <auto Member>
constexpr Setting number(std::string_view name) {
    using Number = std::remove_cvref_t<decltype(std::declval<Settings>().*Member)>;
    return {name, [](const Settings& settings) { return fmt::to_string(settings.*Member); },
            [](Settings& settings, std::string_view value) {
                const auto parsed = parse_number<Number>(value);
                if (parsed) settings.*Member = *parsed;
                return parsed.has_value();
            }};
}

template <auto Member>
constexpr Setting load(std::string_view name) {
    using Number = std::remove_cvref_t<decltype(std::declval<LoadLimits>().*Member)>;
    return {name,
            [](const Settings& settings) { return fmt::to_string(settings.max_load.*Member); },
            [](Settings& settings, std::string_view value) {
                Number parsed{};
                const auto [end, error] =
                    std::from_chars(value.data(), value.data() + value.size(), parsed);
                const bool right = error == std::errc{} && end == value.data() + value.size() &&
                                   parsed >= 0;  // and is a number at all
                if (right) settings.max_load.*Member = parsed;
                return right;
            }};
}

constexpr Setting settings_table[] = {
    duration<&Settings::timeout>("timeout"),
    duration<&Settings::silent_timeout>("silenttimeout"),
    duration<&Settings::offer_timeout>("offertimeout"),
    duration<&Settings::final_timeout>("finaltimeout"),
    duration<&Settings::delete_delay>("deletedelay"),
    number<&Settings::max_sessions>("maxsessions"),
    load<&LoadLimits::cpu>("maxcpu"),
    load<&LoadLimits::load>("maxload"),
    load<&LoadLimits::bandwidth>("maxbw"),
    number<&Settings::control_tos>("controltos"),
    number<&Settings::log_level>("loglevel"),
};

const Setting* setting_named(std::string_view name) {
    for (const auto& setting : settings_table)
        if (setting.name == name) return &setting;
    return nullptr;
}

std::string list_sessions(Relay& relay, std::string_view which) {
    std::string text;
    const auto brief = [&](const Call& call) {
        fmt::format_to(
            std::back_inserter(text),
            "callid: {:60} | deletionmark:{:4} | created:{:12} | proxy: | redis_keyspace:0 | "
            "foreign:no\n",
            call.id, call.delete_at ? "yes" : "no",
            std::chrono::duration_cast<std::chrono::seconds>(call.created.time_since_epoch())
                .count());
    };
    if (which.empty() || which == "all" || which == "own") {
        for (const auto& [id, call] : relay.calls()) brief(*call);
        return text.empty() ? "No sessions.\n" : text;
    }
    if (which == "foreign") return "No sessions.\n";
    Call* call = relay.find(which);
    if (!call) return fmt::format("\nCall Id not found ({}).\n\n", which);
    brief(*call);
    ng::Writer out(ng::Encoding::json);
    out.dictionary();
    relay.report(*call, out);
    out.end();
    return text + out.take() + "\n";
}

std::string list_transcoders(const Relay& relay) {
    std::map<std::string_view, std::size_t> counts;
    for (const auto& [id, call] : relay.calls())
        for (const auto& party : call->parties)
            for (const auto& section : party->sections)
                if (!section.transcoding.empty()) ++counts[section.transcoding];
    if (counts.empty()) return "No transcoders.\n";
    std::string text;
    for (const auto& [pair, count] : counts)
        fmt::format_to(std::back_inserter(text), "{}: {} transcoders\n", pair, count);
    return text;
}

std::string list_totals(Relay& relay) {
    const Totals& totals = relay.totals();
    const auto sum = relay.carried();
    std::string text = "\nStatistics over currently running sessions:\n";
    const auto row = [&](std::string_view name, auto value) {
        fmt::format_to(std::back_inserter(text), " {:51}: {}\n", name, value);
    };
    row("Owned sessions", relay.calls().size());
    row("Foreign sessions", 0);
    row("Total sessions", relay.calls().size());
    text += "\nTotal statistics (does not include current running sessions):\n";
    row("Uptime of rtpengine",
        fmt::format("{:.0f} seconds", seconds(relay.now() - relay.started())));
    row("Total managed sessions", totals.sessions);
    row("Total rejected sessions", totals.rejected);
    row("Total timed-out sessions via TIMEOUT", totals.timed_out);
    row("Total timed-out sessions via SILENT_TIMEOUT", totals.silent_timed_out);
    row("Total timed-out sessions via FINAL_TIMEOUT", totals.final_timed_out);
    row("Total timed-out sessions via OFFER_TIMEOUT", totals.offer_timed_out);
    row("Total regular terminated sessions", totals.regular);
    row("Total relayed packets", sum.packets);
    row("Total relayed packet errors", sum.errors);
    row("Total relayed bytes", sum.bytes);
    row("Total number of streams with no relayed packets", totals.no_media);
    row("Total number of 1-way streams", totals.one_way);
    text += "\nControl statistics:\n";
    for (const auto& [name, use] : relay.uses())
        row(name,
            fmt::format("{} ({} errors, {:.6f} s)", use.count, use.errors, seconds(use.time)));
    return text + "\n";
}

// Settings as they were at the start, as they are, what of it differs; or all as at the start.
std::string params(Relay& relay, std::string_view what) {
    std::string text;
    const auto& start = relay.settings_at_start();
    if (what != "start" && what != "current" && what != "diff" && what != "revert")
        return "Unknown or incomplete command: params start | current | diff | revert\n";
    for (const auto& setting : settings_table) {
        const auto before = setting.get(start), now = setting.get(relay.settings());
        if (what == "start" || what == "current")
            fmt::format_to(std::back_inserter(text), "{} = {}\n", setting.name,
                           what == "start" ? before : now);
        else if (before != now)
            fmt::format_to(std::back_inserter(text), "{}: {} => {}\n", setting.name, before, now);
        if (what == "revert") setting.set(relay.settings(), before);
    }
    if (what == "revert") log::set_level(level_of(relay.settings().log_level));
    return text.empty() ? "Nothing has changed since the start.\n" : text;
}

std::string debug(Relay& relay, std::string_view id, std::string_view state) {
    Call* call = relay.find(id);
    if (!call) return fmt::format("Call Id not found ({}).\n", id);
    const std::string plain = plain_word(state);
    if (!means_on(plain) && !means_off(plain))
        return "Unknown or incomplete command: debug CALLID on | off\n";
    call->debug = means_on(plain);
    return fmt::format("{} debugging for call '{}'\n", call->debug ? "Enabled" : "Disabled", id);
}

std::string tag_info(Relay& relay, std::string_view id, std::string_view tag) {
    Call* call = relay.find(id);
    if (!call) return fmt::format("Call Id not found ({}).\n", id);
    const Party* party = call->find(tag);
    if (!party) return fmt::format("Tag not found ({}).\n", tag);
    std::string text = fmt::format("Tag '{}', label '{}', in dialogue with '{}'\n", party->tag,
                                   party->label, party->dialogue ? party->dialogue->tag : "");
    std::size_t index = 0;
    for (const auto& section : party->sections) {
        ++index;
        if (!section.side) {
            fmt::format_to(std::back_inserter(text), "  media {}: {}, refused\n", index,
                           section.kind);
            continue;
        }
        const auto& figures = section.side->figures();
        fmt::format_to(std::back_inserter(text),
                       "  media {}: {} {}, local {} port {}, endpoint {}, {} packets in, {} out\n",
                       index, section.kind, section.protocol, section.local->bind.text(),
                       section.side->port(), figures.remote().text(), figures.rtp_in.packets.get(),
                       figures.rtp_out.packets.get());
    }
    return text;
}

// What `delay-buffer` says in an offer, for one party of a call that is up, or for all.
std::string delay(Relay& relay, std::string_view id, std::optional<std::string_view> tag,
                  std::string_view value) {
    Call* call = relay.find(id);
    if (!call) return fmt::format("Call Id not found ({}).\n", id);
    Party* party = tag ? call->find(*tag) : nullptr;
    if (tag && !party) return fmt::format("Tag not found ({}).\n", *tag);
    const auto wanted = parse_number<unsigned>(value);
    if (!wanted || *wanted > max_delay_buffer)
        return fmt::format("Fail setting delay to {}: 0 to {} milliseconds\n", value.substr(0, 20),
                           max_delay_buffer);
    for (const auto& each : call->parties)
        if (!party || each.get() == party) each->delay_buffer = std::chrono::milliseconds(*wanted);
    call->route();
    return fmt::format("Success setting delay of {} to {} ms\n", tag.value_or("all parties"),
                       *wanted);
}

std::string list(Relay& relay, std::span<const std::string_view> words) {
    const auto what = words.empty() ? std::string_view() : words[0];
    const auto argument = words.size() > 1 ? words[1] : std::string_view();
    if (what == "numsessions") {
        std::size_t v4 = 0, v6 = 0, mixed = 0;
        for (const auto& [id, call] : relay.calls()) {
            bool has_v4 = false, has_v6 = false;
            for (const auto& party : call->parties)
                for (const auto& section : party->sections)
                    if (section.local) (section.local->bind.is_v6() ? has_v6 : has_v4) = true;
            ++(has_v4 && has_v6 ? mixed : has_v6 ? v6 : v4);
        }
        return fmt::format(
            "Current sessions own: {0}\nCurrent sessions foreign: 0\nCurrent sessions total: {0}\n"
            "Current transcoded media: {4}\nCurrent sessions ipv4 only media: {1}\n"
            "Current sessions ipv6 only media: {2}\nCurrent sessions ip mixed  media: {3}\n",
            relay.calls().size(), v4, v6, mixed, relay.transcoded_sections());
    }
    if (what == "sessions") return list_sessions(relay, argument);
    if (what == "totals" || what == "counters") return list_totals(relay);
    if (what == "transcoders") return list_transcoders(relay);
    if (what == "jsonstats") {
        ng::Writer out(ng::Encoding::json);
        out.dictionary();
        relay.report_totals(out);
        out.end();
        return out.take() + "\n";
    }
    if (what == "interfaces") {
        std::string text;
        for (const auto& local : relay.interfaces().all())
            fmt::format_to(
                std::back_inserter(text),
                "Interface '{}' address '{}' (advertised '{}'): {} ports used, {} free\n",
                local.name, local.bind.text(), local.advertised.text(), 2 * local.ports.in_use(),
                2 * local.ports.available());
        return text;
    }
    if (what == "maxopenfiles") return fmt::format("maxopenfiles={}\n", io::raise_open_files());
    if (what == "loglevels") return fmt::format("all: {}\n", relay.settings().log_level);
    if (const auto* setting = setting_named(what))
        return fmt::format("{}={}\n", what, setting->get(relay.settings()));
    return fmt::format("Unknown or incomplete command: list {}\n", what);
}

std::string set(Relay& relay, std::span<const std::string_view> words) {
    const auto* setting = words.size() == 2 ? setting_named(words[0]) : nullptr;
    if (!setting || words[0] == "controltos")
        return "Unknown or incomplete command: set takes one of the names of 'usage' and a "
               "number\n";
    const auto before = setting->get(relay.settings());
    if (!setting->set(relay.settings(), words[1]))
        return fmt::format("Fail setting {} to {}\n", words[0], words[1]);
    if (words[0] == "loglevel") log::set_level(level_of(relay.settings().log_level));
    return fmt::format("Success setting {} to {} (was {})\n", words[0],
                       setting->get(relay.settings()), before);
}

std::string terminate(Relay& relay, std::string_view which) {
    if (which == "all" || which == "own") {
        const auto count = relay.calls().size();
        relay.end_all();
        return fmt::format("{} sessions terminated.\n", count);
    }
    if (which == "foreign") return "0 sessions terminated.\n";
    if (relay.end_call(which)) return fmt::format("Call Id ({}) successfully terminated.\n", which);
    return fmt::format("Call Id not found ({}).\n", which);
}

}  // namespace

std::string run_command(Relay& relay, std::string_view line) {
    const auto words = words_of(line);
    if (words.empty()) return std::string(usage);
    const auto rest = std::span(words).subspan(1);
    if (words[0] == "usage" || words[0] == "help") return std::string(usage);
    if (words[0] == "list" || words[0] == "get") return list(relay, rest);
    if (words[0] == "set") return set(relay, rest);
    if (words[0] == "terminate" && rest.size() == 1) return terminate(relay, rest[0]);
    if (words[0] == "params" && rest.size() == 1) return params(relay, rest[0]);
    if (words[0] == "debug" && rest.size() == 2) return debug(relay, rest[0], rest[1]);
    if (words[0] == "call" && rest.size() == 2) {
        if (rest[1] == "info") return list_sessions(relay, rest[0]);
        if (rest[1] == "terminate") return terminate(relay, rest[0]);
    }
    if (words[0] == "call" && rest.size() == 3 && rest[1] == "debug")
        return debug(relay, rest[0], rest[2]);
    if (words[0] == "call" && rest.size() == 3 && rest[1] == "delay")
        return delay(relay, rest[0], std::nullopt, rest[2]);
    if (words[0] == "call" && rest.size() == 5 && rest[1] == "tag" && rest[3] == "delay")
        return delay(relay, rest[0], rest[2], rest[4]);
    if (words[0] == "media" && rest.size() >= 2)
        return "Files are read when they are played: none are kept, reloaded or evicted.\n";
    if (words[0] == "call" && rest.size() == 4 && rest[1] == "tag" && rest[3] == "info")
        return tag_info(relay, rest[0], rest[2]);
    return fmt::format("Unknown or incomplete command: {}\n", line.substr(0, 80));
}

}  // namespace strowger::relay
