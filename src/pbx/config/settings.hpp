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
        /// "self" or "peer", on whom it runs; with "/caller", "/callee" or "/both", who may press
        /// it.
        std::string activate_on;
        std::string application;
        std::string arguments;
        std::string music;  ///< class that the other party hears meanwhile
    };
    std::vector<Application> applicationmap;
    /// Applications under one name for DYNAMIC_FEATURES, each with digits of its own if it has any.
    struct Group {
        std::string name;
        std::vector<std::pair<std::string, std::string>> members;
    };
    std::vector<Group> groups;
    static constexpr std::size_t max_applications = 256;  ///< compared with each digit pressed
};

/// amd.conf: how AMD tells people from machines; milliseconds.
struct Amd {
    unsigned initial_silence = 2500;
    unsigned greeting = 1500;
    unsigned after_greeting_silence = 800;
    unsigned total_analysis_time = 5000;
    unsigned min_word_length = 100;
    unsigned maximum_word_length = 5000;
    unsigned between_words_silence = 50;
    unsigned maximum_number_of_words = 2;
    unsigned silence_threshold = 256;  ///< mean amplitude of 16-bit samples
};

/// festival.conf: the server that speaks for Festival().
struct Festival {
    std::string host = "localhost";
    std::uint16_t port = 1314;
    std::string command =  ///< "%s" is the text, escaped
        "(tts_textasterisk \"%s\" 'file)(quit)\n";
    bool usecache = false;
    std::string cachedir = "/tmp/";
};

/// privacy.conf: PrivacyManager's defaults.
struct Privacy {
    unsigned maxretries = 3;
    unsigned minlength = 10;
};

/// statsd.conf: where numbers of the dialplan go.
struct StatsdSettings {
    bool enabled = false;
    std::string server = "127.0.0.1";  ///< an address, with or without a port
    std::string prefix;                ///< before each name, with a dot
    bool add_newline = false;          ///< for servers that are read line by line
    bool meter_support = true;         ///< without effect: the dialplan has no meters
};

/// ccss.conf: what holds for call completion as a whole.
struct Ccss {
    /// Each waits for hours and is looked at four times a second.
    static constexpr unsigned most_requests = 1000;
    unsigned max_requests = 20;
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
