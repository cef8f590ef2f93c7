#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "media/relay_engine.hpp"
#include "relay/call.hpp"
#include "relay/negotiation.hpp"
#include "relay/recordings.hpp"
#include "relay/request.hpp"
#include "relay/settings.hpp"
#include "relay/totals.hpp"
#include "wire/ng/writer.hpp"

namespace strowger::relay {

/// The relay itself: all calls, and what each command of the NG protocol does to them. It knows no
/// sockets but those of media, so whoever speaks to proxies hands it documents and the time.
class Relay {
public:
    /// Identifiers and tags of SIP are shorter; what is longer is no Call-ID but an attack.
    static constexpr std::size_t max_id = 1024;
    /// Flags that are told once; more differing ones than this come from no script.
    static constexpr std::size_t max_told = 256;

    struct Clock {
        std::function<Time()> now;
        std::function<WallTime()> wall;
    };

    Relay(Settings settings, Interfaces interfaces, Clock clock);
    ~Relay();

    /// Runs one command. The reply is in the encoding of the request; one that cannot be read gets
    /// a reply that says so.
    std::string handle(std::string_view document, std::optional<IpAddress> asker = std::nullopt);

    /// Once a second: calls that have been silent too long end.
    void tick();

    media::RelayEngine& engine() { return engine_; }
    const media::RelayEngine& engine() const { return engine_; }
    const Settings& settings() const { return settings_; }
    Settings& settings() { return settings_; }
    const Settings& settings_at_start() const { return settings_at_start_; }
    const Interfaces& interfaces() const { return interfaces_; }
    const std::unordered_map<std::string, std::unique_ptr<Call>, TextHash, std::equal_to<>>& calls()
        const {
        return calls_;
    }
    std::size_t transcoded_sections() const;  ///< media sections of which a codec becomes another
    const Totals& totals() const { return totals_; }
    const Recordings& recordings() const { return recordings_; }
    Time started() const { return started_; }
    Time now() const { return clock_.now(); }
    /// How often each command came, and how long it took.
    struct Use {
        std::uint64_t count = 0, errors = 0;
        Duration time{};
    };
    const std::map<std::string, Use, std::less<>>& uses() const { return uses_; }

    /// All packets so far, those of calls that are up included.
    struct Carried {
        std::uint64_t packets = 0, bytes = 0, errors = 0;
        WebrtcTotals webrtc;
        QualityTotals quality;
        /// Paths that are up, by StreamFigures::Ice and ::Dtls.
        std::array<std::size_t, ice_states.size()> ice{};
        std::array<std::size_t, dtls_states.size()> dtls{};
    };
    Carried carried() const;

    /// Who tells proxies of calls that have timed out, as `b2b-url` wants it.
    using Tell = std::function<void(std::string url, std::string body)>;
    void set_teardown(Tell tell) { tell_teardown_ = std::move(tell); }

    /// Who answers the command `cli`.
    void set_command_line(std::function<std::string(std::string_view)> run) {
        command_line_ = std::move(run);
    }

    Call* find(std::string_view id);
    bool end_call(std::string_view id);
    void end_all();
    /// Monotonic time of a stream's figures as a calendar second; 0: never.
    std::int64_t calendar_second(std::int64_t stamp) const;
    void report(const Call& call, ng::Writer& out) const;
    void report_totals(ng::Writer& out) const;

private:
    void qualities(const Call& call, ng::Writer& out) const;
    void quality(ng::Writer& out, const media::StreamFigures::Quality& one) const;
    using Command = Result<> (Relay::*)(const Request&, ng::Writer&);
    static const std::map<std::string_view, Command>& commands();

