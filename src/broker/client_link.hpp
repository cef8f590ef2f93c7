#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "broker/jobs.hpp"
#include "io/websocket.hpp"

namespace strowger::broker {

/// The WebSocket of a client: each request runs on its own and is answered when it is done. What
/// still runs when the socket closes is cancelled.
class ClientLink {
public:
    /// Requests of one socket that may run at once; those beyond are answered with an error.
    static constexpr std::size_t max_running = 4096;

    ClientLink(Jobs& jobs, std::unique_ptr<io::WebSocket> socket, wasimoff::Codec codec, Who who,
               bool may_upload, std::function<void()> ended);
    ~ClientLink();
    void start();

private:
    void receive(Bytes bytes, bool text);
    void run(std::uint64_t sequence, TaskRequest request);
    void upload(const wasimoff::Envelope& envelope);
    void answer(std::uint64_t sequence, const google::protobuf::Message* message,
                std::optional<std::string_view> error = {});
    void send(const std::string& text);
    void tell(pb::Event_TaskOutput output, bool again);
    void cancel_all();

    Jobs& jobs_;
    std::unique_ptr<io::WebSocket> socket_;
    wasimoff::Codec codec_;
    Who who_;
    bool may_upload_;
    std::function<void()> ended_;
    std::unordered_map<std::uint64_t, TaskId> running_;  // by our own count, not the peer's
    std::uint64_t calls_ = 0, events_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // asked by answers that come late
};

}  // namespace strowger::broker
