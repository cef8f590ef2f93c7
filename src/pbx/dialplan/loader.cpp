// extensions.conf: sections into contexts.

#include <algorithm>
#include <map>

#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/dialplan.hpp"
#include "pbx/dialplan/loading.hpp"

namespace strowger::dialplan {

class Builder {
public:
    Builder(const ini::Document& document, ini::Diagnostics& diagnostics)
        : document_(document), diagnostics_(diagnostics), plan_(std::make_shared<Dialplan>()) {
        plan_->files_ = document.files();
    }

    std::shared_ptr<const Dialplan> build(const std::vector<ExtraHint>& extra_hints) {
        for (const auto* section : document_.sections())
            if (iequals(section->name, "globals")) take_globals(*section);
        for (const auto* section : document_.sections()) {
            if (iequals(section->name, "globals")) continue;
            if (iequals(section->name, "general"))
                take_general(*section);
            else
                take_context(*section);
        }
        for (const auto& hint : extra_hints) add_extra_hint(hint);
        for (auto& context : plan_->contexts_) finish(*context);
        check_includes();
        return plan_;
    }

private:
    // The parts of `exten =>`: everything but the application still as text.
    struct Line {
        std::string_view priority;
        std::string_view label;
        std::string_view action;
    };

    void take_general(const ini::Section& section);
    void take_globals(const ini::Section& section);
    void take_context(const ini::Section& section);
    void take_exten(Context& context, const ini::Entry& entry);
    void take_rest(Context& context, const ini::Entry& entry, std::string_view rest);
    void take_include(Context& context, const ini::Entry& entry);
    std::optional<int> number_of(const ini::Entry& entry, std::string_view text);
    void add_step(Extension& extension, Step step, const ini::Entry& entry);
    void add_extra_hint(const ExtraHint& hint);
    void finish(Context& context);
    void check_includes();
    Context& context_named(std::string_view name);
    Extension* extension_named(Context& context, std::string_view name, const ini::Entry& entry);
    static Hint parse_hint(std::string_view text);

    void warn(const ini::Entry& entry, std::string text, std::string suggestion = {}) {
        diagnostics_.warn(document_.file(entry.place), entry.place.line, std::move(text),
                          std::move(suggestion));
    }

    const ini::Document& document_;
    ini::Diagnostics& diagnostics_;
    std::shared_ptr<Dialplan> plan_;
    LoadingCall loading_;
    std::map<std::pair<const Context*, std::string>, std::size_t> index_;
    std::vector<std::pair<std::string, ini::Entry>> includes_;  ///< to be checked at the end
    std::string exten_;                                         ///< of the last `exten`, for `same`
    int last_ = 0;  ///< the last priority, for `n`; 0: none yet in this section
};

void Builder::take_general(const ini::Section& section) {
    static const std::vector<std::string_view> known{
        "static",          "writeprotect",         "autofallthrough",
        "clearglobalvars", "extenpatternmatchnew", "overrideswitch",
        "userscontext",    "endlessloop"};
    for (const auto& entry : section.entries) {
        if (iequals(entry.key, "autofallthrough"))
            plan_->autofallthrough_ = is_true(entry.value);
        else if (iequals(entry.key, "clearglobalvars"))
            plan_->clearglobalvars_ = is_true(entry.value);
        else if (std::none_of(known.begin(), known.end(),
                              [&](auto key) { return iequals(key, entry.key); }))
            warn(entry, fmt::format("unknown key '{}' in [general]", entry.key),
                 std::string(nearest(entry.key, known).value_or("")));
    }
}

void Builder::take_globals(const ini::Section& section) {
    for (const auto& entry : section.entries) {
        plan_->globals_.emplace_back(entry.key, entry.value);
        loading_.set_global(entry.key, entry.value);
    }
}

Context& Builder::context_named(std::string_view name) {
    if (const auto found = plan_->by_name_.find(name); found != plan_->by_name_.end())
        return *found->second;
    auto& context = *plan_->contexts_.emplace_back(std::make_unique<Context>());
    context.name = name;
    plan_->by_name_.emplace(context.name, &context);
    return context;
}

void Builder::take_context(const ini::Section& section) {
    auto& context = context_named(section.name);
    exten_.clear();
    last_ = 0;
    for (const auto& entry : section.entries) {
        if (iequals(entry.key, "exten")) {
            take_exten(context, entry);
        } else if (iequals(entry.key, "same")) {
            if (exten_.empty())
                warn(entry, "'same' has no 'exten' above it; ignored");
            else
                take_rest(context, entry, entry.value);
        } else if (iequals(entry.key, "include")) {
            take_include(context, entry);
        } else if (iequals(entry.key, "ignorepat")) {
            context.ignore_patterns.emplace_back(entry.value);
        } else if (iequals(entry.key, "switch") || iequals(entry.key, "lswitch") ||
                   iequals(entry.key, "eswitch")) {
            warn(entry, fmt::format("'{}' asks another exchange or database and is not obeyed",
                                    entry.key));
        } else {
            const auto near =
                nearest(entry.key, {"exten", "same", "include", "ignorepat", "switch"});
            warn(entry, fmt::format("unknown key '{}' in [{}]", entry.key, section.name),
                 std::string(near.value_or("")));
        }
    }
}

namespace {

// At the first comma that no `[...]` of a pattern holds.
std::pair<std::string_view, std::string_view> cut_pattern(std::string_view text, char separator) {
    int depth = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '[') ++depth;
        if (text[at] == ']' && depth > 0) --depth;
        if (text[at] == separator && depth == 0) return {text.substr(0, at), text.substr(at + 1)};
    }
    return {text, {}};
}

}  // namespace

