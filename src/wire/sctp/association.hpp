#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/sctp/packet_queue.hpp"
#include "wire/sctp/stack.hpp"

struct socket;

namespace strowger::sctp {

/// How hard a message is tried (RFC 3758).
struct Reliability {
    enum class Policy : std::uint8_t { reliable, retransmits, lifetime };
    Policy policy = Policy::reliable;
    std::uint32_t limit = 0;  ///< retransmissions, or milliseconds
    bool operator==(const Reliability&) const = default;
};

/// One SCTP association over DTLS (RFC 9260, RFC 8261), between two peers that both begin.
///
/// The owner makes it when DTLS is up and calls `connect`; passes in what DTLS decrypts; and
/// drains:
///
///     association.receive(packet);
///     for (Bytes packet = a.next_packet(); !packet.empty(); packet = a.next_packet())
///     encrypt(packet); while (a.poll(event)) ...
///
/// Time comes to all associations through the Stack. A message that is not polled stays in the
/// receive window, so that an owner that stops polling stops the peer (back-pressure).
class Association {
public:
    struct Config {
        std::uint16_t local_port = 5000;  ///< RFC 8841; of a=sctp-port
        std::uint16_t remote_port = 5000;
        std::uint16_t streams = 1024;  ///< each way, until the peer offers less
        /// A larger message of the peer ends the association. RFC 8841 lets us say what we take.
        std::size_t max_message = 262144;
        std::size_t buffer = 1 << 20;  ///< each way, of messages
        /// What fits into a DTLS record in 1200 bytes of UDP, RFC 8831 section 5.
        std::uint16_t max_packet = 1150;
    };

    enum class State : std::uint8_t { idle, connecting, connected, closed };

    struct Message {
        std::uint16_t stream = 0;
        std::uint32_t protocol = 0;  ///< PPID, in host order
        bool unordered = false;
        Bytes bytes;  ///< borrowed until the next poll
    };

    struct Event {
        enum class Kind : std::uint8_t {
            connected,
            message,
            streams_reset,  ///< by the peer: it sends no more on these
            writable,       ///< after a `send` that found the buffer full
            closed,         ///< by the peer, or because it does not answer
        };
        Kind kind{};
        Message message;
        std::span<const std::uint16_t> streams;  ///< borrowed until the next poll
    };

    enum class Sent : std::uint8_t { accepted, full, refused };

    explicit Association(const Config& config);
    ~Association();
    Association(const Association&) = delete;

    Result<> connect();
    void receive(Bytes packet);
    Bytes next_packet() { return packets_.pop(); }
    bool poll(Event& event);

    /// `full`: try again after `writable`. `refused`: not connected, no such stream, or too large.
    /// An empty message cannot be sent in SCTP.
    Sent send(std::uint16_t stream, std::uint32_t protocol, Bytes bytes, bool unordered = false,
              const Reliability& reliability = {});
    /// Says that we send no more on these streams (RFC 6525); the peer's `streams_reset` follows
    /// when it does the same. False when another reset is under way: try again later.
    bool reset_streams(std::span<const std::uint16_t> streams);
    /// An ABORT goes out; nothing comes any more.
    void close();

    /// While stopped, nothing is read: the peer's window fills, and no event comes but `writable`
    /// and `closed`. For who cannot put what it reads anywhere.
    void stop_reading() { reads_ = false; }
    void go_on_reading();

    State state() const { return state_; }
    std::uint16_t streams_out() const { return streams_out_; }
    std::size_t max_message() const { return config_.max_message; }

private:
    friend class Stack;
    static int on_output(void* address, void* buffer, std::size_t size, std::uint8_t, std::uint8_t);
    static void on_event(struct socket*, void* argument, int);

    Result<> set_options();
    void output(Bytes packet);
    void note_ready();
    bool read(Event& event);
    bool take_notification(Bytes bytes, Event& event);
    bool end(Event& event);

    Config config_;
    std::uintptr_t id_ = 0;
    struct socket* socket_ = nullptr;
    State state_ = State::idle;
    bool readable_ = false;
    bool reads_ = true;
    bool wants_to_write_ = false;
    bool something_went_ = false;  ///< the stack had news since the last `full`
    bool is_ready_ = false;        ///< in the stack's list
    bool end_told_ = false;
    std::uint16_t streams_out_ = 0;
    PacketQueue packets_;
    std::vector<std::uint8_t> message_;  ///< what came of the message that is being read
    bool message_done_ = false;
    std::vector<std::uint16_t> reset_;
};

}  // namespace strowger::sctp
