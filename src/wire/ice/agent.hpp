#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "wire/ice/candidate.hpp"
#include "wire/ice/candidate_table.hpp"
#include "wire/ice/check_list.hpp"
#include "wire/ice/consent.hpp"
#include "wire/ice/credentials.hpp"
#include "wire/ice/generation.hpp"
#include "wire/ice/role.hpp"
#include "wire/ice/selected_path.hpp"
#include "wire/ice/transmit.hpp"
#include "wire/stun/message.hpp"

namespace strowger::ice {

/// Finds a path to the peer, and says when it is lost: the ICE agent of one data stream (RFC 8445),
/// full or lite, controlling or controlled, with trickled candidates (RFC 8838), restarts and
/// consent (RFC 7675). With BUNDLE (RFC 8843) a session has one stream; each of several has an
/// agent of its own.
///
/// An owner makes it with its credentials; adds its candidates, each with the socket behind it;
/// sends credentials and candidates to the peer and adds the peer's, in any order and at any time;
/// says `end_of_candidates` when the peer has no more (at once, when they do not trickle). Then it
/// passes in what comes and the time, and drains:
///
///     agent.receive(datagram, now);          // or agent.tick(now), once deadline() has come
///     while (agent.poll(transmit)) send(transmit.socket, transmit.to, transmit.bytes());
///     while (agent.poll(event)) ...
///
/// Checks of the peer are answered from the first moment. Data goes over `path(component)` as soon
/// as there is one, and over no path whose consent is lost. A controlled side follows its peer to
/// an address that a NAT has newly given it: once checks come from there, one of ours is answered
/// from there, and the old path is silent.
///
/// A check, its answer and consent allocate nothing once the agent is set up.
class Agent {
public:
    static constexpr std::uint16_t max_components = 2;

    struct Config {
        Role role = Role::controlled;  ///< to begin with: the offerer controls
        bool lite = false;             ///< answers checks and makes none (section 2.5)
        std::uint16_t components = 1;  ///< 2: RTCP has a port of its own
        bool ordinary_checks =
            true;  ///< false: a server's checks are all triggered by the client's
        Credentials local;
        /// Ta, between two new checks. Section 14.2 allows 5 ms and more.
        Duration pacing = std::chrono::milliseconds{20};
        /// Before a check is repeated, while few are under way. Section 14.3 has 500 ms; both sides
        /// begin when they know enough, so that a first check is often lost to a peer that does
        /// not.
        Duration min_rto = std::chrono::milliseconds{100};
        std::uint8_t tries = 7;
        /// Controlling: how long a path may wait for a better one whose check is under way.
        Duration nomination_wait = std::chrono::milliseconds{50};
        /// Without a path after so long it has failed (RFC 8863 section 3: no earlier, as the
        /// peer's checks may still open one).
        Duration patience = std::chrono::milliseconds{39500};
        Consent::Config consent;
        /// Tr, of a side that makes no checks (section 11).
        Duration keep_alive = std::chrono::seconds{15};
    };

    /// The same on both sides: `checking` from the peer's credentials on, `connected` when every
    /// component has a path, `completed` when every one has its selected pair.
    enum class State : std::uint8_t { waiting, checking, connected, completed, failed };

    struct Path {
        std::uint16_t component = 1;
        SocketId socket = 0;
        SocketAddress remote;
        bool operator==(const Path&) const = default;
    };

    struct Event {
        enum class Kind : std::uint8_t {
            tuple_seen,    ///< the first message with right integrity came this way
            connected,     ///< every component has a path now
            selected,      ///< the component's data belongs on this path from now on
            failed,        ///< no path was found; only a restart can find one
            consent_lost,  ///< nothing may be sent to this path any more
        };
        Kind kind{};
        Path path;
    };

    /// What came and was not taken, for metrics.
    struct Counters {
        std::uint64_t malformed = 0;
        std::uint64_t unauthenticated = 0;
        std::uint64_t unexpected = 0;  ///< an answer that belongs to no check
    };

    Agent(Config config, Random& random);

    /// Answers false, and leaves all as it is, for a candidate that cannot be used; says why.
    Result<> add_local(const Candidate& candidate, SocketId socket);
    /// Once a generation; other credentials need `restart` first.
    Result<> set_remote(const Credentials& credentials, bool lite = false);
    Result<> add_remote(const Candidate& candidate);
    void end_of_candidates() { remote_ended_ = true; }
    /// The peer muxes RTCP on the port of RTP: component 2 is not needed after all.
    void use_one_component();
    /// Begins anew with these credentials (section 9); the old paths serve until new ones are
    /// selected. Our candidates stay, the peer's are forgotten.
    void restart(Credentials local);

    void receive(const Datagram& datagram, Time now);
    /// Something authentic came over the component's path: SRTP, DTLS. It keeps a lite side alive.
    void heard(std::uint16_t component, Time now);
    void tick(Time now);
    Time deadline() const;  ///< may lie in the past: then at once
    bool poll(Transmit& transmit);
    bool poll(Event& event);