    Result<> ping(const Request&, ng::Writer& out);
    Result<> offer(const Request&, ng::Writer& out);
    Result<> answer(const Request&, ng::Writer& out);
    Result<> delete_call(const Request&, ng::Writer& out);
    Result<> query(const Request&, ng::Writer& out);
    Result<> list(const Request&, ng::Writer& out);
    Result<> statistics(const Request&, ng::Writer& out);
    Result<Party*> gated(Call& call, const Request& request);
    Result<> gate_keys(const Request& request, bool on);
    void music_on_hold(Party& holder, Party& held);
    Result<> block_dtmf(const Request&, ng::Writer& out);
    Result<> unblock_dtmf(const Request&, ng::Writer& out);
    Result<> block_media(const Request&, ng::Writer& out);
    Result<> unblock_media(const Request&, ng::Writer& out);
    Result<> silence_media(const Request&, ng::Writer& out);
    Result<> unsilence_media(const Request&, ng::Writer& out);

    Result<> start_recording(const Request&, ng::Writer& out);
    Result<> pause_recording(const Request&, ng::Writer& out);
    Result<> stop_recording(const Request&, ng::Writer& out);
    Result<> start_forwarding(const Request&, ng::Writer& out);
    Result<> stop_forwarding(const Request&, ng::Writer& out);
    Result<> forward(const Request& request, bool on);

    Result<> play_media(const Request&, ng::Writer& out);
    Result<> stop_media(const Request&, ng::Writer& out);
    Result<> play_dtmf(const Request&, ng::Writer& out);
    Result<> publish(const Request&, ng::Writer& out);
    Result<> subscribe_request(const Request&, ng::Writer& out);
    Result<> subscribe_answer(const Request&, ng::Writer& out);
    Result<> unsubscribe(const Request&, ng::Writer& out);
    Result<> create(const Request&, ng::Writer& out);
    Result<> create_answer(const Request&, ng::Writer& out);
    Result<> connect(const Request&, ng::Writer& out);
    Result<> cli(const Request&, ng::Writer& out);

    Result<Call*> call_of(const Request& request);
    Result<Call*> call_to_make(const Request& request, std::string& made_id);
    std::string tag_or_made(std::string_view tag);
    Result<std::vector<Party*>> listeners(Call& call, const Request& request);
    Result<> merge(Call& into, Call& other);
    Result<Call*> call_for_offer(const Request& request);
    Result<Party*> callee_of(Call& call, Party& caller, const Request& request);
    Result<Party*> answerer_of(Call& call, Party& caller, const Request& request);
    Result<Party*> selected(Call& call, const Request& request);
    Result<> gate(const Request& request, bool Party::* party, bool Call::* call,
                  bool Subscription::* flow, bool on);
    Result<> gate_flows(Call& call, Party* source, const Request& request,
                        bool Subscription::* which, bool on);
    void timed_out(const Call& call);
    void end(Call& call);
    void measure_load();
    Negotiation::House house() {
        return {engine_, interfaces_, settings_, instance_, identity_.current()};
    }
    /// A call that a failed request has made is undone.
    Result<> undo(Call& call, bool fresh, Result<> result);
    void tell_unknown(const Request& request);
    WallTime wall() const { return clock_.wall(); }

    Settings settings_;
    const Settings settings_at_start_;
    Clock clock_;
    Random random_;
    dtls::DailyIdentity identity_;  ///< our certificate, renewed while calls go on
    std::string instance_;
    Interfaces interfaces_;
    media::RelayEngine engine_;
    Recordings recordings_;  // before the calls that it follows have gone
    std::unordered_map<std::string, std::unique_ptr<Call>, TextHash, std::equal_to<>> calls_;
    Totals totals_;
    LoadMeter load_;
    std::map<std::string, Use, std::less<>> uses_;
    std::set<std::string, std::less<>> told_;
    Time started_;
    std::optional<IpAddress> asker_;  ///< of the command that is being run
    Tell tell_teardown_ = [](auto, auto) {};
    std::function<std::string(std::string_view)> command_line_ = [](auto) { return std::string(); };
};

}  // namespace strowger::relay
