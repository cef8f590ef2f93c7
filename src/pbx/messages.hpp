#pragma once

#include <deque>
#include <functional>
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
    /// Called when it has to wait for somebody else: the message after it need not.
    std::function<void()> let_pass;

    void ring() override {}
    Task<Result<>> progress() override;
    Task<Result<>> answer() override;
    void hangup(Cause cause) override { ended(cause); }
    std::optional<media::Party> party() const override { return std::nullopt; }
};

/// Text messages (RFC 3428) outside of dialogs: each runs through the dialplan on a channel of its
/// own, one after the other. While one waits for the answer of whom it is sent to the next has its
/// turn, so a phone that is silent delays nobody.
class Messages {
public:
    /// Messages waiting for their turn or for an answer; beyond it they are answered 503.
    static constexpr std::size_t max_waiting = 1000;
    static constexpr std::size_t max_body =
        8192;  ///< bytes; 413 beyond (RFC 3428 asks for 1300 at most)

    explicit Messages(Core& core) : core_(core) {}

    /// The status to answer with. 202 means that it was taken.
    int receive(const sip::ReceivedPtr& request, const config::Endpoint& endpoint);

private:
    Task<> run(std::shared_ptr<MessageChannel> channel);
    void next();

    Core& core_;
    std::deque<std::shared_ptr<MessageChannel>> waiting_;
    std::size_t running_ = 0;            ///< those that wait for an answer included
    const Channel* has_turn_ = nullptr;  ///< only compared
};

/// MessageSend(destination[,from[,to]]).
void add_message_application(dialplan::Applications& applications);
/// MESSAGE(to|from|body) and MESSAGE_DATA(name).
void add_message_functions(dialplan::Functions& functions);

}  // namespace strowger::pbx
