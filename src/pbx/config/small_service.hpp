#pragma once

#include <string>

#include "base/ini.hpp"

namespace strowger::pbx::config {

// Files of services that read their own when they are first used after a load; the check of the
// whole configuration reads them too, for their mistakes.

/// statsd.conf: where numbers of the dialplan go.
struct Statsd {
    bool enabled = false;
    std::string server = "127.0.0.1";  ///< an address, with or without a port
    std::string prefix;                ///< before each name, with a dot
    bool add_newline = false;          ///< for servers that are read line by line
    bool meter_support = true;         ///< without effect: the dialplan has no meters

    static Statsd read(const ini::Document& document, ini::Diagnostics& diagnostics);
};

/// ccss.conf: what holds for call completion as a whole.
struct Ccss {
    /// Each waits for hours and is looked at four times a second.
    static constexpr unsigned most_requests = 1000;
    unsigned max_requests = 20;

    static Ccss read(const ini::Document& document, ini::Diagnostics& diagnostics);
};

}  // namespace strowger::pbx::config
