#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/access.hpp"
#include "broker/client_link.hpp"
#include "broker/cloud.hpp"
#include "broker/cluster.hpp"
#include "broker/jobs.hpp"
#include "broker/kept_submissions.hpp"
#include "broker/live_tasks.hpp"
#include "broker/options.hpp"
#include "broker/own_load.hpp"
#include "broker/provider_link.hpp"
#include "broker/shared_files.hpp"
#include "broker/starless_link.hpp"
#include "broker/starless_names.hpp"
#include "broker/storage.hpp"
#include "broker/task_events.hpp"
#include "broker/transport_door.hpp"
#include "io/dns.hpp"
#include "io/http_server.hpp"

namespace strowger::broker {

/// What HOST:PORT stands for: an address, both of localhost's, or with an empty HOST all.
Result<std::vector<SocketAddress>> addresses_of(std::string_view listen);
/// Of the messages on a provider's connection, for files of that many bytes.
std::size_t message_limit(std::size_t file);

/// The service: one HTTP port for clients that submit WebAssembly tasks and providers that run
/// them, in both generations of the protocol.
class Broker {
public:
    static Result<std::unique_ptr<Broker>> start(io::Loop& loop, Options options);
    ~Broker();

    /// Reads certificate, key and tokens again; what cannot be read stays as it was.
    void reload();
    /// Gives other brokers what is being run here, then calls `then`, soon in any case.
    void leave(std::function<void()> then);
    const std::vector<SocketAddress>& addresses() const { return addresses_; }

private:
    Broker(io::Loop& loop, Options options, std::unique_ptr<Storage> storage, Access access);

    void add_routes();
    void add_status_routes();
    void add_debug_routes();
    void add_rpc_routes();
    void add_run_route();
    void add_storage_routes();
    void add_task_routes();
    void add_starless_routes();
    void add_sockets();
    Result<> listen();
    void keep_submissions(std::optional<io::Redis::Endpoint> redis);
    Result<> open_door();
    Result<> open_cloud();
    unsigned admit_session(const io::HttpRequest& request) const;
    void session_entered(std::unique_ptr<TransportSession> session);
    void publish_transport_metrics();

    std::string transport_url(const io::HttpRequest& request) const;
    io::HttpResponse starless_config(const io::HttpRequest& request) const;
    Task<io::HttpResponse> starless_upload(io::HttpRequest request);
    Task<io::HttpResponse> starless_run(io::HttpRequest request);

    std::optional<io::HttpResponse> admit_provider(const io::HttpRequest& request) const;
    void run_live(const io::HttpRequest& request, std::unique_ptr<io::Stream> stream);
    void task_events(const io::HttpRequest& request, std::unique_ptr<io::Stream> stream);
    void provider_connected(std::unique_ptr<io::WebSocket> socket);
    void client_connected(std::unique_ptr<io::WebSocket> socket);

    io::Loop& loop_;
    Options options_;
    std::unique_ptr<Storage> storage_;
    Access access_;
    Jobs jobs_;
    std::unique_ptr<SharedStore> store_;  // with the next two: none when there is no Redis
    std::unique_ptr<SharedFiles> shared_files_;
    std::unique_ptr<Cluster> cluster_;
    std::unique_ptr<Cloud> cloud_;  // when there is a function
    std::unique_ptr<OwnLoad> own_load_;
    std::unique_ptr<KeptSubmissions> kept_;  // when there is no cluster
    Submissions* submissions_ = nullptr;     // either of the two
    io::Timer leaving_;
    TaskEvents events_;
    LiveTasks live_;
    std::shared_ptr<io::TlsContext> tls_;  // shared with the connections that use it
    std::vector<SocketAddress> addresses_;
    std::unique_ptr<TransportDoor> door_;  // before the links, which have sessions of it
    std::unordered_map<std::uint64_t, std::unique_ptr<ProviderLink>> providers_;
    std::unordered_map<std::uint64_t, std::unique_ptr<StarlessLink>> starless_;
    StarlessNames starless_names_;
    std::unordered_map<std::uint64_t, std::unique_ptr<ClientLink>> clients_;
    std::unordered_map<std::uint64_t, std::unique_ptr<io::WebSocket>> refused_;  // while they close
    std::unique_ptr<io::HttpServer> server_;  // last: its handlers use all of the above
};

}  // namespace strowger::broker
