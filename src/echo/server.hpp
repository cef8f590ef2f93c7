#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "echo/answer.hpp"
#include "echo/echo_session.hpp"
#include "io/http_server.hpp"
#include "io/loop.hpp"
#include "media/webrtc_host.hpp"
#include "wire/dtls/identity.hpp"

namespace strowger::echo {

/// The echo server: an offer by HTTP, an answer in return, and everything that then comes over
/// WebRTC goes back (the convention of the webrtc-echoes tests). One thread, one UDP port.
class Server {
public:
    struct Options {
        SocketAddress http;                ///< where to listen
        std::string certificate, key;      ///< PEM files: HTTPS instead of HTTP
        SocketAddress udp;                 ///< port 0: the same number as HTTP's
        std::vector<IpAddress> announced;  ///< instead of this host's addresses
        std::size_t max_sessions = 1024;
        std::size_t max_per_source = 256;  ///< sessions that one address may ask for
        bool lite = false;                 ///< ICE-lite (RFC 8445 section 2.5)
    };

    static Result<std::unique_ptr<Server>> start(io::Loop& loop, Options options);
    ~Server();  ///< all sessions are told goodbye

    std::uint16_t http_port() const { return http_bound_.port; }
    std::uint16_t udp_port() const { return host_->port(); }
    std::size_t sessions() const { return host_->size(); }

private:
    Server(io::Loop& loop, Options options);
    Result<> open_ports();
    void add_routes();
    io::HttpResponse offer(const io::HttpRequest& request);
    Result<std::string> answer(std::string_view offer, const SocketAddress& from);
    media::WebrtcSession::Config config_for(const OfferPlan& plan);
    void begin(media::WebrtcHost::SessionId id, const SocketAddress& from);
    void changed(media::WebrtcHost::SessionId id, const SocketAddress& from,
                 const media::WebrtcSession::Event& event, Time now);
    void release(const IpAddress& source);
    void update_metrics();
    void renew_identity();

    io::Loop& loop_;
    Options options_;
    Totals totals_;
    dtls::DailyIdentity identity_;
    io::Timer identity_timer_;
    std::unique_ptr<media::WebrtcHost> host_;
    std::unique_ptr<io::HttpServer> http_;
    SocketAddress http_bound_;
    std::unordered_map<IpAddress, std::size_t> by_source_;
    std::vector<media::WebrtcHost::SessionId> open_;
};

}  // namespace strowger::echo
