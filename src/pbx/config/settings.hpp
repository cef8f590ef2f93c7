#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/text.hpp"

namespace strowger::pbx::config {

/// asterisk.conf.
struct Asterisk {
    int verbose = 0;
    int debug = 0;
    std::string runuser;
    std::string rungroup;
    std::string defaultlanguage = "en";
    bool transmit_silence = false;
    bool execincludes = false;
    std::string systemname;
    bool autosystemname = false;
    unsigned maxcalls = 0;  ///< 0: no limit
    double maxload = 0;     ///< 0: no limit
    bool live_dangerously = false;
    /// `[directories]` unless it carries `(!)`: astetcdir, astspooldir, ... as written.
    std::unordered_map<std::string, std::string, TextHash, std::equal_to<>> directories;
};

/// rtp.conf.
struct Rtp {
    enum class Strict { no, yes, seqno };

    std::uint16_t rtpstart = 5000;
    std::uint16_t rtpend = 31000;
    Strict strictrtp = Strict::yes;
    unsigned probation = 4;
    bool rtpchecksums = true;
    unsigned dtmftimeout = 3000;   ///< in samples at 8000 Hz
    unsigned rtcpinterval = 5000;  ///< milliseconds
    bool icesupport = true;
    std::string stunaddr;
    std::string turnaddr;
    std::string turnusername;
    std::string turnpassword;
    std::vector<std::string> stun_acl;
    std::vector<std::string> ice_acl;
    bool srtpreplayprotection = true;
    unsigned rtp_keepalive = 0;
    /// `[ice_host_candidates]`: private address => what to advertise instead.
    std::vector<std::pair<std::string, std::string>> ice_host_candidates;
};

/// logger.conf `[logfiles]`.
struct Logger {
    struct Target {
        enum class Kind { console, syslog, file };
        Kind kind = Kind::file;
        std::string name;  ///< the facility for syslog, the path for a file
        std::vector<std::string>
            levels;         ///< verbose notice warning error debug dtmf security fax *
        bool json = false;  ///< `[json]` before the levels
    };
    std::vector<Target> targets;
    std::string dateformat;
    bool appendhostname = false;
};

/// musiconhold.conf: one class.
struct MusicClass {
    std::string name;
    std::string mode = "files";  ///< files, custom, playlist
    std::string directory;       ///< relative to the data directory
    std::string sort;            ///< empty: file order; random, alpha, randstart
    std::string application;
    std::string format;
    std::string digit;
    std::string announcement;
    std::vector<std::string> entries;  ///< of a playlist
};

/// features.conf: digits that do something during a call. Empty: switched off.
struct Features {
    unsigned featuredigittimeout = 1000;  ///< milliseconds
    unsigned transferdigittimeout = 3;    ///< seconds
    unsigned atxfernoanswertimeout = 15;  ///< seconds
    unsigned atxferdropcall = 0;
    unsigned atxferloopdelay = 10;
    unsigned atxfercallbackretries = 2;
    std::string pickupexten = "*8";
    std::string pickupsound;
    std::string pickupfailsound;
    std::string atxferabort = "*1";
    std::string atxfercomplete = "*2";
    std::string atxferthreeway = "*3";
    std::string atxferswap = "*4";
    std::string xfersound;
    std::string xferfailsound;
    std::string blindxfer = "#";
    std::string disconnect = "*";
    std::string atxfer;
    std::string parkcall;
    std::string automon;
    std::string automixmon;

    struct Application {
        std::string name;
        std::string digits;
        std::string activate_on;  ///< self, peer, self/caller, ...
        std::string application;
        std::string arguments;
    };
    std::vector<Application> applicationmap;
};

/// modules.conf: names as feature switches.
struct Modules {
    bool autoload = true;
    std::vector<std::string> load;
    std::vector<std::string> noload;
    std::vector<std::string> require;
    std::vector<std::string> preload;

    /// "app_queue.so" and "app_queue" are one name.
    bool wants(std::string_view module) const;
};

}  // namespace strowger::pbx::config
