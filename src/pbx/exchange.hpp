#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "io/http_server.hpp"
#include "media/local_engine.hpp"
#include "pbx/bridge.hpp"
#include "pbx/call_files.hpp"
#include "pbx/cli.hpp"
#include "pbx/contact_store.hpp"
#include "pbx/core.hpp"
#include "pbx/device_state.hpp"
#include "pbx/dialplan/applications.hpp"
#include "pbx/dialplan/functions.hpp"
#include "pbx/dialplan/store.hpp"
#include "pbx/hints.hpp"
#include "pbx/messages.hpp"
#include "pbx/outbound_registration.hpp"
#include "pbx/presence.hpp"
#include "pbx/qualify.hpp"
#include "pbx/queues.hpp"
#include "pbx/registrar.hpp"
#include "pbx/screening.hpp"
#include "pbx/sip_channel.hpp"

namespace strowger::pbx {

/// The whole PBX of one process: configuration, SIP, dialplan, media, and the command line that
/// looks into it. Belongs to the thread of its loop.
class Exchange {
public:
    struct Options {
        std::string config_directory = "/etc/asterisk";
        std::string state_directory = "/var/lib/strowger";
        std::string recordings;  ///< directory of relative recording names; empty: <state>/monitor
        std::vector<std::string> sound_directories;
        std::optional<SocketAddress>
            bind;  ///< replaces the address of every transport; port 0: any
        std::optional<SocketAddress> http;  ///< /metrics and /healthz
        unsigned media_threads = 0;         ///< 0: one a core

        Sounds sounds() const;  ///< looked for in these directories, then in the usual ones
    };
    /// How long calls may go on after `stop` before they are cut.
    static constexpr Duration stop_patience = std::chrono::seconds{1};

    /// Loads the configuration and opens the sockets. A configuration with errors is refused, and
    /// the error holds every diagnostic.
    static Result<std::unique_ptr<Exchange>> start(io::Loop& loop, Options options);
    ~Exchange();

    /// Loads everything anew. A configuration with errors changes nothing. Calls, registrations and
    /// their media go on; new calls see the new one.
    Result<> reload();
    /// Ends calls with a BYE, takes registrations back, then stops the loop.
    void stop();

    Core& core() { return core_; }
    const Options& options() const { return options_; }
    const std::shared_ptr<const dialplan::Dialplan>& plan() const { return dialplan_; }
    const dialplan::Applications& applications() const { return applications_; }
    const dialplan::Functions& functions() const { return functions_; }
    dialplan::Globals& globals() { return globals_; }
    dialplan::Store& store() { return *store_; }
    OutboundRegistrations& registrations() { return *registrations_; }
    Qualifier& qualifier() { return *qualifier_; }
    Hints& hints() { return *hints_; }
    Bridge::Starter starter() {
        return [this](ChannelPtr channel, dialplan::Position position) {
            start_dialplan(std::move(channel), std::move(position));
        };
    }
    Time started() const { return started_; }
    Time loaded() const { return loaded_; }

private:
    Exchange(io::Loop& loop, Options options, std::unique_ptr<media::LocalEngine> engine,
             std::shared_ptr<const config::Configuration> config,
             std::shared_ptr<const dialplan::Dialplan> plan,
             std::unique_ptr<dialplan::Store> store);

    Result<> begin();
    Result<> open_transports();
    void apply(std::shared_ptr<const config::Configuration> config,
               std::shared_ptr<const dialplan::Dialplan> plan);
    void bind_static_contacts();
    Result<> serve_http();
    void count_events();
    void expire();
    void wait_for_end(Time latest);

    void transaction_event(const sip::TransactionEvent& event);
    void request(const sip::RequestReceived& received);
    void register_request(const sip::RequestReceived& received);
    void options_request(const sip::RequestReceived& received);
    void invite(const sip::RequestReceived& received);
    bool picks_up(const config::Endpoint& endpoint, std::string_view exten) const;
    void invite_with_replaces(std::shared_ptr<SipChannel> channel, std::string replaces);
    void answer(const sip::RequestReceived& received, int status,
                std::string_view header_lines = {});
    void media_event(const media::Event& event);

    void start_dialplan(ChannelPtr channel, dialplan::Position position);

    io::Loop& loop_;
    Options options_;
    Random random_;
    std::unique_ptr<Signalling> signalling_;
    std::unique_ptr<io::Resolver> resolver_;
    std::unique_ptr<media::LocalEngine> engine_;
    std::unique_ptr<io::Watch> engine_watch_;
    Location location_;
    events::Stream events_;
    Channels channels_;
    Trace trace_;
    Sounds sounds_;
    HostNames names_;
    std::shared_ptr<const config::Configuration> config_;
    std::shared_ptr<const dialplan::Dialplan> dialplan_;
    dialplan::Functions functions_;
    dialplan::Applications applications_;
    dialplan::Globals globals_;
    std::unique_ptr<dialplan::Store> store_;
    dialplan::Environment environment_;
    Core core_;
    Registrar registrar_;
    Screening screening_;
    std::unique_ptr<ContactStore> contact_store_;
    std::unique_ptr<Qualifier> qualifier_;
    std::unique_ptr<OutboundRegistrations> registrations_;
    std::unique_ptr<Hints> hints_;
    std::unique_ptr<Presence> presence_;
    std::unique_ptr<Messages> messages_;
    std::unique_ptr<Queues> queues_;
    std::unique_ptr<CallFiles> call_files_;
    std::unique_ptr<Cli> cli_;
    std::unique_ptr<io::HttpServer> http_;
    io::Timer expiry_timer_, stop_timer_;
    std::shared_ptr<void> metrics_reader_;
    Time started_, loaded_;
    Time expiry_at_ = Time::max();
    bool stopping_ = false;
};

}  // namespace strowger::pbx
