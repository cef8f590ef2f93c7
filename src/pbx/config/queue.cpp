#include "pbx/config/queue.hpp"

#include <algorithm>

#include "pbx/config/option.hpp"
#include "pbx/config/sections.hpp"

namespace strowger::pbx::config {

namespace {

constexpr unsigned long_time = 86'400;

// "paused,inuse" or one of the words that stand for several.
Result<std::uint8_t> parse_empty(std::string_view value, std::uint8_t yes, std::uint8_t no) {
    using Q = Queue;
    std::uint8_t set = 0;
    for (const auto part : split(value, ',')) {
        const auto word = to_lower(trim(part));
        if (word == "paused")
            set |= Q::paused;
        else if (word == "penalty")
            set |= Q::penalty;
        else if (word == "inuse")
            set |= Q::inuse;
        else if (word == "ringing")
            set |= Q::ringing;
        else if (word == "unavailable")
            set |= Q::unavailable;
        else if (word == "invalid")
            set |= Q::invalid;
        else if (word == "unknown")
            set |= Q::unknown;
        else if (word == "wrapup")
            set |= Q::wrapup;
        else if (word == "strict")
            set |= Q::penalty | Q::paused | Q::invalid | Q::unavailable;
        else if (word == "loose")
            set |= Q::penalty | Q::invalid;
        else if (is_true(word))
            set |= yes;
        else if (word == "no" || word == "false" || word == "0" || word == "off" || word == "n")
            set |= no;
        else if (!word.empty())
            return fail(
                "expected paused, penalty, inuse, ringing, unavailable, invalid, unknown, wrapup, "
                "strict, loose, yes or no, got '{}'",
                word);
    }
    return set;
}

Result<> take_member(Queue& queue, std::string_view value) {
    const auto parts = split(value, ',');
    const auto at = [&](std::size_t i) {
        return i < parts.size() ? trim(parts[i]) : std::string_view();
    };
    if (at(0).empty()) return fail("expected Technology/resource, got '{}'", value);
    if (queue.members.size() >= Queue::max_members)
        return fail("a queue has at most {} members", Queue::max_members);
    Queue::Member member;
    member.interface = at(0);
    if (!at(1).empty()) {
        const auto penalty = parse_number<int>(at(1));
        if (!penalty) return fail("expected a penalty, got '{}'", at(1));
        member.penalty = std::max(*penalty, 0);
    }
    member.name = at(2);
    member.state_interface = at(3);
    if (!at(4).empty()) member.ringinuse = is_true(at(4));
    if (!at(5).empty()) {
        const auto wrapup = parse_number<unsigned>(at(5));
        if (!wrapup || *wrapup > long_time)
            return fail("expected a wrapuptime in seconds, got '{}'", at(5));
        member.wrapuptime = *wrapup;
    }
    member.paused = is_true(at(6));
    queue.members.push_back(std::move(member));
    return {};
}

template <typename Choice>
Schema<Queue>::Apply yes_or(Choice Queue::* member, Choice yes, Choice no,
                            std::vector<std::pair<std::string_view, Choice>> words) {
    return [=](Queue& queue, std::string_view value) -> Result<> {
        queue.*member = is_true(value) ? yes : no;
        for (const auto& [word, meaning] : words)
            if (iequals(word, value)) queue.*member = meaning;
        return {};
    };
}

const Schema<QueueGeneral>& general_schema() {
    using G = QueueGeneral;
    static const auto schema =
        Schema<G>()
            .boolean("persistentmembers", &G::persistentmembers)
            .boolean("autofill", &G::autofill)
            .boolean("shared_lastcall", &G::shared_lastcall)
            .boolean("negative_penalty_invalid", &G::negative_penalty_invalid)
            .boolean("log_membername_as_agent", &G::log_membername_as_agent)
            .boolean("log-restricted-caller-id", &G::log_restricted_caller_id)
            .boolean("enable_cidname_logging", &G::enable_cidname_logging)
            .boolean("force_longest_waiting_caller", &G::force_longest_waiting_caller)
            .ignore({"monitor-type", "keepstats", "updatecdr"});
    return schema;
}

const Schema<Queue>& schema() {
    using Q = Queue;
    using S = Q::Strategy;
    static const auto schema =
        Schema<Q>()
            .choice<S>("strategy", &Q::strategy,
                       {{"ringall", S::ringall},
                        {"leastrecent", S::leastrecent},
                        {"fewestcalls", S::fewestcalls},
                        {"random", S::random},
                        {"rrmemory", S::rrmemory},
                        {"roundrobin", S::rrmemory},
                        {"rrordered", S::rrordered},
                        {"linear", S::linear},
                        {"wrandom", S::wrandom}})
            .on("member", take_member)
            .text("musicclass", &Q::musicclass)
            .text("musiconhold", &Q::musicclass)
            .text("announce", &Q::announce)
            .text("queue-callerannounce", &Q::queue_callerannounce)
            .text("context", &Q::context)
            .text("membergosub", &Q::membergosub)
            .text("defaultrule", &Q::defaultrule)
            .text("monitor-format", &Q::monitor_format)
            .number("servicelevel", &Q::servicelevel, 0u, long_time)
            .number("penaltymemberslimit", &Q::penaltymemberslimit, 0, 100'000)
            .number("timeout", &Q::timeout, 0u, long_time)
            .number("retry", &Q::retry, 0u, long_time)
            .on("timeoutpriority",
                [](Q& queue, std::string_view value) -> Result<> {
                    if (!iequals(value, "app") && !iequals(value, "conf"))
                        return fail("expected app or conf, got '{}'", value);
                    queue.timeout_is_apps = iequals(value, "app");
                    return {};
                })
            .number("weight", &Q::weight, 0, 1'000'000)
            .number("wrapuptime", &Q::wrapuptime, 0u, long_time)
            .boolean("autofill", &Q::autofill)
            .on("autopause", yes_or(&Q::autopause, Q::AutoPause::yes, Q::AutoPause::no,
                                    {{"all", Q::AutoPause::all}}))
            .number("autopausedelay", &Q::autopausedelay, 0u, long_time)
            .boolean("autopausebusy", &Q::autopausebusy)
            .boolean("autopauseunavail", &Q::autopauseunavail)
            .number("maxlen", &Q::maxlen, 0u, 1'000'000u)
            .boolean("setinterfacevar", &Q::setinterfacevar)
            .boolean("setqueueentryvar", &Q::setqueueentryvar)
            .boolean("setqueuevar", &Q::setqueuevar)
            .on("joinempty",
                [](Q& queue, std::string_view value) -> Result<> {
                    const auto set = parse_empty(value, 0, Q::penalty | Q::paused | Q::invalid);
                    if (!set) return std::unexpected(set.error());
                    queue.joinempty = *set;
                    return {};
                })
            .on("leavewhenempty",
                [](Q& queue, std::string_view value) -> Result<> {
                    const auto set = parse_empty(value, Q::penalty | Q::paused | Q::invalid, 0);
                    if (!set) return std::unexpected(set.error());
                    queue.leavewhenempty = *set;
                    return {};
                })
            .boolean("reportholdtime", &Q::reportholdtime)
            .boolean("ringinuse", &Q::ringinuse)
            .number("memberdelay", &Q::memberdelay, 0u, 3600u)
            .boolean("timeoutrestart", &Q::timeoutrestart)
            .number("announce-frequency", &Q::announce_frequency, 0u, long_time)
            .number("min-announce-frequency", &Q::min_announce_frequency, 0u, long_time)
            .number("periodic-announce-frequency", &Q::periodic_announce_frequency, 0u, long_time)
            .on("periodic-announce-startdelay",
                [](Q& queue, std::string_view value) -> Result<> {
                    const auto seconds = parse_number<unsigned>(value);
                    if (!seconds || *seconds > long_time)
                        return fail("expected seconds to {}, got '{}'", long_time, value);
                    queue.periodic_announce_startdelay = *seconds;
                    return {};
                })
            .boolean("random-periodic-announce", &Q::random_periodic_announce)
            .boolean("relative-periodic-announce", &Q::relative_periodic_announce)
            .on("announce-holdtime",
                yes_or(&Q::announce_holdtime, Q::AnnounceHoldtime::yes, Q::AnnounceHoldtime::no,
                       {{"once", Q::AnnounceHoldtime::once}}))
            .on("announce-position",
                yes_or(
                    &Q::announce_position, Q::AnnouncePosition::yes, Q::AnnouncePosition::no,
                    {{"limit", Q::AnnouncePosition::limit}, {"more", Q::AnnouncePosition::more}}))
            .number("announce-position-limit", &Q::announce_position_limit, 0u, 100'000u)
            .boolean("announce-to-first-user", &Q::announce_to_first_user)
            .boolean("announce-position-only-up", &Q::announce_position_only_up)
            .on("announce-round-seconds",
                [](Q& queue, std::string_view value) -> Result<> {
                    const auto seconds = parse_number<unsigned>(value);
                    if (!seconds || *seconds >= 60 || (*seconds != 0 && 60 % *seconds != 0))
                        return fail("expected 0, 5, 10, 15, 20 or 30, got '{}'", value);
                    queue.announce_round_seconds = *seconds;
                    return {};
                })
            .list("periodic-announce", &Q::periodic_announce)
            .text("queue-youarenext", &Q::youarenext)
            .text("queue-thereare", &Q::thereare)
            .text("queue-callswaiting", &Q::callswaiting)
            .text("queue-quantity1", &Q::quantity1)
            .text("queue-quantity2", &Q::quantity2)
            .text("queue-holdtime", &Q::holdtime)
            .text("queue-minute", &Q::minute)
            .text("queue-minutes", &Q::minutes)
            .text("queue-seconds", &Q::seconds)
            .text("queue-thankyou", &Q::thankyou)
            .text("queue-reporthold", &Q::reporthold)
            .ignore({"monitor-type", "eventwhencalled", "eventmemberstatus", "membermacro",
                     "queue-less-than", "queue-lessthan", "log-restricted-caller-id",
                     "roundingseconds", "timeoutmember"});
    return schema;
}

Result<std::optional<QueueRule::Limit>> parse_limit(std::string_view text) {
    text = trim(text);
    if (text.empty()) return std::optional<QueueRule::Limit>();
    QueueRule::Limit limit;
    limit.relative = text.front() == '+' || text.front() == '-';
    if (text.front() == '+') text.remove_prefix(1);
    const auto value = parse_number<int>(text);
    if (!value || *value > 1'000'000 || *value < -1'000'000)
        return fail("expected a penalty, got '{}'", text);
    limit.value = *value;
    return std::optional(limit);
}

// penaltychange => seconds,max[,min[,raise]]
Result<> take_change(QueueRule& rule, std::string_view value) {
    const auto parts = split(value, ',');
    const auto after = parse_number<unsigned>(trim(parts[0]));
    if (!after || *after > long_time) return fail("expected seconds,penalty, got '{}'", value);
    if (rule.changes.size() >= QueueRule::max_changes)
        return fail("a rule has at most {} changes", QueueRule::max_changes);
    QueueRule::Change change;
    change.after = *after;
    std::optional<QueueRule::Limit>* const limits[] = {&change.max, &change.min, &change.raise};
    for (std::size_t i = 0; i < 3 && i + 1 < parts.size(); ++i) {
        auto limit = parse_limit(parts[i + 1]);
        if (!limit) return std::unexpected(limit.error());
        *limits[i] = *limit;
    }
    rule.changes.push_back(change);
    return {};
}

}  // namespace

void read_queues(const ini::Document& document, Configuration& configuration) {
    if (const auto* general = document.find("general"))
        general_schema().apply(configuration.queue_general, document, *general,
                               configuration.diagnostics);
    for (const auto* section : document.sections()) {
        if (iequals(section->name, "general")) continue;
        Queue queue;
        queue.name = section->name;
        queue.place = section->place;
        queue.autofill = configuration.queue_general.autofill;
        schema().apply(queue, document, *section, configuration.diagnostics);
        if (!queue.defaultrule.empty() && !configuration.queue_rules.find(queue.defaultrule))
            configuration.diagnostics.warn(
                document.file(section->place), section->place.line,
                fmt::format("there is no rule '{}' in queuerules.conf", queue.defaultrule));
        if (!configuration.queues.add(std::move(queue)))
            configuration.diagnostics.warn(
                document.file(section->place), section->place.line,
                fmt::format("there is another queue '{}'; ignored", section->name));
    }
}

void read_queue_rules(const ini::Document& document, Configuration& configuration) {
    static const auto schema = Schema<QueueRule>().on("penaltychange", take_change);
    for (const auto* section : document.sections()) {
        if (iequals(section->name, "general")) continue;
        QueueRule rule;
        rule.name = section->name;
        schema.apply(rule, document, *section, configuration.diagnostics);
        std::stable_sort(rule.changes.begin(), rule.changes.end(),
                         [](const auto& a, const auto& b) { return a.after < b.after; });
        configuration.queue_rules.add(std::move(rule));
    }
}

}  // namespace strowger::pbx::config
