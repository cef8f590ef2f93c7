#pragma once

#include "pbx/config/configuration.hpp"

namespace strowger::pbx::config {

/// pjsip.conf and pjsip_wizard.conf into objects.
void read_pjsip(Configuration& configuration);
void read_wizards(Configuration& configuration);
/// Names that objects give of others, and that do not exist.
void check_references(Configuration& configuration);

/// The other files, each from its document.
void read_asterisk(const ini::Document& document, Configuration& configuration);
void read_rtp(const ini::Document& document, Configuration& configuration);
void read_logger(const ini::Document& document, Configuration& configuration);
void read_indications(const ini::Document& document, Configuration& configuration);
void read_music(const ini::Document& document, Configuration& configuration);
void read_features(const ini::Document& document, Configuration& configuration);
void read_modules(const ini::Document& document, Configuration& configuration);
void read_parking(const ini::Document& document, Configuration& configuration);
void read_conferences(const ini::Document& document, Configuration& configuration);
/// The default profiles, where no file has given them.
void complete_conferences(Configuration& configuration);
void read_queues(const ini::Document& document, Configuration& configuration);
void read_queue_rules(const ini::Document& document, Configuration& configuration);
void read_follow_me(const ini::Document& document, Configuration& configuration);
void read_mailboxes(const ini::Document& document, Configuration& configuration);
void read_festival(const ini::Document& document, Configuration& configuration);
void read_amd(const ini::Document& document, Configuration& configuration);
void read_privacy(const ini::Document& document, Configuration& configuration);
void read_statsd(const ini::Document& document, Configuration& configuration);
void read_ccss(const ini::Document& document, Configuration& configuration);
void read_acl(const ini::Document& document, Configuration& configuration);

}  // namespace strowger::pbx::config
