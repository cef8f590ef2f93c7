#include "pbx/dialplan/dialplan.hpp"

#include <algorithm>
#include <span>

namespace strowger::dialplan {

const Step* Extension::step(int priority) const {
    const auto found =
        std::lower_bound(steps.begin(), steps.end(), priority,
                         [](const Step& step, int wanted) { return step.priority < wanted; });
    return found != steps.end() && found->priority == priority ? &*found : nullptr;
}

const Step* Extension::labelled(std::string_view label) const {
    if (label.empty()) return nullptr;
    const auto found = std::find_if(steps.begin(), steps.end(),
                                    [&](const Step& step) { return step.label == label; });
    return found == steps.end() ? nullptr : &*found;
}

const Context* Dialplan::context(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

std::string Dialplan::where(const Step& step) const {
    return fmt::format("{}:{}", files_[step.file], step.line);
}

namespace {

// A walk through a context and its includes, each context once.
class Search {
public:
    Search(const Dialplan& dialplan, const Query& query) : dialplan_(dialplan), query_(query) {}

    /// Calls `visit(context)` until it says true.
    template <typename Visit>
    bool walk(const Context& context, Visit&& visit, int depth = 0) {
        if (depth > max_include_depth || visited_.size() >= max_searched ||
            std::find(visited_.begin(), visited_.end(), &context) != visited_.end())
            return false;
        visited_.push_back(&context);
        if (visit(context)) return true;
        for (const auto& include : context.includes) {
            if (include.when && !include.when->contains(query_.now)) continue;
            const auto* next = dialplan_.context(include.context);
            if (next && walk(*next, visit, depth + 1)) return true;
        }
        return false;
    }

private:
    const Dialplan& dialplan_;
    const Query& query_;
    std::vector<const Context*> visited_;
};

bool accepts_caller(const Extension& extension, const Query& query) {
    return !extension.callers || extension.callers->match(query.caller) == Pattern::Match::full;
}

}  // namespace

template <typename Take>
std::optional<Dialplan::Found> Dialplan::search(std::string_view name, std::string_view exten,
                                                const Query& query, Take&& take) const {
    const auto* start = context(name);
    if (!start || exten.size() > max_exten) return std::nullopt;
    std::optional<Found> found;
    const auto try_one = [&](const Context& context, const Extension& extension) {
        if (accepts_caller(extension, query)) found = take(context, extension);
        return found.has_value();
    };
    Search(*this, query).walk(*start, [&](const Context& context) {
        const auto& all = context.extensions_;
        if (const auto literal = context.by_name_.find(exten); literal != context.by_name_.end())
            for (auto i = literal->second; i < context.literals_; ++i) {
                if (all[i].pattern.text() != exten) break;
                if (try_one(context, all[i])) return true;
            }
        for (auto i = context.literals_; i < all.size(); ++i)
            if (all[i].pattern.match(exten) == Pattern::Match::full && try_one(context, all[i]))
                return true;
        return false;
    });
    return found;
}

std::optional<Dialplan::Found> Dialplan::find(std::string_view context, std::string_view exten,
                                              int priority, const Query& query) const {
    return search(context, exten, query,
                  [&](const Context& where, const Extension& extension) -> std::optional<Found> {
                      const auto* step = extension.step(priority);
                      if (!step) return std::nullopt;
                      return Found{&where, &extension, step};
                  });
}

std::optional<Dialplan::Found> Dialplan::find_label(std::string_view context,
                                                    std::string_view exten, std::string_view label,
                                                    const Query& query) const {
    return search(context, exten, query,
                  [&](const Context& where, const Extension& extension) -> std::optional<Found> {
                      const auto* step = extension.labelled(label);
                      if (!step) return std::nullopt;
                      return Found{&where, &extension, step};
                  });
}

std::optional<Dialplan::Found> Dialplan::find_hint(std::string_view context, std::string_view exten,
                                                   const Query& query) const {
    return search(context, exten, query,
                  [&](const Context& where, const Extension& extension) -> std::optional<Found> {
                      if (!extension.hint) return std::nullopt;
                      return Found{&where, &extension, nullptr};
                  });
}

bool Dialplan::could_match_longer(std::string_view name, std::string_view digits,
                                  const Query& query) const {
    const auto* start = context(name);
    if (!start || digits.size() > max_exten) return false;
    return Search(*this, query).walk(*start, [&](const Context& context) {
        return std::any_of(context.extensions_.begin(), context.extensions_.end(),
                           [&](const Extension& extension) {
                               return extension.step(1) && accepts_caller(extension, query) &&
                                      extension.pattern.could_match_longer(digits);
                           });
    });
}

bool Dialplan::can_match(std::string_view context, std::string_view digits,
                         const Query& query) const {
    return exists(context, digits, query) || could_match_longer(context, digits, query);
}

bool Dialplan::ignores(std::string_view name, std::string_view digits) const {
    const auto* context_found = context(name);
    if (!context_found) return false;
    return std::any_of(context_found->ignore_patterns.begin(), context_found->ignore_patterns.end(),
                       [&](const std::string& text) {
                           const auto pattern = Pattern::compile(text);
                           return pattern && pattern->match(digits) == Pattern::Match::full;
                       });
}

std::vector<Dialplan::Found> Dialplan::hints() const {
    std::vector<Found> hints;
    for (const auto& context : contexts_)
        for (const auto& extension : context->extensions_)
            if (extension.hint && extension.pattern.is_literal())
                hints.push_back({context.get(), &extension, nullptr});
    return hints;
}

}  // namespace strowger::dialplan
