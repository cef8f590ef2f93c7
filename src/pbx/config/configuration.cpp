#include "pbx/config/configuration.hpp"

#include "pbx/config/sections.hpp"

namespace strowger::pbx::config {

namespace {

// A file that is not there is an empty one: every installation lacks some.
ini::Document read(ini::FileSource& files, const std::string& directory, const std::string& name,
                   bool execute, ini::Diagnostics& diagnostics) {
    if (!files.exists(directory.empty() ? name : directory + '/' + name)) return {};
    return ini::read(files, name, {execute, directory}, diagnostics);
}

}  // namespace

namespace {

// So that a request finds its account by one search, not by one for each of its objects.
void link_accounts(Configuration& c) {
    for (auto& endpoint : c.endpoints) {
        for (const auto& name : endpoint.aors)
            if (const auto* aor = c.aors.find(name)) endpoint.known_aors.push_back(aor);
        for (const auto& name : endpoint.auth)
            if (const auto* auth = c.auths.find(name)) endpoint.known_auths.push_back(auth);
    }
}

}  // namespace

std::shared_ptr<Configuration> load(ini::FileSource& files, const std::string& directory) {
    auto configuration = std::make_shared<Configuration>();
    auto& c = *configuration;
    auto& d = c.diagnostics;
    // First, because it says whether the others may run commands.
    c.directory = directory;
    read_asterisk(read(files, directory, "asterisk.conf", false, d), c);
    const auto take = [&](const std::string& name,
                          void (*reader)(const ini::Document&, Configuration&)) {
        const auto document = read(files, directory, name, c.asterisk.execincludes, d);
        if (!document.files().empty()) reader(document, c);
    };
    take("modules.conf", read_modules);
    take("logger.conf", read_logger);
    take("rtp.conf", read_rtp);
    take("indications.conf", read_indications);
    take("musiconhold.conf", read_music);
    take("features.conf", read_features);
    take("res_parking.conf", read_parking);
    if (!c.parking_lots.find("default")) {
        ParkingLot lot;
        lot.name = "default";
        c.parking_lots.add(std::move(lot));
    }
    take("confbridge.conf", read_conferences);
    complete_conferences(c);
    take("queuerules.conf", read_queue_rules);
    take("queues.conf", read_queues);
    take("followme.conf", read_follow_me);
    take("voicemail.conf", read_mailboxes);
    take("amd.conf", read_amd);
    take("festival.conf", read_festival);
    take("privacy.conf", read_privacy);
    take("statsd.conf", read_statsd);
    take("ccss.conf", read_ccss);
    take("acl.conf", read_acl);
    c.pjsip = read(files, directory, "pjsip.conf", c.asterisk.execincludes, d);
    c.pjsip_wizard = read(files, directory, "pjsip_wizard.conf", c.asterisk.execincludes, d);
    read_pjsip(c);
    read_wizards(c);
    check_references(c);
    link_accounts(c);
    c.extensions = read(files, directory, "extensions.conf", c.asterisk.execincludes, d);
    return configuration;
}

}  // namespace strowger::pbx::config
