#include "relay/codecs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <iterator>
#include <utility>

#include "base/text.hpp"
#include "media/codec/codec.hpp"
#include "media/g711.hpp"
#include "relay/request.hpp"

namespace strowger::relay {
namespace {

using Fate = SectionCodecs::Fate;
using Items = std::vector<CodecItem>;

constexpr std::uint8_t first_dynamic = 96, last_dynamic = 127;  // RFC 3551 section 6

// Packets that are made here: shorter ones cost more than they carry, in longer ones not every
// codec fits.
constexpr unsigned shortest_packet_ms = 10, longest_packet_ms = 60, usual_packet_ms = 20;

bool is_event(const sdp::Codec& codec) { return iequals(codec.name, "telephone-event"); }
bool is_noise(const sdp::Codec& codec) { return iequals(codec.name, "CN"); }
bool is_speech(const sdp::Codec& codec) { return !sdp::is_auxiliary(codec.name); }
bool is_g711(const sdp::Codec& codec) { return media::g711::law_of(codec).has_value(); }

Items items(const std::vector<std::string_view>& texts) { return {texts.begin(), texts.end()}; }

bool any_names(const Items& items, const sdp::Format& format) {
    const auto codec = format.codec();
    return std::ranges::any_of(items,
                               [&](const auto& item) { return item.names(codec, format.token); });
}

const sdp::Payload* find(const std::vector<sdp::Payload>& payloads, const sdp::Codec& codec) {
    const auto found = std::ranges::find_if(
        payloads, [&](const auto& payload) { return sdp::compatible(payload.codec, codec); });
    return found == payloads.end() ? nullptr : &*found;
}

// What an SDP of our own says about a codec of ours.
std::string own_parameters(std::string_view name) {
    if (iequals(name, "telephone-event")) return "0-15";
    if (iequals(name, "opus")) return "useinbandfec=1";
    if (iequals(name, "G729")) return "annexb=no";
    // Frames begin at octets, and modes change at every other frame: what all gateways can (RFC
    // 4867 section 8.1).
    if (iequals(name, "AMR") || iequals(name, "AMR-WB"))
        return "octet-align=1;mode-change-capability=2";
    return {};
}

// In an answer the parameters that make the format what it is are those of the offer.
sdp::Codec answered(sdp::Codec offered) {
    if (!iequals(offered.name, "AMR") && !iequals(offered.name, "AMR-WB") && !is_event(offered))
        offered.fmtp = own_parameters(offered.name);
    return offered;
}

class Numbers {
public:
    void take(std::uint8_t type) { taken_.set(type & 0x7f); }
    // The one it had before, or that RFC 3551 gave it, or the next that is free.
    std::optional<std::uint8_t> give(const sdp::Codec& codec,
                                     const std::vector<sdp::Payload>& before) {
        std::optional<std::uint8_t> type;
        if (const auto* known = find(before, codec); known && !taken_[known->type])
            type = known->type;
        const auto fixed = sdp::static_type(codec);
        if (!type && fixed && !taken_[*fixed]) type = fixed;
        for (std::uint8_t next = first_dynamic; !type && next <= last_dynamic; ++next) {
            // A number that meant something else to the party goes on meaning it (RFC 3264 8.3.2).
            const bool spoken_for = std::ranges::any_of(
                before, [&](const auto& payload) { return payload.type == next; });
            if (!taken_[next] && !spoken_for) type = next;
        }
        if (type) take(*type);
        return type;
    }

private:
    std::bitset<128> taken_;
};

std::vector<std::string_view> tokens_of(const sdp::Media& media) {
    std::vector<std::string_view> tokens;
    for (const auto& format : media.formats) tokens.push_back(format.token);
    return tokens;
}

std::vector<Written> as_they_came(const std::vector<std::string_view>& tokens) {
    std::vector<Written> written;
    for (const auto token : tokens) written.push_back({std::string(token), token});
    return written;
}

// What remains of the formats by the lists that leave out and those that choose.
std::vector<std::string_view> filtered(const sdp::Media& media, const CodecRules& rules) {
    const auto strip = items(rules.strip), mask = items(rules.mask), consume = items(rules.consume),
               offer = items(rules.offer), except = items(rules.except),
               transcode = items(rules.transcode);
    const auto whitelisted = [&](const Items& list, const sdp::Format& format) {
        return any_names(list, format) || sdp::is_auxiliary(format.name);
    };
    std::vector<const sdp::Format*> left;
    for (const auto& format : media.formats) {
        const bool wanted =
            any_names(offer, format) || any_names(except, format) || any_names(transcode, format);
        const bool dropped =
            any_names(strip, format) || any_names(mask, format) || any_names(consume, format);
        if (dropped && !wanted) continue;
        if (!offer.empty() && !whitelisted(offer, format)) continue;
        if (offer.empty() && !except.empty() && !dropped && !whitelisted(except, format)) continue;
        left.push_back(&format);
    }
    std::vector<std::string_view> kept;
    // `offer` also says the order.
    for (const auto& item : offer)
        for (auto*& format : left)
            if (format && item.names(format->codec(), format->token)) {
                kept.push_back(format->token);
                format = nullptr;
            }
    for (const auto* format : left)
        if (format) kept.push_back(format->token);
    return kept;
}

bool contains(const std::vector<std::string_view>& tokens, std::string_view token) {
    return std::ranges::find(tokens, token) != tokens.end();
}

// What of the offer the offerer may be spoken to in.
std::vector<SectionCodecs::Offered> takeable(const sdp::Media& media, const Request& request,
                                             const std::vector<std::string_view>& kept) {
    const auto& rules = request.codec;
    const auto mask = items(rules.mask), consume = items(rules.consume),
               accept = items(rules.accept);
    std::vector<SectionCodecs::Offered> offered;
    for (const auto& format : media.formats) {
        if (!format.type || *format.type > 127) continue;
        Fate fate = Fate::kept;
        if (any_names(consume, format))
            fate = contains(kept, format.token) ? Fate::accepted : Fate::consumed;
        else if (any_names(accept, format) || request.always_transcode)
            fate = Fate::accepted;
        else if (!contains(kept, format.token)) {
            if (!any_names(mask, format)) continue;
            fate = Fate::masked;
        }
        offered.push_back({{*format.type, format.codec()}, fate});
    }
    const bool speech =
        std::ranges::any_of(offered, [](const auto& one) { return is_speech(one.payload.codec); });
    if (speech) return offered;
    // With everything stripped, what is added is made of what was offered all the same.
    offered.clear();
    for (const auto& format : media.formats)
        if (format.type && *format.type < 128)
            offered.push_back({{*format.type, format.codec()}, Fate::masked});
    return offered;
}

// Adds a codec to an offer.
void add(const sdp::Codec& codec, Numbers& numbers, SectionCodecs& answerer,
         std::vector<Written>& written, std::vector<sdp::Payload>& told) {
    const auto type = numbers.give(codec, answerer.told);
    if (!type) return;
    written.push_back({fmt::to_string(*type), {}, codec});
    told.push_back({*type, codec});
}

// Behind what was added go keys and noise that came with the offer.
void last_auxiliary(std::vector<Written>& written, std::vector<sdp::Payload>& told,
                    std::size_t came) {
    if (told.size() == came || written.size() != told.size()) return;
    std::vector<Written> sorted, late;
    std::vector<sdp::Payload> sorted_told, late_told;
    for (std::size_t i = 0; i < told.size(); ++i) {
        const bool last = i < came && !is_speech(told[i].codec);
        (last ? late : sorted).push_back(std::move(written[i]));
        (last ? late_told : sorted_told).push_back(std::move(told[i]));
    }
    std::ranges::move(late, std::back_inserter(sorted));
    std::ranges::move(late_told, std::back_inserter(sorted_told));
    written = std::move(sorted);
    told = std::move(sorted_told);
}

// What the relay can make of what is offered.
void add_own(const sdp::Media& media, const Request& request, SectionCodecs& offerer,
             SectionCodecs& answerer, std::vector<Written>& written,
             std::vector<sdp::Payload>& told) {
    const bool has_speech = std::ranges::any_of(
        offerer.offered, [](const auto& one) { return codec::is_transcodable(one.payload.codec); });
    if (!has_speech) return;
    Numbers numbers;
    for (const auto& format : media.formats)
        if (format.type) numbers.take(*format.type);
    const std::size_t came = told.size();
    bool events = std::ranges::any_of(
        told, [](const sdp::Payload& payload) { return is_event(payload.codec); });
    // The other one goes on in what it has, where it has no other choice.
    const auto has = std::ranges::find_if(
        answerer.takes, [](const auto& payload) { return codec::is_transcodable(payload.codec); });
    if (offerer.goes_on && has != answerer.takes.end() &&
        std::ranges::none_of(answerer.takes, [&](const sdp::Payload& payload) {
            return is_speech(payload.codec) && find(told, payload.codec);
        }))
        add(has->codec, numbers, answerer, written, told);
    for (const auto& item : items(request.codec.transcode)) {
        const auto codec = item.codec();
        if (!codec || find(told, *codec)) continue;
        if (is_event(*codec))
            events = true;
        else if (codec::is_transcodable(*codec) || is_noise(*codec))
            add(*codec, numbers, answerer, written, told);
    }
    if (!events) return last_auxiliary(written, told, came);
    // Keys are told in the clock of the speech that they stand in for (RFC 4733 section 2.1).
    const auto speech = told;
    for (const auto& payload : speech) {
        if (!is_speech(payload.codec)) continue;
        const sdp::Codec event{"telephone-event", payload.codec.clock_rate, 1,
                               own_parameters("telephone-event")};
        if (!find(told, event)) add(event, numbers, answerer, written, told);
    }
    last_auxiliary(written, told, came);
}

}  // namespace

CodecItem::CodecItem(std::string_view whole) : text(whole) {
    const auto parts = split(whole, '/');
    const auto number = [&](std::size_t at) -> std::optional<std::uint32_t> {
        if (parts.size() <= at || parts[at].empty()) return std::nullopt;
        return parse_number<std::uint32_t>(parts[at]);
    };
    name = parts[0];
    clock_rate = number(1);
    channels = number(2);
    bitrate = number(3).value_or(0);
    ptime = number(4).value_or(0);
    if (parts.size() > 5) fmtp = parts[5];
}

bool CodecItem::names(const sdp::Codec& codec, std::string_view token) const {
    if (iequals(text, "all") || iequals(text, "full") || iequals(text, "any")) return true;
    if (text == token) return true;
    if (!iequals(name, codec.name) && !(iequals(name, "G729a") && iequals(codec.name, "G729")))
        return false;
    return (!clock_rate || *clock_rate == codec.clock_rate) &&
           (!channels || *channels == unsigned{codec.channels});
}

std::optional<sdp::Codec> CodecItem::codec() const {
    const std::string_view wanted = iequals(name, "G729a") ? "G729" : name;
    if (iequals(wanted, "telephone-event"))
        return sdp::Codec{"telephone-event", clock_rate.value_or(8000), 1, own_parameters(wanted)};
    if (iequals(wanted, "CN")) return sdp::Codec{"CN", clock_rate.value_or(8000), 1, {}};
    for (const auto& known : codec::all()) {
        if (!iequals(known.name, wanted)) continue;
        if (clock_rate && *clock_rate != known.clock_rate) continue;
        if (channels && *channels != unsigned{known.channels}) continue;
        return sdp::Codec{std::string(known.name), known.clock_rate, known.channels,
                          fmtp.empty() ? own_parameters(wanted) : std::string(fmtp)};
    }
    return std::nullopt;
}

std::vector<SectionCodecs::Setting> settings_of(std::span<const std::string_view> texts) {
    std::vector<SectionCodecs::Setting> settings;
    for (const auto text : texts) {
        const CodecItem item(text);
        if (item.bitrate == 0 && item.ptime == 0 && item.fmtp.empty()) continue;
        if (auto codec = item.codec())
            settings.push_back(
                {std::move(*codec), item.bitrate, item.ptime, std::string(item.fmtp)});
    }
    return settings;
}

bool wants_recoding(const Request& request) {
    const auto& rules = request.codec;
    return !rules.transcode.empty() || !rules.consume.empty() || !rules.accept.empty() ||
           !rules.mask.empty() || !rules.set.empty() || request.ptime || request.ptime_reverse ||
           request.always_transcode;
}

std::vector<Written> offered_formats(const sdp::Media& media, const Request& request,
                                     SectionCodecs& offerer, SectionCodecs& answerer) {
    const auto all = tokens_of(media);
    const bool any_rule = !request.codec.empty() || offerer.engaged;
    if (!media.is_rtp() || !any_rule) return as_they_came(all);
    auto kept = filtered(media, request.codec);
    std::vector<sdp::Payload> told;
    const auto tell_kept = [&] {
        told.clear();
        for (const auto token : kept)
            for (const auto& format : media.formats)
                if (format.token == token && format.type)
                    told.push_back({*format.type, format.codec()});
        return as_they_came(kept);
    };
    auto written = tell_kept();
    if (offerer.engaged) {
        offerer.offered = takeable(media, request, kept);
        add_own(media, request, offerer, answerer, written, told);
    }
    const bool speech = std::ranges::any_of(
        told, [](const sdp::Payload& payload) { return is_speech(payload.codec); });
    if (!speech && (!request.allow_no_codec || written.empty())) {
        kept = all;
        written = tell_kept();
        if (offerer.engaged) offerer.offered = takeable(media, request, kept);
    }
    if (!offerer.engaged) return written;
    answerer.sends = told;
    answerer.told = std::move(told);
    // Until it gets its answer it may hear whatever it has offered.
    offerer.takes.clear();
    for (const auto& one : offerer.offered) offerer.takes.push_back(one.payload);
    if (!offerer.goes_on) {
        auto said = request.codec.set;
        std::ranges::copy(request.codec.transcode, std::back_inserter(said));
        offerer.settings = answerer.settings = settings_of(said);
        offerer.noise = answerer.noise =
            std::ranges::any_of(items(request.codec.transcode),
                                [](const auto& item) { return iequals(item.name, "CN"); });
        answerer.packet_ms = request.ptime;
        offerer.packet_ms = request.ptime_reverse;
    }
    offerer.said_ms = media.ptime;
    return written;
}

std::vector<Written> answered_formats(const sdp::Media& media, const Request& request,
                                      SectionCodecs& answerer, SectionCodecs& offerer) {
    if (!offerer.engaged || !media.is_rtp()) return as_they_came(tokens_of(media));
    answerer.takes.clear();
    answerer.said_ms = media.ptime;
    if (request.ptime_reverse) offerer.packet_ms = request.ptime_reverse;
    bool can_be_made = false;  // what it takes, out of anything
    for (const auto& format : media.formats) {
        if (!format.type || *format.type > 127) continue;
        answerer.takes.push_back({*format.type, format.codec()});
        can_be_made = can_be_made || codec::is_transcodable(answerer.takes.back().codec);
    }
    // What it does not take back it does not send either.
    answerer.sends = answerer.told;
    std::erase_if(answerer.sends, [&](const sdp::Payload& payload) {
        return !find(answerer.takes, payload.codec);
    });

    std::vector<Written> written;
    std::vector<sdp::Payload> agreed;
    const auto agree = [&](const sdp::Payload& payload, Written format) {
        if (find(agreed, payload.codec)) return;
        written.push_back(std::move(format));
        agreed.push_back(payload);
    };
    const auto agree_own = [&](const SectionCodecs::Offered& one) {
        const auto codec = answered(one.payload.codec);
        agree(one.payload, {fmt::to_string(one.payload.type), {}, codec});
    };
    const auto speaks = [&](const auto& one) {
        return can_be_made && codec::is_transcodable(one.payload.codec);
    };
    // What both have in common, in the order of the answer.
    const auto direct = [&](bool speech) {
        for (const auto& format : media.formats) {
            if (!format.type || *format.type > 127) continue;
            const auto codec = format.codec();
            if (is_speech(codec) != speech) continue;
            for (const auto& one : offerer.offered) {
                if (!sdp::compatible(one.payload.codec, codec)) continue;
                agree(one.payload, {fmt::to_string(one.payload.type), format.token});
                break;
            }
        }
    };
    const bool insists = std::ranges::any_of(offerer.offered, [&](const auto& one) {
        return (one.fate == Fate::accepted || one.fate == Fate::consumed) &&
               is_speech(one.payload.codec) && speaks(one);
    });
    direct(true);
    if (insists) {
        // What is taken whatever the answer says stands beside what both have in common, and of
        // these the offerer speaks what it likes best.
        const auto common = std::exchange(agreed, {});
        const auto lines = std::exchange(written, {});
        for (const auto& one : offerer.offered) {
            const auto same = std::ranges::find(common, one.payload);
            const bool taken = one.fate == Fate::accepted || one.fate == Fate::consumed;
            if (same != common.end())
                agree(one.payload, lines[static_cast<std::size_t>(same - common.begin())]);
            else if (taken && is_speech(one.payload.codec) && speaks(one))
                agree_own(one);
            if (!agreed.empty()) break;
        }
    }
    // Nothing in common: the best of the offer that can be made of what the answerer has.
    for (const auto& one : offerer.offered)
        if (agreed.empty() && is_speech(one.payload.codec) && speaks(one)) agree_own(one);
    if (agreed.empty()) {  // that is for the offerer to judge
        offerer.engaged = answerer.engaged = false;
        return as_they_came(tokens_of(media));
    }
    if (request.single_codec) {
        agreed.resize(1);
        written.resize(1);
    }
    // Keys, in the clocks of the speech that was agreed.
    const auto speech = agreed;
    const bool events = std::ranges::any_of(
        answerer.takes, [](const sdp::Payload& payload) { return is_event(payload.codec); });
    for (const auto& one : offerer.offered) {
        if (!is_event(one.payload.codec)) continue;
        const bool in_clock = std::ranges::any_of(speech, [&](const sdp::Payload& payload) {
            return payload.codec.clock_rate == one.payload.codec.clock_rate;
        });
        if (!in_clock || !(events || one.fate == Fate::accepted || one.fate == Fate::consumed))
            continue;
        const auto same = std::ranges::find_if(media.formats, [&](const sdp::Format& format) {
            return format.type && sdp::compatible(format.codec(), one.payload.codec);
        });
        if (same != media.formats.end())
            agree(one.payload, {fmt::to_string(one.payload.type), same->token});
        else
            agree_own(one);
    }
    direct(false);
    // Noise can be made of what the answerer has no word for, where sound is made anyway.
    const bool recoded = std::ranges::none_of(answerer.takes, [&](const sdp::Payload& payload) {
        return sdp::compatible(payload.codec, agreed.front().codec) ||
               (is_g711(payload.codec) && is_g711(agreed.front().codec));
    });
    for (const auto& one : offerer.offered)
        if (recoded && !request.single_codec && is_noise(one.payload.codec) &&
            one.payload.codec.clock_rate == agreed.front().codec.clock_rate)
            agree_own(one);
    offerer.told = offerer.takes = offerer.sends = std::move(agreed);
    return written;
}

std::optional<media::Recoder::Plan> recoding(const SectionCodecs& from, const SectionCodecs& to,
                                             const media::Pauses& pauses,
                                             const media::Recoder::Keys& keys) {
    using Way = media::Recoder::Way;
    if (!from.engaged || !to.engaged || from.sends.empty() || to.takes.empty()) return std::nullopt;
    const auto spoken = std::ranges::find_if(
        to.takes, [](const auto& payload) { return codec::is_transcodable(payload.codec); });
    const bool can_make = spoken != to.takes.end();
    media::Recoder::Plan plan;
    plan.out = can_make ? *spoken : to.takes.front();
    unsigned packet_ms = to.packet_ms.value_or(to.said_ms.value_or(usual_packet_ms));
    for (const auto& setting : to.settings) {
        if (!sdp::compatible(setting.codec, plan.out.codec)) continue;
        auto& fmtp = plan.out.codec.fmtp;
        if (setting.bitrate) fmtp = fmt::format("maxaveragebitrate={};{}", setting.bitrate, fmtp);
        if (!setting.fmtp.empty()) fmtp = fmt::format("{};{}", setting.fmtp, fmtp);
        if (setting.ptime) packet_ms = setting.ptime;
    }
    plan.packet_ms = std::clamp(packet_ms, shortest_packet_ms, longest_packet_ms);

    // Keys go in the clock of the speech that they stand in.
    const auto first = std::ranges::find_if(
        from.sends, [](const sdp::Payload& payload) { return is_speech(payload.codec); });
    const auto* main = first == from.sends.end() ? nullptr : find(to.takes, first->codec);
    const auto clock = main ? main->codec.clock_rate : plan.out.codec.clock_rate;
    for (const auto& payload : to.takes) {
        if (!is_event(payload.codec)) continue;
        if (!plan.event ||
            (plan.event->codec.clock_rate != clock && payload.codec.clock_rate == clock))
            plan.event = payload;
    }
    const bool sends_events = std::ranges::any_of(
        from.sends, [](const sdp::Payload& payload) { return is_event(payload.codec); });
    plan.keys = keys;
    plan.detects = (plan.event || keys.any()) && !sends_events && can_make;
    const bool sounds = (!plan.event || keys.heard()) && sends_events && can_make;
    const auto silence = std::ranges::find_if(to.takes, [&](const auto& payload) {
        return is_noise(payload.codec) && payload.codec.clock_rate == plan.out.codec.clock_rate;
    });
    const bool tells_silence = can_make && pauses.silent_below > 0 && silence != to.takes.end();
    const auto heard_as_noise = [&](const sdp::Payload& payload) {
        return can_make && is_noise(payload.codec) && !find(to.takes, payload.codec);
    };
    const bool asked = (from.noise || to.noise) &&
                       (tells_silence || std::ranges::any_of(from.sends, heard_as_noise));
    // Tones and noise are put into, and found in, samples only.
    const bool samples = plan.detects || sounds || asked;
    plan.own = samples;
    bool changes = samples;
    for (const auto& payload : from.sends) {
        Way way{payload, Way::Kind::drop, 0};
        const auto* same = find(to.takes, payload.codec);
        if (is_event(payload.codec)) {
            if (!plan.event || keys.heard()) {
                if (sounds) way.kind = Way::Kind::tone;
            } else {
                const bool as_it_is =
                    plan.event->codec.clock_rate == payload.codec.clock_rate && !keys.any();
                way.kind = as_it_is ? Way::Kind::pass : Way::Kind::event;
                way.out_type = plan.event->type;
                plan.own = plan.own || !as_it_is;
            }
        } else if (same &&
                   (!codec::is_transcodable(payload.codec) || (!samples && !to.packet_ms))) {
            way.kind = Way::Kind::pass;
            way.out_type = same->type;
        } else if (can_make && codec::is_transcodable(payload.codec)) {
            const bool laws = is_g711(payload.codec) && is_g711(plan.out.codec);
            way.out_type = plan.out.type;
            const bool by_bytes = laws && !samples && !to.packet_ms && !tells_silence;
            way.kind = by_bytes ? Way::Kind::translate : Way::Kind::recode;
            plan.own = plan.own || way.kind == Way::Kind::recode;
        }
        changes = changes || way.kind != Way::Kind::pass || way.out_type != payload.type;
        plan.ways.push_back(std::move(way));
    }
    if (!changes) return std::nullopt;
    if (std::ranges::find(plan.ways, Way::Kind::recode, &Way::kind) == plan.ways.end()) return plan;
    plan.pauses = pauses;
    if (tells_silence) plan.noise = *silence;
    for (auto& way : plan.ways)
        if (heard_as_noise(way.in)) way.kind = Way::Kind::noise;
    return plan;
}

}  // namespace strowger::relay
