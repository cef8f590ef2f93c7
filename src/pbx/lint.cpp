#include "pbx/lint.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/invocations.hpp"
#include "pbx/dialplan/lint.hpp"
#include "pbx/option_letters.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Invoked;

// What a dialplan may say. The applications are never run.
struct Vocabulary {
    dialplan::Applications applications;
    dialplan::Functions functions;
    Vocabulary() {
        add_all_applications(applications);
        add_all_functions(functions);
    }
};

bool is_written(const config::Endpoint& endpoint, std::string_view key) {
    for (const auto& option : endpoint.raw)
        if (iequals(option.key, key)) return true;
    return false;
}

// A template may give its mistake to thousands of endpoints: one message tells of all of them.
class EndpointNames {
public:
    void add(std::string what, std::string name, const config::Endpoint& endpoint) {
        auto& found = missing_[{std::move(what), std::move(name)}];
        if (found.count++ == 0) found.first = &endpoint;
    }
    void tell(const config::Configuration& c, const std::vector<std::string_view>& known,
              std::string_view kind, std::string_view consequence, ini::Diagnostics& d) const {
        for (const auto& [missing, found] : missing_) {
            const auto& [what, name] = missing;
            const auto& endpoint = *found.first;
            const auto& document = endpoint.from_wizard ? c.pjsip_wizard : c.pjsip;
            const auto others =
                found.count > 1 ? fmt::format(" and {} more", found.count - 1) : std::string();
            d.warn(document.file(endpoint.place), endpoint.place.line,
                   fmt::format("there is no {} '{}', which is the {} of {}{}; {}", kind, name, what,
                               endpoint.name, others, consequence),
                   std::string(nearest(name, known).value_or("")));
        }
    }

private:
    struct Found {
        const config::Endpoint* first = nullptr;
        std::size_t count = 0;
    };
    std::map<std::pair<std::string, std::string>, Found> missing_;
};

void lint_contexts(const config::Configuration& c, const dialplan::Dialplan& plan,
                   ini::Diagnostics& d) {
    std::vector<std::string_view> known;
    for (const auto& context : plan.contexts()) known.push_back(context->name);
    EndpointNames missing;
    for (const auto& endpoint : c.endpoints)
        for (const auto& [key, name] :
             {std::pair("context", &endpoint.context),
              std::pair("message_context", &endpoint.message_context),
              std::pair("subscribe_context", &endpoint.subscribe_context)})
            if (!name->empty() && is_written(endpoint, key) && !plan.context(*name))
                missing.add(key, *name, endpoint);
    missing.tell(c, known, "context", "nothing can be reached there", d);
    for (const auto& lot : c.parking_lots)
        if (!lot.comebacktoorigin && !plan.context(lot.comebackcontext))
            d.warn("res_parking.conf", lot.place.line,
                   fmt::format("there is no context '{}', where calls of the lot '{}' are to go "
                               "when nobody fetches them",
                               lot.comebackcontext, lot.name),
                   std::string(nearest(lot.comebackcontext, known).value_or("")));
}

class MusicLint {
public:
    MusicLint(const config::Configuration& configuration, const dialplan::Dialplan& plan,
              ini::Diagnostics& diagnostics)
        : c_(configuration), plan_(plan), d_(diagnostics) {
        for (const auto& music_class : c_.music) known_.push_back(music_class.name);
    }

    void look_at_endpoints() {
        EndpointNames missing;
        for (const auto& endpoint : c_.endpoints)
            if (is_missing(endpoint.moh_suggest))
                missing.add("moh_suggest", endpoint.moh_suggest, endpoint);
        missing.tell(c_, known_, "class of music", instead, d_);
        for (const auto& lot : c_.parking_lots)
            if (is_missing(lot.parkedmusicclass))
                warn("res_parking.conf", lot.place.line, lot.parkedmusicclass);
    }

