#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.hpp"
#include "base/text.hpp"
#include "io/loop.hpp"
#include "pbx/location.hpp"

namespace strowger::pbx {

struct Core;

/// Keeps the dynamic bindings of a Location in an SQLite file, so that they survive a restart.
///
/// Written behind: changes are gathered for a second and then written in one transaction by a
/// thread of its own, so that no REGISTER waits for the disk. A crash therefore loses the last
/// second of changes at the most (a phone that registered in it is found again when it refreshes;
/// one that unregistered in it is called in vain until its binding expires). An orderly end loses
/// nothing.
class ContactStore {
public:
    static constexpr Duration write_interval = std::chrono::seconds{1};

    /// Opens or makes the file ("<state>/contacts.db"). `wall_clock` is what expiry is stored by,
    /// since the loop's clock does not survive. The store must not outlive loop and location.
    static Result<std::unique_ptr<ContactStore>> open(io::Loop& loop, Location& location,
                                                      const std::string& path,
                                                      std::function<WallTime()> wall_clock);
    /// Opens it and restores what belongs to an aor of the configuration and a socket that is open.
    static Result<std::unique_ptr<ContactStore>> open(Core& core, const std::string& path);
    ~ContactStore();  ///< after everything has been written
    ContactStore(const ContactStore&) = delete;
    ContactStore& operator=(const ContactStore&) = delete;

    /// The flow to use now for a binding that came over the stored one (whose id means nothing any
    /// more); nothing drops the binding.
    using Reopen =
        std::function<std::optional<sip::Flow>(const std::string& aor, const sip::Flow& stored)>;
    /// Binds what was stored, but what has expired meanwhile and what came over connections, which
    /// are gone. Returns how many. Call once, before the first registration.
    Result<std::size_t> restore(const Reopen& reopen);

    /// Hands over what was gathered now; it is on disk some time later.
    void flush();

private:
    struct Row;
    class Writer;

    ContactStore(io::Loop& loop, Location& location, std::function<WallTime()> wall_clock,
                 std::unique_ptr<Writer> writer);
    void changed(const std::string& aor, const Contact& contact, Location::Change change);
    static std::string key(std::string_view aor, std::string_view uri);

    io::Loop& loop_;
    Location& location_;
    std::function<WallTime()> wall_clock_;
    std::unique_ptr<Writer> writer_;
    std::unordered_map<std::string, Row, TextHash, std::equal_to<>>
        dirty_;  ///< the newest state of each
    io::Timer timer_;
    bool restoring_ = false;
    std::shared_ptr<bool> alive_ =
        std::make_shared<bool>(true);  // outlived by the Location's watcher
};

}  // namespace strowger::pbx
