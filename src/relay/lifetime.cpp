// How calls end by themselves.
#include <algorithm>

#include "io/file.hpp"
#include "relay/relay.hpp"
#include "relay/teardown.hpp"

namespace strowger::relay {
namespace {

struct Activity {
    std::int64_t last = 0;  // packet of any stream, as stamped
    bool silent = true;     // nobody is supposed to send
    std::size_t speaking = 0;
    std::uint64_t packets = 0, bytes = 0, errors = 0;
};

Activity activity_of(const Call& call) {
    Activity all;
    for (const auto& party : call.parties) {
        std::uint64_t heard = 0;
        for (const auto& section : party->sections) {
            if (!section.side) continue;
            const auto& figures = section.side->figures();
            all.last = std::max({all.last, figures.last_rtp.get(), figures.last_rtcp.get()});
            if (!section.refused && sdp::sends(section.direction)) all.silent = false;
            heard += figures.rtp_in.packets.get();
            all.packets += figures.rtp_in.packets.get() + figures.rtcp_in.packets.get();
            all.bytes += figures.rtp_in.bytes.get() + figures.rtcp_in.bytes.get();
            all.errors += figures.rtp_in.errors.get() + figures.rtcp_in.errors.get();
        }
        if (heard > 0) ++all.speaking;
    }
    return all;
}

}  // namespace

void Relay::measure_load() {
    if (!settings_.max_load.any()) return;
    constexpr std::size_t first_lines = 4096;  // of /proc/stat, whose first line is all of them
    const auto read = [](const char* path) {
        return io::read_file(path, first_lines).value_or(std::string());
    };
    load_.sample(clock_.now(), read("/proc/loadavg"), read("/proc/stat"), carried().bytes);
}

void Relay::tick() {
    engine_.sweep();
    identity_.tick(clock_.now(), wall());
    measure_load();
    const Time now = clock_.now();
    std::vector<Call*> over;
    for (const auto& [id, call] : calls_) {
        if (call->delete_at) {
            if (now >= *call->delete_at) over.push_back(call.get());
            continue;
        }
        const auto activity = activity_of(*call);
        const Time last = std::max(call->started, Time(Duration(activity.last)));
        const auto late = [&](Duration limit, Time since, std::uint64_t& count,
                              std::string_view why) {
            if (limit <= Duration::zero() || now - since < limit) return false;
            ++count;
            LOG_NOTICE((log::About{"relay", call->id}), "ended: {} for {:.0f} s", why,
                       seconds(now - since));
            over.push_back(call.get());
            timed_out(*call);
            return true;
        };
        if (late(settings_.final_timeout, call->started, totals_.final_timed_out, "up")) continue;
        if (!call->answered) {
            late(settings_.offer_timeout, call->started, totals_.offer_timed_out, "not answered");
            continue;
        }
        if (activity.silent || call->block_media)
            late(settings_.silent_timeout, last, totals_.silent_timed_out,
                 "no media while on hold");
        else
            late(settings_.timeout, last, totals_.timed_out, "no media");
    }
    for (Call* call : over) end(*call);
    if (!over.empty()) engine_.flush();
}

void Relay::timed_out(const Call& call) {
    if (settings_.b2b_url.empty()) return;
    const auto url = teardown_url(settings_.b2b_url, call);
    for (auto& request : teardown_requests(call, settings_.xmlrpc_format))
        tell_teardown_(url, std::move(request));
}

void Relay::end(Call& call) {
    const auto activity = activity_of(call);
    totals_.packets += activity.packets;
    totals_.bytes += activity.bytes;
    totals_.errors += activity.errors;
    for (const auto& party : call.parties)
        for (const auto& section : party->sections)
            if (section.side) totals_.webrtc.add(section.side->figures());
    for (const auto* one : call.qualities()) totals_.quality.add(*one);
    totals_.no_media += activity.speaking == 0;
    totals_.one_way += activity.speaking == 1;
    totals_.call_time += clock_.now() - call.started;
    recordings_.end(call);
    calls_.erase(calls_.find(call.id));
}

bool Relay::end_call(std::string_view id) {
    Call* call = find(id);
    if (!call) return false;
    end(*call);
    engine_.flush();
    return true;
}

void Relay::end_all() {
    while (!calls_.empty()) end(*calls_.begin()->second);
    engine_.flush();
}

}  // namespace strowger::relay