    void look_at(const Invoked& invoked) {
        const auto name = to_lower(invoked.application);
        const auto arguments = dialplan::split_arguments(invoked.arguments);
        const auto option = [&](std::size_t at, char letter) {
            const OptionLetters letters(at < arguments.size() ? arguments[at] : std::string());
            return std::optional<std::string>(letters.argument(letter));
        };
        std::optional<std::string> music_class;
        if ((name == "musiconhold" || name == "startmusiconhold" || name == "setmusiconhold") &&
            !arguments.empty())
            music_class = trim(arguments[0]);
        else if (name == "waitexten")
            music_class = option(1, 'm');
        else if (name == "dial")
            music_class = option(2, 'm');
        else if (name == "set" && invoked.arguments.starts_with("CHANNEL(musicclass)="))
            music_class = split_once(invoked.arguments, '=').second;
        if (music_class && !dialplan::is_computed(*music_class) && is_missing(*music_class))
            warn(plan_.files().at(invoked.step.file), invoked.step.line, *music_class);
    }

private:
    static constexpr std::string_view instead = "'default' is played";

    // `default` needs no section: it plays what lies in the usual directory.
    bool is_missing(std::string_view name) const {
        return !name.empty() && name != "default" && !c_.music.find(name);
    }
    void warn(const std::string& file, unsigned line, std::string_view name) {
        d_.warn(file, line, fmt::format("there is no class of music '{}'; {}", name, instead),
                std::string(nearest(name, known_).value_or("")));
    }

    const config::Configuration& c_;
    const dialplan::Dialplan& plan_;
    ini::Diagnostics& d_;
    std::vector<std::string_view> known_;
};

// The prompts among the arguments of an application, some of them joined with '&'.
std::vector<std::string> prompts_of(const Invoked& invoked) {
    const auto name = to_lower(invoked.application);
    const auto arguments = dialplan::split_arguments(invoked.arguments);
    std::vector<std::string> prompts;
    const auto add = [&](std::size_t at) {
        if (at >= arguments.size()) return;
        for (const auto prompt : split(arguments[at], '&'))
            if (!trim(prompt).empty()) prompts.emplace_back(trim(prompt));
    };
    if (name == "playback" || name == "background" || name == "controlplayback" ||
        name == "retrydial")
        add(0);
    else if (name == "read") {
        // With `i` it is a tone.
        if (!OptionLetters(arguments.size() > 3 ? arguments[3] : "").has('i')) add(1);
    } else if (name == "readexten")
        add(1);
    else if (name == "authenticate")
        add(3);
    else if (name == "dial" && arguments.size() > 2) {
        const OptionLetters options(arguments[2]);
        if (const auto announcement = options.argument('A')) prompts.emplace_back(*announcement);
    }
    return prompts;
}

}  // namespace

void lint(const config::Configuration& configuration, const dialplan::Dialplan& plan,
          ini::Diagnostics& diagnostics) {
    static const Vocabulary vocabulary;
    dialplan::lint(plan, vocabulary.applications, vocabulary.functions, diagnostics);
    lint_contexts(configuration, plan, diagnostics);
    MusicLint music(configuration, plan, diagnostics);
    music.look_at_endpoints();
    dialplan::for_each_invocation(plan, [&](const Invoked& invoked) { music.look_at(invoked); });
}

void lint_sounds(const config::Configuration& configuration, const dialplan::Dialplan& plan,
                 const Sounds& sounds, ini::Diagnostics& diagnostics) {
    std::set<std::string> told;
    const auto look_for = [&](const std::string& file, unsigned line, const std::string& prompt) {
        if (prompt.empty() || dialplan::is_computed(prompt) ||
            sounds.find(prompt, configuration.asterisk.defaultlanguage) ||
            !told.insert(prompt).second)
            return;
        diagnostics.warn(file, line, fmt::format("the sound '{}' is not found", prompt));
    };
    dialplan::for_each_invocation(plan, [&](const Invoked& invoked) {
        for (const auto& prompt : prompts_of(invoked))
            look_for(plan.files().at(invoked.step.file), invoked.step.line, prompt);
    });
    const auto& features = configuration.features;
    for (const auto* prompt :
         {&features.pickupsound, &features.pickupfailsound, &features.xferfailsound})
        look_for("features.conf", 0, *prompt);
    for (const auto& lot : configuration.parking_lots)
        look_for("res_parking.conf", lot.place.line, lot.courtesytone);
}

}  // namespace strowger::pbx
