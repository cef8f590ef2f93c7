#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ini.hpp"
#include "base/text.hpp"
#include "pbx/config/account.hpp"
#include "pbx/config/acl.hpp"
#include "pbx/config/conference.hpp"
#include "pbx/config/endpoint.hpp"
#include "pbx/config/follow_me.hpp"
#include "pbx/config/global.hpp"
#include "pbx/config/mailbox.hpp"
#include "pbx/config/parking.hpp"
#include "pbx/config/queue.hpp"
#include "pbx/config/registration.hpp"
#include "pbx/config/settings.hpp"
#include "pbx/config/tones.hpp"
#include "pbx/config/transport.hpp"

namespace strowger::pbx::config {

/// Objects of one kind in the order of the file, found by name (exact case) through a hash.
template <typename Object>
class Objects {
public:
    /// False, and nothing is added, when the name is taken.
    bool add(Object object) {
        if (!index_.try_emplace(object.name, all_.size()).second) return false;
        all_.push_back(std::move(object));
        return true;
    }
    const Object* find(std::string_view name) const {
        const auto found = index_.find(name);
        return found == index_.end() ? nullptr : &all_[found->second];
    }
    std::size_t size() const { return all_.size(); }
    bool empty() const { return all_.empty(); }
    auto begin() const { return all_.begin(); }
    auto end() const { return all_.end(); }
    auto begin() { return all_.begin(); }  ///< names stay as they are
    auto end() { return all_.end(); }

private:
    std::deque<Object> all_;  ///< grows without copies and without room to spare
    std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>> index_;
};

/// A hint that a wizard asks for: `exten => EXTEN,hint,PJSIP/endpoint` in `context`.
struct WizardHint {
    std::string context;
    std::string exten;
    std::string endpoint;
    std::string application;  ///< becomes priority 1 when not empty
    std::string file;         ///< where it was asked for
    unsigned line = 0;
};

/// A configuration directory, typed: everything but the dialplan's own reading of extensions.conf.
///
/// Immutable once loaded and shared by those who use it, so that a reload replaces it whole and
/// calls keep the one they began with.
struct Configuration {
    Global global;
    System system;
    Objects<Transport> transports;
    Objects<Endpoint> endpoints;
    Objects<Aor> aors;
    Objects<Auth> auths;
    Objects<Identify> identifies;
    Objects<Registration> registrations;
    Objects<Acl> acls;
    Objects<DomainAlias> domain_aliases;
    std::vector<WizardHint> hints;

    std::string directory;  ///< where its files are
    Asterisk asterisk;
    Rtp rtp;
    Logger logger;
    Indications indications;
    Objects<MusicClass> music;
    Features features;
    Objects<ParkingLot> parking_lots;
    Objects<ConferenceBridge> conference_bridges;
    Objects<ConferenceUser> conference_users;
    Objects<ConferenceMenu> conference_menus;
    QueueGeneral queue_general;
    Objects<Queue> queues;
    Objects<QueueRule> queue_rules;
    Objects<FollowMe> follow_me;
    std::vector<Mailbox> mailboxes;
    Amd amd;
    Festival festival;
    Privacy privacy;
    StatsdSettings statsd;
    Ccss ccss;
    Modules modules;

    /// extensions.conf with its includes, for dialplan::load (which adds its own diagnostics).
    ini::Document extensions;

    ini::Diagnostics diagnostics;
    /// False: something is wrong enough that this must not be activated.
    bool ok() const { return diagnostics.ok(); }

    ini::Document pjsip;         ///< what raw options borrow from
    ini::Document pjsip_wizard;  ///< likewise
};

/// Reads the directory's files. A file that does not exist is as an empty one; extensions.conf and
/// the SIP files that exist but cannot be read are errors.
std::shared_ptr<Configuration> load(ini::FileSource& files, const std::string& directory);

}  // namespace strowger::pbx::config
