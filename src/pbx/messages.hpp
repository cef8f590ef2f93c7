#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pbx/channel.hpp"
#include "pbx/dialplan/applications.hpp"
#include "pbx/dialplan/functions.hpp"
#include "wire/sip/header_line.hpp"

namespace strowger::pbx {

/// The channel that a text message's dialplan runs on. It has no media and nobody to talk to.
class MessageChannel final : public Channel {
public:
    explicit MessageChannel(Core& core) : Channel(core, "Message", "ast_msg_queue", {}) {}

    std::string to, from, body;
    sip::HeaderLines data;  ///< other headers, and what MESSAGE_DATA() sets

    void ring() override {}
    Task<Result<>> progress() override;
    Task<Result<>> answer() override;
    void hangup(Cause cause) override { ended(cause); }
    std::optional<media::Party> party() const override { return std::nullopt; }
};

/// Text messages (RFC 3428) outside of dialogs: each runs through the dialplan on a channel of its
/// own, one after the other.
class Messages {
public:
    /// Messages waiting for their turn; beyond it they are answered 503.
    static constexpr std::size_t max_waiting = 1000;
    static constexpr std::size_t max_body =
        8192;  ///< bytes; 413 beyond (RFC 3428 asks for 1300 at most)

    explicit Messages(Core& core) : core_(core) {}

    /// The status to answer with. 202 means that it was taken.
    int receive(const sip::ReceivedPtr& request, const config::Endpoint& endpoint);

private:
    Task<> run();

    Core& core_;
    std::deque<std::shared_ptr<MessageChannel>> waiting_;
    bool running_ = false;
};

/// MessageSend(destination[,from[,to]]).
void add_message_application(dialplan::Applications& applications);
/// MESSAGE(to|from|body) and MESSAGE_DATA(name).
void add_message_functions(dialplan::Functions& functions);

}  // namespace strowger::pbx
