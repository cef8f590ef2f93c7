#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "pbx/config/acl.hpp"
#include "pbx/location.hpp"
#include "wire/sip/message.hpp"
#include "wire/sip/transmit.hpp"

namespace strowger::pbx {

/// What an address of record allows (pjsip.conf type=aor).
struct RegistrationPolicy {
    unsigned max_contacts = 0;     ///< 0: registration refused
    bool remove_existing = false;  ///< make room by dropping what expires soonest
    bool remove_unavailable =
        false;  ///< make room by dropping what does not answer; before the others
    std::uint32_t default_expiration = 3600;  ///< seconds
    std::uint32_t minimum_expiration = 60;
    std::uint32_t maximum_expiration = 7200;
    bool support_path = false;
    bool rewrite_contact =
        false;  ///< store the packet's source instead of the Contact's host and port
    Duration qualify_frequency{};
    /// Where contacts may be (contact_permit and contact_deny, contact_acl); all must allow.
    std::vector<const config::AccessRules*> contact_access = {};
};

/// The registrar of RFC 3261 section 10.3, over the bindings in Location. The request is already
/// authenticated, and `aor` is known to be the sender's.
class Registrar {
public:
    /// One registration may carry this many contacts; more is a 400. Phones send one or two.
    static constexpr std::size_t max_contacts_in_request = 10;
    static constexpr std::size_t max_contact_length = 512;  ///< bytes of one stored URI
    static constexpr std::size_t max_path = 10;         ///< proxies on the way of one registration
    static constexpr std::size_t max_user_agent = 256;  ///< bytes kept of it

    explicit Registrar(Location& location) : location_(location) {}

    struct Reply {
        int status = 200;
        std::string
            headers;  ///< whole lines, each with CRLF: Contact, Expires, Date, Path, Warning
        bool changed = false;
    };
    Reply process(const sip::Message& request, const std::string& aor,
                  const RegistrationPolicy& policy, const sip::Flow& flow, Time now,
                  WallTime wall_now);

private:
    struct Update;

    Reply refuse(int status, std::string headers = {}) const {
        return {status, std::move(headers), false};
    }
    Reply remove_all(const sip::Message& request, const std::string& aor, Time now,
                     WallTime wall_now);
    /// The URIs to drop so that `added` more fit, or nothing when that may not be.
    static std::optional<std::vector<std::string>> room_for(const Location::Contacts& current,
                                                            const std::vector<Update>& updates,
                                                            const RegistrationPolicy& policy);
    std::string list_contacts(const std::string& aor, Time now) const;
    void append_date(std::string& out, WallTime wall_now);

    Location& location_;
    std::chrono::sys_seconds dated_{};  ///< the second of `date_`
    std::string date_;                  ///< the Date line, the same for all answers of a second
};

/// The Contact URI as seen from outside: host, port and transport of where the packet came from.
std::string rewritten_contact(std::string_view uri, const sip::Flow& flow);

}  // namespace strowger::pbx
