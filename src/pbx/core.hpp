#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/address.hpp"
#include "base/events.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "base/text.hpp"
#include "io/dns.hpp"
#include "io/loop.hpp"
#include "media/engine.hpp"
#include "pbx/channels.hpp"
#include "pbx/conferences.hpp"
#include "pbx/config/configuration.hpp"
#include "pbx/dialplan/call.hpp"
#include "pbx/host_names.hpp"
#include "pbx/location.hpp"
#include "pbx/parking.hpp"
#include "pbx/recordings.hpp"
#include "pbx/ringing_calls.hpp"
#include "pbx/signalling.hpp"
#include "pbx/sounds.hpp"
#include "pbx/trace.hpp"

namespace strowger::pbx {

class Queues;

/// What the parts of one signalling shard share. Made by Exchange, outlives every channel; belongs
/// to one thread.
struct Core {
    io::Loop& loop;
    Random& random;
    Signalling& signalling;
    io::Resolver& resolver;
    media::Engine& engine;
    Location& location;
    events::Stream& events;
    Channels& channels;
    Trace& trace;
    Sounds& sounds;
    HostNames& names;
    dialplan::Environment& environment;
    std::shared_ptr<const config::Configuration>
        config;              ///< the current one; calls may hold older ones
    std::string recordings;  ///< directory of relative recording names
    std::string state_directory;
    Recordings running_recordings = {};
    RingingCalls ringing = {};
    Parking parking = {};
    Conferences conferences = {};
    Queues* queues = nullptr;  ///< the exchange's; none in tests of single parts
    /// Everything that runs without somebody waiting for it: cut when the exchange ends.
    TaskScope tasks = {};

    Time now() const { return loop.now(); }
    /// Keeps it for this round: whoever calls us may still use it.
    void let_go_later(std::shared_ptr<const void> used);
};

}  // namespace strowger::pbx
