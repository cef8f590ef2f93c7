#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/text.hpp"
#include "pbx/core.hpp"
#include "pbx/device_state.hpp"
#include "pbx/personal_presence.hpp"

namespace strowger::pbx {

/// The devices behind the hint of an extension, `${EXTEN}` put in; nothing when it has no hint.
std::optional<std::string> hint_devices(const Core& core, std::string_view context,
                                        std::string_view exten);

/// EXTENSION_STATE(exten@context): the state of the devices of its hint together, UNKNOWN without
/// one.
std::string extension_state(const Core& core, std::string_view context, std::string_view exten);

/// Follows the devices of hints and tells when the state of an extension changes.
///
/// Literal hints are followed from the start; an extension that matches a pattern's hint from the
/// first `follow` on. Several changes in one round of the loop are told as one.
class Hints {
public:
    /// Extensions behind pattern hints that are followed at once; a subscriber could name any
    /// number.
    static constexpr std::size_t max_followed = 50000;

    struct Hint {
        std::string context;
        std::string exten;
        std::string devices;
        DeviceState state = DeviceState::unknown;
        std::string presence = {};  ///< the name behind the comma: "CustomPresence:alice"
        PersonalPresence says = {};
    };
    using Handler = std::function<void(const Hint&)>;

    explicit Hints(Core& core);
    ~Hints();
    Hints(const Hints&) = delete;
    Hints& operator=(const Hints&) = delete;

    /// Reads the hints of the dialplan as it is now; call after each load.
    void configure();

    /// The hint as it stands, followed from now on; null when the extension has none. Valid until
    /// the next `configure`.
    const Hint* follow(std::string_view context, std::string_view exten);
    const Hint* find(std::string_view context, std::string_view exten) const;
    std::vector<const Hint*> all() const;

    /// Tells of changes until the returned handle is destroyed. After a reload also of those that
    /// are gone: their devices are empty.
    [[nodiscard]] std::shared_ptr<void> on_change(Handler handler);

    /// Something about that device may have changed.
    void touch(std::string_view device);

private:
    static std::string key(std::string_view context, std::string_view exten);
    Hint& add(std::string_view context, std::string_view exten, std::string devices);
    void read(const events::Event& event);
    void touch_aor(std::string_view aor);
    void recompute();
    /// Brings it up to date. True: something was different.
    bool refresh(Hint& hint) const;
    void tell(const Hint& hint);

    using Names = std::vector<std::string>;
    Core& core_;
    std::unordered_map<std::string, Hint, TextHash, std::equal_to<>>
        hints_;  ///< by context and exten
    std::unordered_map<std::string, Names, TextHash, std::equal_to<>>
        by_device_;  ///< lower case, to keys
    std::unordered_map<std::string, Names, TextHash, std::equal_to<>> by_aor_;  ///< to devices
    std::unordered_set<std::string> dirty_;                                     ///< keys
    std::vector<std::weak_ptr<Handler>> handlers_;
    std::shared_ptr<void> reader_;
    std::shared_ptr<bool> alive_ =
        std::make_shared<bool>(true);  // outlived by the loop's callbacks
};

}  // namespace strowger::pbx
