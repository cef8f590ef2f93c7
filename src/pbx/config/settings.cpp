// The small files: asterisk, rtp, logger, musiconhold, features, modules, acl, statsd, ccss.

#include "pbx/config/settings.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "base/address.hpp"
#include "pbx/config/option.hpp"
#include "pbx/config/schemas.hpp"
#include "pbx/config/sections.hpp"

namespace strowger::pbx::config {

namespace {

// Asterisk's sample of statsd.conf has [general], its reference [global].
constexpr std::array<std::string_view, 2> general_or_global{"general", "global"};

template <typename Object>
void apply(Object& object, std::span<const std::string_view> names, const Schema<Object>& schema,
           const ini::Document& document, Configuration& configuration) {
    for (const auto* section : document.sections())
        if (std::ranges::any_of(names, [&](auto name) { return iequals(section->name, name); }))
            schema.apply(object, document, *section, configuration.diagnostics);
}

template <typename Object>
void apply(Object& object, std::string_view name, const Schema<Object>& schema,
           const ini::Document& document, Configuration& configuration) {
    apply(object, std::span(&name, 1), schema, document, configuration);
}

// "(args),class" or ",args[,class]": the music class that the other party hears meanwhile stands
// last, and with the older form only behind quoted arguments.
void take_arguments(Features::Application& application, std::string_view action, std::size_t end) {
    auto rest = trim(action.substr(end + 1));
    std::string_view music;
    if (action[end] == '(') {
        const auto close = rest.rfind(')');
        music = close == std::string_view::npos ? "" : rest.substr(close + 1);
        rest = rest.substr(0, close);
        if (music.starts_with(',')) music.remove_prefix(1);
    } else if (rest.starts_with('"') && rest.find('"', 1) != std::string_view::npos) {
        const auto close = rest.find('"', 1);
        music = rest.substr(close + 1);
        rest = rest.substr(1, close - 1);
        if (music.starts_with(',')) music.remove_prefix(1);
    }
    application.arguments = rest;
    application.music = trim(music);
}

// "app_queue.so" without its suffix.
std::string_view module_name(std::string_view name) {
    return name.ends_with(".so") ? name.substr(0, name.size() - 3) : name;
}

}  // namespace

void read_asterisk(const ini::Document& document, Configuration& configuration) {
    using A = Asterisk;
    static const auto schema = Schema<A>()
                                   .number("verbose", &A::verbose, 0, 100)
                                   .number("debug", &A::debug, 0, 100)
                                   .text("runuser", &A::runuser)
                                   .text("rungroup", &A::rungroup)
                                   .text("defaultlanguage", &A::defaultlanguage)
                                   .boolean("transmit_silence", &A::transmit_silence)
                                   .boolean("execincludes", &A::execincludes)
                                   .text("systemname", &A::systemname)
                                   .boolean("autosystemname", &A::autosystemname)
                                   .number("maxcalls", &A::maxcalls, 0u, 1'000'000u)
                                   .number("maxload", &A::maxload, 0.0, 100'000.0)
                                   .boolean("live_dangerously", &A::live_dangerously)
                                   .ignore({"alwaysfork",
                                            "nofork",
                                            "quiet",
                                            "timestamp",
                                            "console",
                                            "highpriority",
                                            "initcrypto",
                                            "nocolor",
                                            "dontwarn",
                                            "dumpcore",
                                            "languageprefix",
                                            "cache_record_files",
                                            "record_cache_dir",
                                            "transcode_via_sln",
                                            "maxfiles",
                                            "minmemfree",
                                            "lightbackground",
                                            "forceblackbackground",
                                            "internal_timing",
                                            "documentation_language",
                                            "hideconnect",
                                            "lockconfdir",
                                            "entityid",
                                            "rtp_use_dynamic",
                                            "rtp_pt_dynamic",
                                            "phoneprov",
                                            "sounds_search_custom_dir",
                                            "hide_messaging_ami_events",
                                            "channel_storage_backend",
                                            "logger_queue_limit",
                                            "nocolour",
                                            "stdexten",
                                            "disable_remote_console_shell",
                                            "defaultlanguage",
                                            "mindtmfduration",
                                            "debug_filename"});
    apply(configuration.asterisk, "options", schema, document, configuration);
    if (const auto* directories = document.find("directories"))
        for (const auto& entry : directories->entries)
            configuration.asterisk.directories.insert_or_assign(to_lower(entry.key),
                                                                std::string(entry.value));
}

void read_rtp(const ini::Document& document, Configuration& configuration) {
    using R = Rtp;
    using S = Rtp::Strict;
    static const auto schema =
        Schema<R>()
            .number<std::uint16_t>("rtpstart", &R::rtpstart, 1024, 65535)
            .number<std::uint16_t>("rtpend", &R::rtpend, 1024, 65535)
            .choice<S>("strictrtp", &R::strictrtp,
                       {{"no", S::no},
                        {"off", S::no},
                        {"false", S::no},
                        {"0", S::no},
                        {"yes", S::yes},
                        {"on", S::yes},
                        {"true", S::yes},
                        {"1", S::yes},
                        {"seqno", S::seqno}})
            .number("probation", &R::probation, 1u, 1000u)
            .boolean("rtpchecksums", &R::rtpchecksums)
            .number("dtmftimeout", &R::dtmftimeout, 0u, 800'000u)
            .number("rtcpinterval", &R::rtcpinterval, 500u, 60'000u)
            .boolean("icesupport", &R::icesupport)
            .text("stunaddr", &R::stunaddr)
            .text("turnaddr", &R::turnaddr)
            .text("turnusername", &R::turnusername)
            .text("turnpassword", &R::turnpassword)
            .growing_list("stun_acl", &R::stun_acl)
            .growing_list("ice_acl", &R::ice_acl)
            .boolean("srtpreplayprotection", &R::srtpreplayprotection)
            .number("rtp_keepalive", &R::rtp_keepalive, 0u, 86400u)
            .ignore({"stun_permit", "stun_deny", "stun_blacklist", "ice_permit", "ice_deny",
                     "ice_blacklist", "dtls_mtu", "turnport", "learning_min_duration"});
    auto& rtp = configuration.rtp;
    apply(rtp, "general", schema, document, configuration);
    if (const auto* candidates = document.find("ice_host_candidates"))
        for (const auto& entry : candidates->entries)
            rtp.ice_host_candidates.emplace_back(entry.key, entry.value);
    if (rtp.rtpend <= rtp.rtpstart)
        configuration.diagnostics.error(
            document.files().front(), 0,
            fmt::format("rtpend {} does not lie above rtpstart {}", rtp.rtpend, rtp.rtpstart));
}

void read_logger(const ini::Document& document, Configuration& configuration) {
    auto& logger = configuration.logger;
    if (const auto* general = document.find("general")) {
        logger.dateformat = general->get("dateformat").value_or("");
        logger.appendhostname = is_true(general->get("appendhostname").value_or("no"));
    }
    const auto* files = document.find("logfiles");
    if (!files) return;
    static const std::vector<std::string_view> known{
        "verbose", "notice", "warning", "error", "debug", "dtmf", "security", "fax", "trace", "*"};
    for (const auto& entry : files->entries) {
        Logger::Target target;
        target.name = entry.key;
        if (iequals(entry.key, "console")) target.kind = Logger::Target::Kind::console;
        if (istarts_with(entry.key, "syslog.")) {
            target.kind = Logger::Target::Kind::syslog;
            target.name = entry.key.substr(7);
        }
        auto levels = entry.value;
        if (levels.starts_with('[')) {
            const auto close = levels.find(']');
            target.json =
                iequals(levels.substr(1, close == levels.npos ? close : close - 1), "json");
            levels = close == levels.npos ? "" : levels.substr(close + 1);
        }
        for (auto level : split(levels, ',')) {
            level = trim(level);
            if (level.empty()) continue;
            const auto name = split_once(level, '(').first;  // "verbose(3)"
            if (std::none_of(known.begin(), known.end(), [&](auto k) { return iequals(k, name); }))
                configuration.diagnostics.warn(document.file(entry.place), entry.place.line,
                                               fmt::format("unknown log level '{}'", name),
                                               std::string(nearest(name, known).value_or("")));
            else
                target.levels.push_back(to_lower(name));
        }
        logger.targets.push_back(std::move(target));
    }
}

void read_music(const ini::Document& document, Configuration& configuration) {
    using M = MusicClass;
    static const auto schema =
        Schema<M>()
            .text("mode", &M::mode)
            .text("directory", &M::directory)
            .text("sort", &M::sort)
            .text("application", &M::application)
            .text("format", &M::format)
            .text("digit", &M::digit)
            .text("announcement", &M::announcement)
            .on("entry",
                [](M& music, std::string_view value) -> Result<> {
                    music.entries.emplace_back(value);
                    return {};
                })
            .ignore({"random", "kill_escalation_delay", "kill_method", "loop_last",
                     "cachertclasses", "preferchannelclass", "answeredonly"});
    for (const auto* section : document.sections()) {
        if (iequals(section->name, "general")) continue;
        M music;
        music.name = section->name;
        schema.apply(music, document, *section, configuration.diagnostics);
        if (!configuration.music.add(std::move(music)))
            configuration.diagnostics.warn(
                document.file(section->place), section->place.line,
                fmt::format("there is another class '{}'; ignored", section->name));
    }
}

void read_features(const ini::Document& document, Configuration& configuration) {
    using F = Features;
    static constexpr unsigned long_time = 3'600'000;
    static const auto general =
        Schema<F>()
            .number("featuredigittimeout", &F::featuredigittimeout, 1u, long_time)
            .number("transferdigittimeout", &F::transferdigittimeout, 1u, 3600u)
            .number("atxfernoanswertimeout", &F::atxfernoanswertimeout, 1u, 3600u)
            .number("atxferloopdelay", &F::atxferloopdelay, 0u, 3600u)
            .number("atxfercallbackretries", &F::atxfercallbackretries, 0u, 1000u)
            .on("atxferdropcall",
                [](F& f, std::string_view value) -> Result<> {
                    f.atxferdropcall = is_true(value);
                    return {};
                })
            .text("pickupexten", &F::pickupexten)
            .text("pickupsound", &F::pickupsound)
            .text("pickupfailsound", &F::pickupfailsound)
            .text("atxferabort", &F::atxferabort)
            .text("atxfercomplete", &F::atxfercomplete)
            .text("atxferthreeway", &F::atxferthreeway)
            .text("atxferswap", &F::atxferswap)
            .text("xfersound", &F::xfersound)
            .text("xferfailsound", &F::xferfailsound)
            .ignore({"courtesytone", "recordingfailsound", "transferdialattempts",
                     "transferretrysound", "transferinvalidsound", "transferannouncesound",
                     "parkext", "parkpos", "parkingtime", "context"});
    static const auto map = Schema<F>()
                                .text("blindxfer", &F::blindxfer)
                                .text("disconnect", &F::disconnect)
                                .text("atxfer", &F::atxfer)
                                .text("parkcall", &F::parkcall)
                                .text("automon", &F::automon)
                                .text("automixmon", &F::automixmon);
    auto& features = configuration.features;
    apply(features, "general", general, document, configuration);
    apply(features, "featuremap", map, document, configuration);
    const auto* applications = document.find("applicationmap");
    if (!applications) return;
    for (const auto& entry : applications->entries) {
        if (features.applicationmap.size() >= F::max_applications) break;
        const auto [digits, rest] = split_once(entry.value, ',');
        const auto [activate, action] = split_once(rest, ',');
        const auto end = action.find_first_of("(,");
        F::Application application;
        application.name = entry.key;
        application.digits = trim(digits);
        application.activate_on = to_lower(trim(activate));
        application.application = trim(action.substr(0, end));
        if (end != std::string_view::npos) take_arguments(application, action, end);
        features.applicationmap.push_back(std::move(application));
    }
    // The other sections are groups: each line names an application, and may give it other digits.
    for (const auto* section : document.sections()) {
        if (iequals(section->name, "general") || iequals(section->name, "featuremap") ||
            iequals(section->name, "applicationmap"))
            continue;
        F::Group group;
        group.name = section->name;
        for (const auto& entry : section->entries)
            group.members.emplace_back(entry.key, trim(entry.value));
        features.groups.push_back(std::move(group));
    }
}

void read_amd(const ini::Document& document, Configuration& configuration) {
    using A = Amd;
    static constexpr unsigned longest = 600'000;
    static const auto schema =
        Schema<A>()
            .number("initial_silence", &A::initial_silence, 0u, longest)
            .number("greeting", &A::greeting, 0u, longest)
            .number("after_greeting_silence", &A::after_greeting_silence, 0u, longest)
            .number("total_analysis_time", &A::total_analysis_time, 1u, longest)
            .number("min_word_length", &A::min_word_length, 1u, longest)
            .number("maximum_word_length", &A::maximum_word_length, 1u, longest)
            .number("between_words_silence", &A::between_words_silence, 1u, longest)
            .number("maximum_number_of_words", &A::maximum_number_of_words, 0u, 1000u)
            .number("silence_threshold", &A::silence_threshold, 1u, 32767u)
            .ignore({"playback_file"});
    apply(configuration.amd, "general", schema, document, configuration);
}

void read_festival(const ini::Document& document, Configuration& configuration) {
    using F = Festival;
    static const auto schema = Schema<F>()
                                   .text("host", &F::host)
                                   .number<std::uint16_t>("port", &F::port, 1, 65535)
                                   .boolean("usecache", &F::usecache)
                                   .text("cachedir", &F::cachedir)
                                   .text("festivalcommand", &F::command);
    apply(configuration.festival, "general", schema, document, configuration);
}

void read_privacy(const ini::Document& document, Configuration& configuration) {
    using P = Privacy;
    static const auto schema = Schema<P>()
                                   .number("maxretries", &P::maxretries, 1u, 100u)
                                   .number("minlength", &P::minlength, 1u, 64u);
    apply(configuration.privacy, "general", schema, document, configuration);
}

void read_statsd(const ini::Document& document, Configuration& configuration) {
    using S = StatsdSettings;
    static constexpr std::uint16_t any_port = 1;
    static const auto schema = Schema<S>()
                                   .boolean("enabled", &S::enabled)
                                   .on("server",
                                       [](S& settings, std::string_view value) -> Result<> {
                                           if (!SocketAddress::parse(value, any_port))
                                               return fail("expected an address, got '{}'", value);
                                           settings.server = value;
                                           return {};
                                       })
                                   .text("prefix", &S::prefix)
                                   .boolean("add_newline", &S::add_newline)
                                   .boolean("meter_support", &S::meter_support);
    apply(configuration.statsd, general_or_global, schema, document, configuration);
}

void read_ccss(const ini::Document& document, Configuration& configuration) {
    static const auto schema =
        Schema<Ccss>()
            .number("cc_max_requests", &Ccss::max_requests, 1U, Ccss::most_requests)
            .ignore({"cc_available_devstate", "cc_offered_devstate", "cc_caller_requested_devstate",
                     "cc_active_devstate", "cc_callee_ready_devstate", "cc_caller_busy_devstate",
                     "cc_recalling_devstate", "cc_complete_devstate", "cc_failed_devstate"});
    apply(configuration.ccss, general_or_global, schema, document, configuration);
}

bool Modules::wants(std::string_view module) const {
    const auto names = [&](const std::vector<std::string>& list) {
        return std::any_of(list.begin(), list.end(), [&](const std::string& name) {
            return iequals(module_name(name), module_name(module));
        });
    };
    if (names(noload)) return false;
    return autoload || names(load) || names(require) || names(preload);
}

void read_modules(const ini::Document& document, Configuration& configuration) {
    using M = Modules;
    static const auto schema = Schema<M>()
                                   .boolean("autoload", &M::autoload)
                                   .growing_list("load", &M::load)
                                   .growing_list("noload", &M::noload)
                                   .growing_list("require", &M::require)
                                   .growing_list("preload", &M::preload)
                                   .growing_list("preload-require", &M::preload);
    apply(configuration.modules, "modules", schema, document, configuration);
}

void read_acl(const ini::Document& document, Configuration& configuration) {
    for (const auto* section : document.sections()) {
        Acl acl;
        acl.named_only = true;
        acl.name = section->name;
        acl.place = section->place;
        acl_schema().apply(acl, document, *section, configuration.diagnostics);
        if (!configuration.acls.add(std::move(acl)))
            configuration.diagnostics.warn(
                document.file(section->place), section->place.line,
                fmt::format("there is another acl '{}'; ignored", section->name));
    }
}

}  // namespace strowger::pbx::config
