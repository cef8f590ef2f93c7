#include "pbx/log_targets.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "io/clock.hpp"
#include "io/file.hpp"

namespace strowger::pbx {

namespace {

constexpr log::About about{"pbx"};

struct Wanted {
    unsigned levels = 0;
    std::vector<std::string> events;
};

Wanted wanted_by(const config::Logger::Target& target) {
    Wanted wanted;
    for (const auto& level : target.levels) {
        if (level == "*") {
            wanted.levels = log::all_levels;
            wanted.events = {"security", "dtmf"};
        } else if (level == "security" || level == "dtmf") {
            wanted.events.push_back(level);
        } else if (const auto known = log::level_by_name(level, log::Level::off);
                   known != log::Level::off) {
            wanted.levels |= log::bit_of(known);
        }
    }
    return wanted;
}

std::string directory_of(const config::Configuration& config, const std::string& state_directory) {
    const auto found = config.asterisk.directories.find("astlogdir");
    return found == config.asterisk.directories.end() ? state_directory + "/logs" : found->second;
}

std::string_view name_of(events::Security::What what) {
    using What = events::Security::What;
    switch (what) {
        case What::failed_acl: return "FailedACL";
        case What::invalid_account: return "InvalidAccountID";
        case What::challenge_response_failed: return "ChallengeResponseFailed";
        case What::challenge_sent: return "ChallengeSent";
        case What::successful_auth: return "SuccessfulAuth";
        case What::request_not_supported: return "RequestNotSupported";
    }
    return "Unknown";
}

// "IPV4/UDP/192.0.2.1/5060", as those who read such logs expect it.
std::string address_text(const events::Security& security, const SocketAddress& address) {
    return fmt::format("{}/{}/{}/{}", address.ip.is_v4() ? "IPV4" : "IPV6", security.transport,
                       address.ip.text(), address.port);
}

void log_security(const events::Security& security) {
    if (!log::wants_event("security")) return;
    const bool failed = security.what != events::Security::What::challenge_sent &&
                        security.what != events::Security::What::successful_auth;
    log::write_event(
        "security", {"pbx", security.call_id, security.remote.text()},
        fmt::format("SecurityEvent=\"{}\",Severity=\"{}\",Service=\"PJSIP\",EventVersion=\"1\","
                    "AccountID=\"{}\",SessionID=\"{}\",LocalAddress=\"{}\",RemoteAddress=\"{}\"{}",
                    name_of(security.what), failed ? "Error" : "Informational", security.account,
                    security.call_id, address_text(security, security.local),
                    address_text(security, security.remote),
                    security.what == events::Security::What::failed_acl
                        ? fmt::format(",ACLName=\"{}\"", security.detail)
                        : std::string()));
}

}  // namespace

void set_log_targets(const config::Configuration& config, const std::string& state_directory) {
    unsigned console_levels = log::all_levels;
    std::vector<std::string> console_events;
    std::vector<log::Target> targets;
    const auto directory = directory_of(config, state_directory);
    for (const auto& target : config.logger.targets) {
        using Kind = config::Logger::Target::Kind;
        auto wanted = wanted_by(target);
        if (target.kind == Kind::console) {
            console_levels = wanted.levels;
            console_events = std::move(wanted.events);
            continue;
        }
        log::Target made;
        made.kind =
            target.kind == Kind::syslog ? log::Target::Kind::syslog : log::Target::Kind::file;
        made.name = target.name;
        if (target.kind == Kind::file && !target.name.starts_with('/')) {
            if (auto ready = io::make_directories(directory); !ready)
                LOG_WARNING(about, "{}", ready.error().text());
            made.name = directory + "/" + target.name;
        }
        made.levels = wanted.levels;
        made.events = std::move(wanted.events);
        made.json = target.json;
        made.date_format = config.logger.dateformat;
        targets.push_back(std::move(made));
    }
    log::set_console(console_levels, std::move(console_events));
    for (const auto& complaint : log::set_targets(std::move(targets)))
        LOG_WARNING(about, "logger.conf: {}", complaint);
}

void log_event(const events::Event& event) {
    if (const auto* security = std::get_if<events::Security>(&event)) {
        log_security(*security);
    } else if (const auto* digit = std::get_if<events::DtmfReceived>(&event);
               digit && log::wants_event("dtmf")) {
        const auto ms =
            std::chrono::duration_cast<std::chrono::milliseconds>(digit->duration).count();
        log::write_event("dtmf", {"pbx", {}, digit->channel},
                         fmt::format("DTMF '{}' received, duration {} ms", digit->digit, ms));
    }
}

}  // namespace strowger::pbx
