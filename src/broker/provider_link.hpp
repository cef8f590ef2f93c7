#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "broker/jobs.hpp"
#include "io/websocket.hpp"

namespace strowger::broker {

/// The WebSocket of one provider: asks what files it has, then gives it tasks, and hears how many
/// it can run at once. Requests from it are answered with an error.
class ProviderLink final : public Provider {
public:
    /// Requests that may wait for an answer, beside those of tasks.
    static constexpr std::size_t max_pending = 64;
    static constexpr std::size_t max_name = 128;  ///< what is longer is cut

    /// `ended` is called once, not from within the constructor or `start`.
    ProviderLink(Jobs& jobs, std::unique_ptr<io::WebSocket> socket, wasimoff::Codec codec,
                 std::function<void()> ended);
    ~ProviderLink() override;
    void start();
    ProviderId id() const { return id_; }

    const std::string& name() const override { return name_; }
    void run(TaskId task, const google::protobuf::Message& request) override;
    void cancel(TaskId task, std::string_view reason) override;
    void ping() override;
    void evict(std::string_view reason) override;
    void tell(const google::protobuf::Message& event) override;

private:
    struct Pending {
        enum class What { ping, listing, cancel, task } what;
        TaskId task = 0;
    };
    void receive(Bytes bytes, bool text);
    void event(const wasimoff::Envelope& envelope);
    void response(const wasimoff::Envelope& envelope);
    void files(const wasimoff::Envelope& envelope);
    void request(Pending pending, const google::protobuf::Message& message);
    void send(const std::string& message);
    void leave();

    Jobs& jobs_;
    std::unique_ptr<io::WebSocket> socket_;
    wasimoff::Codec codec_;
    std::function<void()> ended_;
    ProviderId id_;
    std::string name_;
    std::uint64_t requests_ = 0, events_ = 0;   // counted apart, from 1
    std::map<std::uint64_t, Pending> pending_;  // takes no room while it is empty
    bool left_ = false;
};

}  // namespace strowger::broker