void Builder::take_exten(Context& context, const ini::Entry& entry) {
    const auto [written, rest] = cut_pattern(entry.value, ',');
    auto name = trim(written);
    std::string substituted;
    if (name.find("${") != std::string_view::npos || name.find("$[") != std::string_view::npos) {
        substituted = loading_.substitute(name);
        name = trim(substituted);
    }
    if (name.empty()) {
        exten_.clear();
        return warn(entry, "an extension without a name; ignored");
    }
    exten_ = name;
    take_rest(context, entry, rest);
}

// "n+2(label)" after the name: which number that is.
std::optional<int> Builder::number_of(const ini::Entry& entry, std::string_view text) {
    static constexpr int highest = 1'000'000;
    auto [base, plus] = split_once(text, '+');
    base = trim(base);
    int number = 0;
    if (iequals(base, "n") || iequals(base, "next")) {
        if (last_ == 0) {
            warn(entry, fmt::format("priority '{}' has none before it; ignored", text));
            return std::nullopt;
        }
        number = last_ + 1;
    } else if (iequals(base, "s") || iequals(base, "same")) {
        if (last_ == 0) {
            warn(entry, fmt::format("priority '{}' has none before it; ignored", text));
            return std::nullopt;
        }
        number = last_;
    } else if (const auto given = parse_number<int>(base)) {
        number = *given;
    } else {
        warn(entry, fmt::format("'{}' is not a priority (a number, n, s or hint); ignored", text));
        return std::nullopt;
    }
    if (!trim(plus).empty()) {
        const auto more = parse_number<int>(trim(plus));
        if (!more || *more < 0 || *more > highest) {
            warn(entry, fmt::format("'{}' is not a priority; ignored", text));
            return std::nullopt;
        }
        number += *more;
    }
    if (number < 1 || number > highest) {
        warn(entry, fmt::format("priority {} is not between 1 and {}; ignored", number, highest));
        return std::nullopt;
    }
    return number;
}

Hint Builder::parse_hint(std::string_view text) {
    Hint hint;
    const auto [devices, presence] = split_once(text, ',');
    hint.devices = trim(devices);
    hint.presence = trim(presence);
    // "PJSIP/a(Front desk)": the name that HINTNAME gives.
    if (const auto open = hint.devices.find('(');
        open != std::string::npos && hint.devices.ends_with(')')) {
        hint.name = hint.devices.substr(open + 1, hint.devices.size() - open - 2);
        hint.devices.resize(open);
    }
    return hint;
}

void Builder::take_rest(Context& context, const ini::Entry& entry, std::string_view rest) {
    auto [priority, action] = split_once(rest, ',');
    priority = trim(priority);
    action = trim(action);
    std::string_view label;
    if (const auto open = priority.find('('); open != std::string_view::npos) {
        label = priority.substr(open + 1);
        if (const auto close = label.find(')'); close != std::string_view::npos)
            label = label.substr(0, close);
        else
            warn(entry, fmt::format("the label '{}' has no closing ')'", label));
        label = trim(label);
        priority = trim(priority.substr(0, open));
    }
    if (iequals(priority, "hint")) {
        if (auto* extension = extension_named(context, exten_, entry)) {
            if (extension->hint)
                warn(entry, fmt::format("{}@{} has a hint already; this one is ignored", exten_,
                                        context.name));
            else
                extension->hint = parse_hint(action);
        }
        return;
    }
    const auto number = number_of(entry, priority);
    if (!number) return;
    const auto [application, arguments] = split_invocation(action);
    if (application.empty())
        return warn(
            entry, fmt::format("priority {} of {} names no application; ignored", *number, exten_));
    last_ = *number;
    auto* extension = extension_named(context, exten_, entry);
    if (!extension) return;
    add_step(*extension,
             Step{*number, std::string(label), std::string(application), std::string(arguments),
                  entry.place.file, entry.place.line},
             entry);
}

