#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "wire/dtls/datagram_link.hpp"
#include "wire/dtls/identity.hpp"
#include "wire/dtls/setup.hpp"
#include "wire/srtp/master_key.hpp"

struct ssl_st;
struct x509_store_ctx_st;

namespace strowger::dtls {

constexpr std::size_t max_handshake_message = 16 * 1024;  ///< a certificate has about 1 KiB
constexpr std::size_t max_datagram = 4096;  ///< nobody sends more at once through the internet
constexpr std::size_t max_unread = 256;     ///< records that the owner has not polled; then we drop

/// The keys that the handshake agreed on for SRTP (RFC 5764 section 4.2).
struct SrtpKeys {
    srtp::Suite suite;
    srtp::MasterKey local;   ///< for what we send
    srtp::MasterKey remote;  ///< for what we receive

    bool operator==(const SrtpKeys&) const = default;
};

/// The handshake is done and the peer's certificate is the announced one.
struct Connected {
    std::optional<SrtpKeys> srtp;  ///< empty when the two have no profile in common, or want none
};

/// One record of application data; borrowed until the next call.
struct Received {
    Bytes data;
};

struct Closed {};  ///< by the peer's close_notify

struct Failed {
    Error error;
};

using Event = std::variant<Connected, Received, Closed, Failed>;

/// A DTLS 1.2 association (RFC 6347) as DTLS-SRTP and data channels have it (RFC 5764, RFC 8261).
///
/// The owner makes it when it knows its role, and calls `start` when datagrams can reach the peer;
/// feeds it with `receive` and wakes it with `tick` at `deadline`; after each of these it polls
/// until there is neither a datagram nor an event. A server is ready from the start.
///
/// The peer is whom the signalling says: its certificate must match a fingerprint announced there.
/// These may come after the handshake, as an answer may come after the ClientHello; until then
/// nothing is connected, and application data is dropped.
class Connection {
public:
    struct Config {
        Role role = Role::server;
        std::vector<Fingerprint> fingerprints;  ///< of the peer; empty: they come with `expect`
        bool accept_sha_1 = false;              ///< of a peer that announces nothing better
        /// For SRTP, the server's order decides; only those with a DTLS profile count.
        std::vector<srtp::Suite> suites = default_suites();
        std::size_t mtu = 1200;                                         ///< bytes a datagram
        Duration first_retransmission = std::chrono::milliseconds{50};  ///< then doubling
        Duration longest_retransmission = std::chrono::seconds{4};
        Duration handshake_timeout = std::chrono::seconds{20};
    };
    static std::vector<srtp::Suite> default_suites();

    Connection(std::shared_ptr<const Identity> identity, Config config);
    ~Connection();
    Connection(const Connection&) = delete;  // OpenSSL knows its address
    Connection& operator=(const Connection&) = delete;

    /// A client sends its first flight; for a server this is nothing.
    void start(Time now);

    /// The fingerprints that the peer's description announces.
    void expect(std::vector<Fingerprint> fingerprints);

    void receive(Bytes datagram, Time now);
    Time deadline() const;  ///< `Time::max()` when nothing is due
    void tick(Time now);

    bool poll(Bytes& datagram) { return link_.poll(datagram); }  ///< borrowed until the next call
    bool poll(Event& event);

    /// One record of application data, of at most `max_data` bytes. Only when connected.
    Result<> send(Bytes data);
    std::size_t max_data() const;

    /// Tells the peer, once, if there is anything to tell. No event follows.
    void close();

    bool connected() const { return state_ == State::connected; }

    /// OpenSSL's question whether the certificate that came is good.
    static int verify_callback(x509_store_ctx_st* store, void*);

private:
    enum class State : std::uint8_t { idle, handshake, unverified, connected, ended };
    enum class Kind : std::uint8_t { connected, received, closed, failed };
    struct Free {
        void operator()(ssl_st* ssl) const;
    };
    struct Pending {
        Kind kind;
        std::size_t begin = 0, end = 0;  ///< in `unread_`
    };

    void begin(Time now);
    void take_buffers();
    void advance(Time now);
    void read_records();
    void follow_timer(Time now);
    void handshake_done();
    void verify_late();
    void fail_with_reason(std::string_view doing);
    void end(Error error);
    std::optional<SrtpKeys> export_keys() const;

    std::shared_ptr<const Identity> identity_;
    Config config_;
    DatagramLink link_;
    std::unique_ptr<ssl_st, Free> ssl_;  ///< after `link_`, which it writes to when it goes
    State state_ = State::idle;
    Time handshake_end_ = Time::max();
    Time retransmission_ = Time::max();
    Duration interval_;
    std::vector<std::uint8_t> unread_;
    std::vector<Pending> events_;
    std::size_t polled_ = 0;
    std::optional<SrtpKeys> keys_;
    std::string verify_error_;
    std::optional<Error> error_;
};

}  // namespace strowger::dtls
