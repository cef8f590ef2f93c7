#pragma once

#include <cstdint>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "wire/ice/candidate.hpp"
#include "wire/ice/transmit.hpp"
#include "wire/stun/client_transaction.hpp"

namespace strowger::ice {

/// Asks STUN servers how the outside sees our sockets: server-reflexive candidates (RFC 8445
/// section 5.1.1.2).
///
/// The owner says which socket is to ask which server, passes in what comes and the time, and adds
/// each candidate that is found to its agent, under the socket that the event names, and to what it
/// tells the peer. `finished` says that nothing more will come.
class Gatherer {
public:
    /// Sockets times servers; each costs some datagrams to a stranger.
    static constexpr std::size_t max_requests = 64;

    struct Config {
        Duration pacing = std::chrono::milliseconds{20};  ///< Ta, between two first requests
        /// Sooner than section 14.3 has it, and given up after eight seconds: a call that waits for
        /// it waits no longer.
        stun::ClientTransaction::Timers timers{
            .rto = std::chrono::milliseconds{100}, .tries = 7, .last_wait = 16};
    };
    struct Event {
        Candidate candidate;
        SocketId socket = 0;
    };

    Gatherer(const Config& config, Random& random) : config_(config), random_(random) {}

    /// `host` is the candidate of that socket. False when there are too many, or when server and
    /// socket are of different families.
    bool ask(const Candidate& host, SocketId socket, const SocketAddress& server);

    /// True when it was for us: an answer of a server to one of our requests.
    bool receive(const Datagram& datagram, Time now);
    void tick(Time now);
    Time deadline() const;
    bool poll(Transmit& transmit);
    bool poll(Event& event);
    bool finished() const { return open_ == 0; }

private:
    struct Request {
        Candidate host;
        SocketId socket = 0;
        SocketAddress server;
        stun::ClientTransaction transaction;
        bool begun = false;
        bool over = false;
        bool to_send = false;
    };
    void found(Request& request, const SocketAddress& seen);
    void end(Request& request);

    Config config_;
    Random& random_;
    std::vector<Request> requests_;
    std::vector<Event> events_;
    std::vector<Candidate> found_;
    Time next_{};
    std::size_t open_ = 0;
};

}  // namespace strowger::ice
