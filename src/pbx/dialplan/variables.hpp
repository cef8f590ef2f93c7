#pragma once

#include <functional>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "pbx/dialplan/position.hpp"

namespace strowger::dialplan {

/// `GLOBAL(x)` and `[globals]`. The one thing that the calls of all threads share by definition of
/// the language, so it locks and hands out copies.
class Globals {
public:
    std::optional<std::string> get(std::string_view name) const;
    void set(std::string_view name, std::string value);
    void erase(std::string_view name);
    void clear();
    std::vector<std::pair<std::string, std::string>> all() const;  ///< by name

private:
    mutable std::shared_mutex mutex_;
    std::map<std::string, std::string, std::less<>> values_;
};

/// What a call's dialplan knows: channel variables, and the frames of its subroutines with their
/// LOCAL variables and arguments. Names are case-sensitive.
class Variables {
public:
    /// How many generations of created channels a variable passes to.
    enum class Inherit : unsigned char { none, once, always };

    /// What Gosub pushes: where Return goes, and the frame's own variables (ARGC, ARG1.., LOCALs).
    struct Frame {
        Position return_to;
        Position called;
        std::unordered_map<std::string, std::string, TextHash, std::equal_to<>> locals;
    };

    /// The newest LOCAL of that name, else the channel's. Views last until the next change.
    std::optional<std::string_view> get(std::string_view name) const;
    /// Replaces the newest variable of that name, LOCAL or not; a new one is the channel's. A
    /// prefix
    /// `_` or `__` says how it is inherited and is not part of the name. Refused (an Error) beyond
    /// the bounds below.
    Result<> set(std::string_view name, std::string value);
    void erase(std::string_view name);
    /// In the current frame only. An Error outside any subroutine.
    Result<> set_local(std::string_view name, std::string value);

    /// To a created channel: `__x` stays `__x`, `_x` becomes plain.
    void inherit_to(Variables& child) const;
    void clear();
    /// Channel variables (not LOCALs) by name.
    std::vector<std::pair<std::string, std::string>> all() const;

    Result<> push_frame(Frame frame);
    std::optional<Frame> pop_frame();  ///< nothing when there is none
    const std::vector<Frame>& frames() const { return frames_; }

private:
    struct Value {
        std::string text;
        Inherit inherit = Inherit::none;
    };
    std::unordered_map<std::string, Value, TextHash, std::equal_to<>> values_;
    std::vector<Frame> frames_;
    std::size_t bytes_ = 0;
};

inline constexpr std::size_t max_variable_bytes = 4u << 20;  ///< of one call, names and values
inline constexpr std::size_t max_frames = 256;               ///< nested Gosubs; more is recursion

}  // namespace strowger::dialplan