    State state() const;
    Role role() const { return role_; }
    bool lite() const { return config_.lite; }
    const Credentials& local() const { return current_.local; }
    const Credentials& remote() const { return current_.remote; }
    const Counters& counters() const { return counters_; }
    /// Where data may go: the selected pair, or the newest valid one until there is one.
    std::optional<Path> path(std::uint16_t component = 1) const;
    const CheckList& check_list() const { return checks_; }

private:
    enum class Kind : std::uint8_t { check, consent, answer, refusal, indication };

    /// A message to be written when it is asked for.
    struct Outgoing {
        Kind kind{};
        bool of_previous = false;
        bool nominates = false;
        Role role = Role::controlled;
        stun::Integrity integrity = stun::Integrity::none;
        std::uint16_t code = 0;
        std::uint8_t unknown_count = 0;
        SocketId socket = 0;
        SocketAddress to;
        std::uint32_t priority = 0;
        std::size_t size_limit = Transmit::max_size;
        stun::TransactionId transaction;
        std::array<stun::AttributeType, 4> unknown{};
    };
    /// More than a round of checks and answers needs; beyond it, what is new is dropped, as the
    /// network might have.
    static constexpr std::size_t max_outgoing = 256;
    static constexpr std::size_t max_events = 256;
    /// Refusals of what is not authenticated, a second: enough for a peer that has an old password.
    static constexpr unsigned max_refusals = 50;

    // agent.cpp
    CandidatePair* pair_up(const Base& base, const Remote& remote);
    void rate(CandidatePair& pair) const;
    void check_pairs(Time now);
    void begin_check(CandidatePair& pair, Time now);
    void send_check(const CandidatePair& pair);
    bool all_selected() const;
    bool pair_awaits_selection() const;
    Duration rto() const;
    bool ordinary() const;
    bool makes_checks() const { return !config_.lite && current_.knows_remote(); }
    void lose_patience(Time now);
    void switch_role(Role role);
    void raise(Event::Kind kind, const Path& path);
    void send(const Outgoing& outgoing);
    Bytes write(const Outgoing& outgoing, MutableBytes buffer) const;
    const Generation& generation(bool previous) const;

    // agent_requests.cpp
    void on_request(const Datagram& datagram, const stun::Message& request, Time now);
    const Generation* addressed(const stun::Message& request) const;
    bool is_my_role(const stun::Message& request);
    void on_check(const Datagram& datagram, const stun::Message& request, const Base& base,
                  Time now);
    void trigger(CandidatePair& pair);
    void refuse(const Datagram& datagram, const stun::Message& request, std::uint16_t code,
                const Generation* authentic, stun::Integrity integrity, Time now);

    // agent_responses.cpp
    void on_response(const Datagram& datagram, const stun::Message& response, Time now);
    bool on_consent_response(const Datagram& datagram, const stun::Message& response, Time now);
    void on_error(CandidatePair& pair, const stun::Message& response);
    void on_success(CandidatePair& pair, const stun::Message& response, Time now);
    static void fail_pair(CandidatePair& pair);

    // agent_nomination.cpp
    void on_peer_nomination(CandidatePair& pair, Time now);
    void made_valid(CandidatePair& pair, Time now);
    void nominate(Time now);
    CandidatePair* best_valid(std::uint16_t component);
    bool better_is_open(const CandidatePair& pair) const;
    void select(const CandidatePair& pair, Time now);
    void complete();
    void select_between_lites(Time now);
    Consent new_consent(Time now);
    void keep_consent(Time now);
    void ask_consent(SelectedPath& path);
    void notice_move(CandidatePair& pair, Time now);
    void confirm_move(const CandidatePair& pair);
    void follow(std::uint16_t component, Time now);
    Duration move_takes() const;
    Time move_deadline(const SelectedPath& path) const;
    void note_tuple(CandidatePair& pair);
    Time nomination_deadline() const;

    Config config_;
    Random& random_;
    Role role_;
    std::uint64_t tie_breaker_;
    Generation current_;
    std::optional<Generation> previous_;  ///< until a restart is complete
    bool remote_lite_ = false;
    bool remote_ended_ = false;
    bool was_connected_ = false;
    bool failed_ = false;
    CandidateTable candidates_;
    CheckList checks_;
    std::array<std::optional<SelectedPath>, max_components> selected_;
    std::array<std::optional<Time>, max_components> first_valid_;
    Time next_check_{};
    std::optional<Time> gives_up_;
    Time refusals_since_{};
    unsigned refusals_ = 0;
    std::vector<Outgoing> outgoing_;
    std::size_t outgoing_sent_ = 0;
    std::vector<Event> events_;
    std::size_t events_taken_ = 0;
    Counters counters_;
};

}  // namespace strowger::ice
