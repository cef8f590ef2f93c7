#include "relay/metrics_page.hpp"

#include <fmt/format.h>

#include <iterator>

#include "base/time.hpp"

namespace strowger::relay {
namespace {

class Page {
public:
    void family(std::string_view name, std::string_view kind, std::string_view help) {
        name_ = name;
        fmt::format_to(std::back_inserter(text_),
                       "# HELP rtpengine_{0} {1}\n# TYPE rtpengine_{0} {2}\n", name, help, kind);
    }
    template <typename Number>
    void value(Number number, std::string_view labels = {}) {
        fmt::format_to(std::back_inserter(text_), "rtpengine_{}{}{}{} {}\n", name_,
                       labels.empty() ? "" : "{", labels, labels.empty() ? "" : "}", number);
    }
    template <typename Number>
    void single(std::string_view name, std::string_view kind, std::string_view help,
                Number number) {
        family(name, kind, help);
        value(number);
    }
    std::string take() { return std::move(text_); }

private:
    std::string name_, text_;
};

// Label values come from the configuration; a quote in one would break the page.
std::string label_value(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        if (c != '\n') result += c;
    }
    return result;
}

}  // namespace

std::string metrics_page(const Relay& relay) {
    Page page;
    const Totals& totals = relay.totals();
    const auto sum = relay.carried();
    page.single("uptime_seconds", "counter", "Seconds since the start",
                static_cast<std::int64_t>(seconds(relay.now() - relay.started())));
    page.family("sessions", "gauge", "Calls that are up");
    page.value(relay.calls().size(), "type=\"own\"");
    page.value(0, "type=\"foreign\"");
    page.single("sessions_total", "counter", "Calls since the start", totals.sessions);
    page.single("transcoded_media", "gauge", "Media sections that are transcoded",
                relay.transcoded_sections());
    page.single("transcoders", "gauge", "Directions that threads of their own decode and encode",
                relay.engine().transcoded_directions());
    page.single("transcoding_dropped_packets_total", "counter",
                "Packets that these threads had no time for", relay.engine().transcoding_dropped());
    page.family("closed_sessions_total", "counter", "Calls that ended, by reason");
    page.value(totals.rejected, "reason=\"rejected\"");
    page.value(totals.timed_out, "reason=\"timeout\"");
    page.value(totals.silent_timed_out, "reason=\"silent_timeout\"");
    page.value(totals.final_timed_out, "reason=\"final_timeout\"");
    page.value(totals.offer_timed_out, "reason=\"offer_timeout\"");
    page.value(totals.regular, "reason=\"terminated\"");
    page.single("packets_total", "counter", "Packets that came in", sum.packets);
    page.single("bytes_total", "counter", "Bytes of those", sum.bytes);
    page.single("errors_total", "counter", "Packets that were dropped as errors", sum.errors);
    page.single("zero_packet_streams_total", "counter", "Calls that ended without media",
                totals.no_media);
    page.single("one_way_sessions_total", "counter", "Calls that ended with media of one party",
                totals.one_way);
    page.single("call_duration_total", "counter", "Seconds that ended calls were up, together",
                seconds(totals.call_time));
    page.single("mos_total", "counter", "Mean opinion scores that RTCP led to, together",
                sum.quality.mos);
    page.single("mos_samples_total", "counter", "Reports that they came from", sum.quality.samples);
    page.single("jitter_total", "counter", "Milliseconds of jitter in these reports, together",
                sum.quality.jitter_ms);
    page.single("jitter_samples_total", "counter", "Reports that they came from",
                sum.quality.samples);
    page.single("packetloss_total", "counter", "Percents of loss in these reports, together",
                sum.quality.loss_percent);
    page.single("packetloss_samples_total", "counter", "Reports that they came from",
                sum.quality.samples);
    page.single("rtt_dsct_total", "counter",
                "Milliseconds to parties and back, by these reports, together",
                sum.quality.round_trip_ms);
    page.single("rtt_dsct_samples_total", "counter", "Reports that they came from",
                sum.quality.round_trips);
    page.family("ice_paths", "gauge", "Paths to browsers, by state of ICE");
    for (std::size_t i = 1; i < sum.ice.size(); ++i)
        page.value(sum.ice[i], fmt::format("state=\"{}\"", ice_states[i]));
    page.family("dtls_paths", "gauge", "The same by state of DTLS");
    for (std::size_t i = 1; i < sum.dtls.size(); ++i)
        page.value(sum.dtls[i], fmt::format("state=\"{}\"", dtls_states[i]));
    page.single("ice_failed_total", "counter", "Times that ICE found no path",
                sum.webrtc.paths_not_found);
    page.single("ice_consent_lost_total", "counter", "Paths whose party was silent for 30 s",
                sum.webrtc.consents_lost);
    page.single("ice_checks_rejected_total", "counter",
                "STUN messages that were malformed, forged or not asked for",
                sum.webrtc.checks_rejected);
    page.single("dtls_handshakes_total", "counter", "Handshakes that led to keys",
                sum.webrtc.handshakes);
    page.single("dtls_handshakes_failed_total", "counter", "Those that did not",
                sum.webrtc.handshakes_failed);
    const auto* scribe = relay.recordings().scribe();
    page.single("recordings", "gauge", "Calls that are recorded or forwarded now",
                relay.recordings().active());
    page.single("recorded_packets_total", "counter", "Packets that were written down",
                scribe ? scribe->packets() : 0);
    page.single("recorded_bytes_total", "counter", "Bytes of those", scribe ? scribe->bytes() : 0);
    page.single("recording_lost_packets_total", "counter",
                "Packets that were to be recorded and had no room", scribe ? scribe->lost() : 0);
    page.family("requests_total", "counter", "Commands of the control protocol");
    for (const auto& [name, use] : relay.uses())
        page.value(use.count, fmt::format("request=\"{}\"", name));
    page.family("request_seconds_total", "counter", "Seconds spent on them");
    for (const auto& [name, use] : relay.uses())
        page.value(seconds(use.time), fmt::format("request=\"{}\"", name));
    page.family("request_errors_total", "counter", "Those answered with an error");
    for (const auto& [name, use] : relay.uses())
        page.value(use.errors, fmt::format("request=\"{}\"", name));
    const auto ports = [&](std::string_view name, std::string_view help, auto count) {
        page.family(name, "gauge", help);
        for (const auto& local : relay.interfaces().all())
            page.value(2 * count(local.ports),
                       fmt::format("name=\"{}\",address=\"{}\"", label_value(local.name),
                                   local.bind.text()));
    };
    ports("ports", "Ports for media", [](const auto& p) { return p.in_use() + p.available(); });
    ports("ports_free", "Of these, not in use", [](const auto& p) { return p.available(); });
    ports("ports_used", "Of these, in use", [](const auto& p) { return p.in_use(); });
    return page.take();
}

}  // namespace strowger::relay
