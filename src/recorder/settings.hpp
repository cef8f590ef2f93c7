#pragma once

#include <cstdint>
#include <string>

#include "base/time.hpp"

namespace strowger::recorder {

enum class Format : std::uint8_t { wav, mp3, none };

/// The recorder as it is configured (docs/recorder.md).
struct Settings {
    std::string spool = "/var/spool/rtpengine";
    unsigned threads = 0;  ///< 0: one a core

    std::string output = "/var/lib/rtpengine-recording";
    std::string pattern = "%c-%r-%t";
    Format format = Format::wav;
    std::uint32_t resample_to = 0;  ///< Hz; 0: the rate that the call has
    unsigned mp3_bitrate = 64000;
    bool mixed = false, single = false, mixed_per_media = false;
    bool mix_channels = false;  ///< a channel a party; else all in one
    unsigned mix_inputs = 4;    ///< channels at most
    unsigned mode = 0660, directory_mode = 0700;
    unsigned user = ~0U, group = ~0U;  ///< of files; ~0: as they are made

    std::string database;  ///< of SQLite; empty: OUTPUT/recordings.sqlite; `none`: not kept

    std::string notify_uri, notify_command;
    bool notify_post = false, notify_verify = true, notify_record = false, notify_purge = false;
    unsigned notify_concurrency = 5, notify_retries = 10;

    std::string forward_to;   ///< datagram socket that gets RTP as it is
    std::string tcp_send_to;  ///< HOST:PORT that gets samples
    std::uint32_t tcp_send_resample = 0;

    int log_level = 6;
    std::string pidfile;
};

}  // namespace strowger::recorder