void Builder::add_step(Extension& extension, Step step, const ini::Entry& entry) {
    const auto at = std::lower_bound(extension.steps.begin(), extension.steps.end(), step.priority,
                                     [](const Step& a, int wanted) { return a.priority < wanted; });
    if (at != extension.steps.end() && at->priority == step.priority)
        return warn(entry, fmt::format("{} has priority {} already ({}); this one is ignored",
                                       extension.pattern.text(), step.priority, plan_->where(*at)));
    if (const auto* twin = extension.labelled(step.label))
        warn(entry, fmt::format("{} has a label '{}' already ({})", extension.pattern.text(),
                                step.label, plan_->where(*twin)));
    extension.steps.insert(at, std::move(step));
    ++plan_->steps_;
}

Extension* Builder::extension_named(Context& context, std::string_view name,
                                    const ini::Entry& entry) {
    const auto [it, added] =
        index_.try_emplace({&context, std::string(name)}, context.extensions_.size());
    if (!added) return &context.extensions_[it->second];
    const auto [text, callers_text] = cut_pattern(name, '/');
    const bool has_callers = text.size() != name.size();
    auto pattern = Pattern::compile(trim(text));
    auto callers = has_callers ? Pattern::compile(trim(callers_text)) : Pattern::compile("");
    if (!pattern || !callers) {
        index_.erase(it);
        diagnostics_.error(document_.file(entry.place), entry.place.line,
                           (pattern ? callers.error() : pattern.error()).text());
        return nullptr;
    }
    auto& extension = context.extensions_.emplace_back();
    extension.pattern = std::move(*pattern);
    if (has_callers) extension.callers = std::move(*callers);
    return &extension;
}

void Builder::take_include(Context& context, const ini::Entry& entry) {
    const auto separator = entry.value.find(',') == std::string_view::npos ? '|' : ',';
    const auto [name, times] = split_once(entry.value, separator);
    Include include{std::string(trim(name)), std::nullopt};
    if (include.context.empty()) return warn(entry, "an include without a context; ignored");
    if (!trim(times).empty()) {
        auto when = TimeSpec::parse(times);
        if (!when)
            return diagnostics_.error(document_.file(entry.place), entry.place.line,
                                      when.error().text());
        include.when = std::move(*when);
    }
    includes_.emplace_back(include.context, entry);
    context.includes.push_back(std::move(include));
}

void Builder::add_extra_hint(const ExtraHint& extra) {
    auto& context = context_named(extra.context);
    const auto [it, added] =
        index_.try_emplace({&context, extra.exten}, context.extensions_.size());
    if (added) {
        auto pattern = Pattern::compile(extra.exten);
        if (!pattern) {
            index_.erase(it);
            return diagnostics_.error(extra.file, extra.line, pattern.error().text());
        }
        context.extensions_.emplace_back().pattern = std::move(*pattern);
    }
    auto& extension = context.extensions_[it->second];
    if (!extension.hint && !extra.devices.empty()) extension.hint = parse_hint(extra.devices);
    if (extra.application.empty() || extension.step(1)) return;
    const auto [application, arguments] = split_invocation(extra.application);
    const auto known = std::find(plan_->files_.begin(), plan_->files_.end(), extra.file);
    const auto file = static_cast<std::uint32_t>(known - plan_->files_.begin());
    if (known == plan_->files_.end()) plan_->files_.push_back(extra.file);
    extension.steps.insert(extension.steps.begin(), Step{1,
                                                         {},
                                                         std::string(application),
                                                         std::string(arguments),
                                                         file,
                                                         static_cast<std::uint32_t>(extra.line)});
    ++plan_->steps_;
}

// Into the order of choice, with an index of the literal names.
void Builder::finish(Context& context) {
    auto& all = context.extensions_;
    std::stable_sort(all.begin(), all.end(), [](const Extension& a, const Extension& b) {
        if (const auto order = a.pattern <=> b.pattern; order != 0) return order < 0;
        // One that asks who calls is the more particular one.
        if (a.callers.has_value() != b.callers.has_value()) return a.callers.has_value();
        return a.callers && *a.callers < *b.callers;
    });
    context.literals_ = static_cast<std::size_t>(
        std::find_if(all.begin(), all.end(),
                     [](const Extension& e) { return !e.pattern.is_literal(); }) -
        all.begin());
    // Before the index, which borrows the names from where they lie.
    for (auto& extension : all) extension.steps.shrink_to_fit();
    all.shrink_to_fit();
    context.by_name_.reserve(context.literals_);
    for (std::size_t i = 0; i < context.literals_; ++i)
        context.by_name_.try_emplace(all[i].pattern.text(), i);
}

void Builder::check_includes() {
    std::vector<std::string_view> names;
    for (const auto& context : plan_->contexts_) names.push_back(context->name);
    for (const auto& [name, entry] : includes_)
        if (!plan_->context(name))
            warn(entry, fmt::format("the included context '{}' does not exist", name),
                 std::string(nearest(name, names).value_or("")));
}

std::shared_ptr<const Dialplan> load(const ini::Document& document,
                                     const std::vector<ExtraHint>& extra_hints,
                                     ini::Diagnostics& diagnostics) {
    return Builder(document, diagnostics).build(extra_hints);
}

}  // namespace strowger::dialplan
