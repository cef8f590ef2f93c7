#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ini.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "pbx/dialplan/pattern.hpp"
#include "pbx/dialplan/position.hpp"
#include "pbx/dialplan/time_spec.hpp"

namespace strowger::dialplan {

/// One priority: what to do, before substitution.
struct Step {
    int priority = 1;
    std::string label;
    std::string application;
    std::string arguments;
    std::uint32_t file = 0;  ///< index into Dialplan::files()
    std::uint32_t line = 0;
};

/// `exten => N,hint,PJSIP/a&PJSIP/b,CustomPresence:x`.
struct Hint {
    std::string devices;   ///< "PJSIP/a&PJSIP/b"
    std::string presence;  ///< after the comma, or empty
    std::string name;      ///< HINTNAME: the application arguments of the hint, usually empty
};

/// One name in a context, for callers that match `callers` if it has one.
struct Extension {
    Pattern pattern;
    std::optional<Pattern> callers;  ///< `pattern/cidpattern`
    std::vector<Step> steps;         ///< by rising priority
    std::optional<Hint> hint;

    const Step* step(int priority) const;
    const Step* labelled(std::string_view label) const;
};

struct Include {
    std::string context;
    std::optional<TimeSpec> when;
};

/// A section of extensions.conf.
class Context {
public:
    std::string name;
    std::vector<Include> includes;
    std::vector<std::string> ignore_patterns;

    /// In the order of choice: see Pattern.
    const std::vector<Extension>& extensions() const { return extensions_; }

private:
    friend class Dialplan;
    friend class Builder;
    std::vector<Extension> extensions_;  ///< literals, then patterns, each sorted
    std::size_t literals_ = 0;           ///< so many at the front
    /// First index of each literal name; the ones with a caller pattern stand before the one
    /// without.
    std::unordered_map<std::string_view, std::size_t> by_name_;
};

/// Who asks: caller patterns and timed includes depend on it.
struct Query {
    std::string_view caller;  ///< the caller's number
    WallTime now;
};

/// The whole dialplan. Immutable once built; a reload builds another.
class Dialplan {
public:
    struct Found {
        const Context* context;  ///< where it was found, perhaps an include of the one asked for
        const Extension* extension;
        const Step* step;  ///< nullptr where the question was not about a priority
    };

    const Context* context(std::string_view name) const;
    const std::vector<std::unique_ptr<Context>>& contexts() const { return contexts_; }

    /// The step to run at a position: own extensions first, then includes depth first; an extension
    /// without that priority (a mere hint, say) does not stop the search.
    std::optional<Found> find(std::string_view context, std::string_view exten, int priority,
                              const Query& query) const;
    std::optional<Found> find_label(std::string_view context, std::string_view exten,
                                    std::string_view label, const Query& query) const;
    /// Whether a call can start there: priority 1 exists.
    bool exists(std::string_view context, std::string_view exten, const Query& query) const {
        return find(context, exten, 1, query).has_value();
    }
    /// Whether more digits could lead to (another) match: 484 rather than 404, and for digit
    /// collection "wait for the rest".
    bool could_match_longer(std::string_view context, std::string_view digits,
                            const Query& query) const;
    /// `could_match_longer` or `exists`.
    bool can_match(std::string_view context, std::string_view digits, const Query& query) const;
    /// Whether dial tone goes on after these digits.
    bool ignores(std::string_view context, std::string_view digits) const;

    /// The hint of an extension: `found.extension->hint` is set.
    std::optional<Found> find_hint(std::string_view context, std::string_view exten,
                                   const Query& query) const;
    /// Every literal hint in the order of the file, for subscriptions and `core show hints`.
    std::vector<Found> hints() const;

    /// `[globals]` in order, not yet substituted: see load_globals in machine.hpp.
    const std::vector<std::pair<std::string, std::string>>& globals() const { return globals_; }
    bool autofallthrough() const { return autofallthrough_; }
    bool clearglobalvars() const { return clearglobalvars_; }
    const std::vector<std::string>& files() const { return files_; }
    std::string where(const Step& step) const;  ///< "extensions.conf:12"
    std::size_t steps() const { return steps_; }

private:
    friend class Builder;
    template <typename Take>
    std::optional<Found> search(std::string_view name, std::string_view exten, const Query& query,
                                Take&& take) const;

    std::vector<std::unique_ptr<Context>> contexts_;
    std::unordered_map<std::string_view, Context*> by_name_;  ///< borrows the contexts' names
    std::vector<std::pair<std::string, std::string>> globals_;
    std::vector<std::string> files_;
    bool autofallthrough_ = true;
    bool clearglobalvars_ = false;
    std::size_t steps_ = 0;
};

/// A hint from elsewhere (the wizard's has_hint), added to its context, which is made if absent;
/// or, without devices, an extension from elsewhere (a parking space).
struct ExtraHint {
    std::string context;
    std::string exten;
    std::string devices;
    std::string application;  ///< priority 1, when not empty: "Gosub(stdexten,${EXTEN},1)"
    std::string file;
    unsigned line = 0;
};

/// Builds the dialplan from extensions.conf. Mistakes go to `diagnostics` with their place.
std::shared_ptr<const Dialplan> load(const ini::Document& document,
                                     const std::vector<ExtraHint>& extra_hints,
                                     ini::Diagnostics& diagnostics);

inline constexpr int max_include_depth = 64;   ///< of contexts; cycles are cut besides
inline constexpr int max_searched = 1024;      ///< contexts visited in one search
inline constexpr std::size_t max_exten = 256;  ///< a longer dialled string matches nothing

}  // namespace strowger::dialplan
