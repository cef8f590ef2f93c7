// FEATURE and FEATUREMAP: what features.conf says, for one channel.

#include <algorithm>
#include <array>
#include <variant>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/channel.hpp"

namespace strowger::pbx {

namespace {

using config::Features;
using dialplan::Call;

constexpr std::size_t max_code = 11;      // digits of a code, as in Asterisk
constexpr std::size_t max_sound = 4096;   // characters of a name
constexpr unsigned longest = 86'400'000;  // a day in milliseconds

struct Field {
    std::string_view name;
    std::variant<unsigned Features::*, std::string Features::*> member;
    bool is_code = false;
};

constexpr std::array fields{
    Field{"featuredigittimeout", &Features::featuredigittimeout},
    Field{"transferdigittimeout", &Features::transferdigittimeout},
    Field{"atxfernoanswertimeout", &Features::atxfernoanswertimeout},
    Field{"atxferdropcall", &Features::atxferdropcall},
    Field{"atxferloopdelay", &Features::atxferloopdelay},
    Field{"atxfercallbackretries", &Features::atxfercallbackretries},
    Field{"xfersound", &Features::xfersound},
    Field{"xferfailsound", &Features::xferfailsound},
    Field{"pickupsound", &Features::pickupsound},
    Field{"pickupfailsound", &Features::pickupfailsound},
    Field{"atxferabort", &Features::atxferabort, true},
    Field{"atxfercomplete", &Features::atxfercomplete, true},
    Field{"atxferthreeway", &Features::atxferthreeway, true},
    Field{"atxferswap", &Features::atxferswap, true},
    Field{"pickupexten", &Features::pickupexten, true},
};

constexpr std::array codes{
    Field{"blindxfer", &Features::blindxfer, true},
    Field{"atxfer", &Features::atxfer, true},
    Field{"disconnect", &Features::disconnect, true},
    Field{"parkcall", &Features::parkcall, true},
    Field{"automon", &Features::automon, true},
    Field{"automixmon", &Features::automixmon, true},
};

const Field* find(std::span<const Field> among, std::string_view name) {
    const auto found =
        std::ranges::find_if(among, [&](const Field& field) { return iequals(field.name, name); });
    return found == among.end() ? nullptr : &*found;
}

std::string text_of(const Features& features, const Field& field) {
    if (const auto* number = std::get_if<unsigned Features::*>(&field.member))
        return std::to_string(features.**number);
    return features.*std::get<std::string Features::*>(field.member);
}

bool is_code(std::string_view value) {
    return value.size() <= max_code &&
           value.find_first_not_of("0123456789*#ABCD") == std::string_view::npos;
}

Result<> set(Channel& channel, const Field& field, std::string_view value) {
    auto own = std::make_shared<Features>(*channel.features());
    if (const auto* number = std::get_if<unsigned Features::*>(&field.member)) {
        const auto given = parse_number<unsigned>(value);
        if (!given || *given > longest)
            return fail("'{}' is no number from 0 to {}", value, longest);
        (*own).** number = *given;
    } else {
        if (field.is_code ? !is_code(value) : value.size() > max_sound)
            return fail("'{}' is {}", value,
                        field.is_code ? "no code of up to 11 digits" : "too long");
        (*own).*std::get<std::string Features::*>(field.member) = value;
    }
    channel.own_features = std::move(own);
    return {};
}

// FEATURE(option): inherit, or one of [general].
Result<std::string> read_feature(Call& call, std::string_view args) {
    const auto& channel = static_cast<const Channel&>(call);
    const auto name = trim(args);
    if (iequals(name, "inherit")) return std::string(channel.passes_features_on ? "1" : "0");
    const auto* field = find(fields, name);
    if (!field) return fail("features.conf has no option '{}' that could be read here", name);
    return text_of(*channel.features(), *field);
}

Result<> write_feature(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto name = trim(args);
    if (iequals(name, "inherit")) {
        channel.passes_features_on = is_true(trim(value));
        return {};
    }
    const auto* field = find(fields, name);
    if (!field) return fail("features.conf has no option '{}' that could be set here", name);
    return set(channel, *field, trim(value));
}

// FEATUREMAP(name): the code of a feature; those of [applicationmap] can be read.
Result<std::string> read_code(Call& call, std::string_view args) {
    const auto features = static_cast<const Channel&>(call).features();
    const auto name = trim(args);
    if (const auto* field = find(codes, name)) return text_of(*features, *field);
    for (const auto& application : features->applicationmap)
        if (iequals(application.name, name)) return application.digits;
    return fail("there is no feature '{}'", name);
}

Result<> write_code(Call& call, std::string_view args, std::string_view value) {
    const auto name = trim(args);
    const auto* field = find(codes, name);
    if (!field) return fail("there is no feature '{}' whose code could be set", name);
    return set(static_cast<Channel&>(call), *field, trim(value));
}

}  // namespace

void add_feature_functions(dialplan::Functions& functions) {
    functions.add("FEATURE", "An option of features.conf for this channel: FEATURE(option)",
                  read_feature, write_feature);
    functions.add("FEATUREMAP", "The code of a feature for this channel: FEATUREMAP(feature)",
                  read_code, write_code);
}

}  // namespace strowger::pbx
