#include "pbx/messages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "io/clock.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/next_hop.hpp"
#include "pbx/outside_request.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;
using sip::HeaderId;

MessageChannel* message_of(Call& call) { return dynamic_cast<MessageChannel*>(&call); }

// `"Name" <sip:user@host>`, without port and parameters.
std::string sender_of(const sip::Message& request) {
    const auto address = sip::NameAddress::parse(request.from());
    if (!address) return std::string(request.from());
    const auto uri = sip::Uri::parse(address->uri);
    if (!uri) return std::string(address->uri);
    const auto plain = fmt::format("<{}:{}@{}>", uri->scheme, uri->user, uri->host);
    return address->display_name.empty() ? plain
                                         : fmt::format("\"{}\" {}", address->display_name, plain);
}

// The user of what stands for a sender: a bare number, "n@h", or a whole address.
std::string user_of(std::string_view text) {
    text = trim(text);
    if (const auto address = sip::NameAddress::parse(text))
        if (const auto uri = sip::Uri::parse(address->uri)) return sip::unescape(uri->user);
    return std::string(split_once(text, '@').first);
}

struct Destination {
    const config::Endpoint* endpoint = nullptr;
    std::string uri, user;
};

// "pjsip:endpoint", "pjsip:endpoint/sip:uri", "pjsip:endpoint/user", "pjsip:sip:uri".
Result<Destination> parse_destination(const config::Configuration& config, std::string_view text) {
    const auto [protocol, rest] = split_once(text, ':');
    if (!iequals(protocol, "pjsip") && !iequals(protocol, "sip") && !iequals(protocol, "sips"))
        return fail_with(1, "'{}' is not a protocol for messages", protocol);
    Destination destination;
    if (!iequals(protocol, "pjsip") || istarts_with(rest, "sip:") || istarts_with(rest, "sips:")) {
        destination.uri = iequals(protocol, "pjsip") ? rest : text;
        destination.endpoint = config.endpoints.find(config.global.default_outbound_endpoint);
        return destination;
    }
    const auto [name, target] = split_once(rest, '/');
    destination.endpoint = config.endpoints.find(name);
    if (!destination.endpoint) return fail("there is no endpoint '{}'", name);
    if (istarts_with(target, "sip:") || istarts_with(target, "sips:"))
        destination.uri = target;
    else
        destination.user = target;
    return destination;
}

Task<Result<>> send(Core& core, Destination destination, std::string from, std::string to,
                    std::string body) {
    OutsideRequest request;
    request.method = "MESSAGE";
    if (destination.uri.empty()) {
        std::optional<Contact> contact;
        for (const auto& aor : destination.endpoint->aors)
            for (const auto& known : core.location.contacts(aor))
                if (!contact && known.available()) contact = known;
        if (!contact)
            co_return fail("'{}' has no contact that can be reached", destination.endpoint->name);
        auto target = co_await contact_target(core, *contact, destination.endpoint->outbound_proxy,
                                              destination.endpoint->transport);
        if (!target) co_return std::unexpected(target.error());
        request.uri = std::move(target->uri);
        request.flow = target->flow;
        request.others = std::move(target->others);
        request.route = std::move(target->route);
        if (!destination.user.empty())
            if (const auto uri = sip::Uri::parse(request.uri))
                request.uri = fmt::format(
                    "{}:{}@{}{}{}", uri->scheme, sip::escape_user(destination.user), uri->host,
                    uri->port ? ":" + std::to_string(*uri->port) : "", uri->parameters);
    } else {
        if (!sip::Uri::parse(destination.uri))
            co_return fail_with(2, "'{}' is not a SIP URI", destination.uri);
        std::string transport =
            destination.endpoint ? destination.endpoint->transport : std::string();
        std::string hop = destination.uri;
        auto flows = co_await next_hops(core, std::move(hop), std::move(transport));
        if (!flows) co_return std::unexpected(flows.error());
        request.uri = destination.uri;
        request.flow = flows->front();
        request.others.assign(flows->begin() + 1, flows->end());
    }
    const auto host = destination.endpoint && !destination.endpoint->from_domain.empty()
                          ? destination.endpoint->from_domain
                          : request.flow.local.ip.host_text();
    auto user = destination.endpoint && !destination.endpoint->from_user.empty()
                    ? destination.endpoint->from_user
                    : user_of(from);
    if (user.empty()) user = core.config->global.default_from_user;
    request.from = fmt::format("<sip:{}@{}>", sip::escape_user(user), host);
    request.to = sip::NameAddress::parse(to) && !to.empty() ? to : fmt::format("<{}>", request.uri);
    request.body = std::move(body);
    request.content_type = "text/plain;charset=UTF-8";
    if (destination.endpoint) request.auths = destination.endpoint->outbound_auth;
    const auto answer = co_await send_outside_dialog(core, std::move(request));
    if (!answer) co_return std::unexpected(answer.error());
    const auto status = (*answer)->message().status();
    if (status >= 300)
        co_return fail("it was answered {} {}", status, (*answer)->message().reason());
    co_return Result<>{};
}

Task<AppResult> message_send(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto* message = message_of(call);
    const auto arguments = dialplan::split_raw(args);
    const auto at = [&](std::size_t i) {
        return i < arguments.size() ? std::string(trim(arguments[i])) : std::string();
    };
    const auto tell = [&](const char* status) {
        (void)call.variables().set("MESSAGE_SEND_STATUS", status);
    };
    auto destination = parse_destination(*channel.core().config, at(0));
    if (!destination) {
        channel.report(log::Level::warning, "MessageSend: " + destination.error().text());
        tell(destination.error().code() == 1 ? "INVALID_PROTOCOL" : "INVALID_URI");
        co_return AppResult::proceed;
    }
    std::string from = at(1), to = at(2), body = message ? message->body : std::string();
    if (from.empty() && message) from = message->from;
    if (message && message->let_pass) message->let_pass();
    const auto sent = co_await send(channel.core(), std::move(*destination), std::move(from),
                                    std::move(to), std::move(body));
    if (!sent) channel.report(log::Level::notice, "MessageSend: " + sent.error().text());
    tell(sent ? "SUCCESS" : sent.error().code() == 2 ? "INVALID_URI" : "FAILURE");
    co_return AppResult::proceed;
}

std::string* field(MessageChannel& message, std::string_view name) {
    if (iequals(name, "to")) return &message.to;
    if (iequals(name, "from")) return &message.from;
    if (iequals(name, "body")) return &message.body;
    return nullptr;
}

}  // namespace

Task<Result<>> MessageChannel::progress() { co_return Result<>{}; }

Task<Result<>> MessageChannel::answer() { co_return Result<>{}; }

int Messages::receive(const sip::ReceivedPtr& received, const config::Endpoint& endpoint) {
    const auto& request = received->message();
    const auto type =
        trim(split_once(request.header(HeaderId::content_type).value_or(""), ';').first);
    if (!iequals(type, "text/plain")) return 415;
    if (request.body().size() > max_body) return 413;
    const auto uri = sip::Uri::parse(request.request_uri());
    auto exten = uri ? sip::unescape(uri->user) : std::string();
    if (exten.empty()) exten = "s";
    const auto& context =
        endpoint.message_context.empty() ? endpoint.context : endpoint.message_context;
    const auto caller = user_of(request.from());
    if (!core_.environment.dialplan()->exists(context, exten, {caller, core_.environment.clock()}))
        return 404;
    if (waiting_.size() + running_ >= max_waiting) return 503;
    auto channel = std::make_shared<MessageChannel>(core_);
    const auto to = sip::NameAddress::parse(request.to());
    channel->to = to ? std::string(to->uri) : std::string(request.to());
    channel->from = sender_of(request);
    channel->body = request.body();
    channel->caller.number = caller;
    for (const auto& header : request.headers())
        if (header.id == HeaderId::other)
            channel->data.push_back({std::string(header.name), std::string(header.value)});
    channel->data.push_back({"PJSIP_RECVADDR", received->flow().remote.text()});
    channel->data.push_back({"PJSIP_TRANSPORT", std::string(via_name(received->flow().transport))});
    for (const auto& [name, value] : endpoint.set_var) (void)channel->assign(name, value);
    channel->set_position({context, exten, 1});
    waiting_.push_back(std::move(channel));
    if (!has_turn_) next();
    return 202;
}

void Messages::next() {
    has_turn_ = nullptr;
    if (waiting_.empty()) return;
    auto channel = std::move(waiting_.front());
    waiting_.pop_front();
    has_turn_ = channel.get();
    ++running_;
    channel->let_pass = [this, which = channel.get()] {
        if (has_turn_ == which) next();
    };
    core_.tasks.spawn(run(std::move(channel)));
}

Task<> Messages::run(std::shared_ptr<MessageChannel> channel) {
    co_await core_.loop.sleep(std::chrono::microseconds{1});  // the 202 goes out before
    core_.channels.add(channel);
    channel->has_dialplan = true;
    (void)co_await dialplan::Machine::run(*channel);
    channel->hangup(Cause::normal_clearing);
    co_await dialplan::Machine::run_hangup(*channel);
    channel->has_dialplan = false;
    core_.channels.remove(*channel);
    --running_;
    channel->let_pass();
}

void add_message_application(dialplan::Applications& applications) {
    applications.add(
        "MessageSend",
        "MessageSend(destination[,from[,to]]): send the message on; MESSAGE_SEND_STATUS",
        [](Call& call, std::string_view args) { return message_send(call, args); });
}

void add_message_functions(dialplan::Functions& functions) {
    functions.add(
        "MESSAGE", "MESSAGE(to|from|body): of the message that this dialplan runs for",
        [](Call& call, std::string_view name) -> Result<std::string> {
            auto* message = message_of(call);
            if (!message) return fail("MESSAGE() works on message channels only");
            if (const auto* text = field(*message, trim(name))) return *text;
            return fail("MESSAGE() knows to, from and body, not '{}'", name);
        },
        [](Call& call, std::string_view name, std::string_view value) -> Result<> {
            auto* message = message_of(call);
            if (!message) return fail("MESSAGE() works on message channels only");
            auto* text = field(*message, trim(name));
            if (!text) return fail("MESSAGE() knows to, from and body, not '{}'", name);
            if (value.size() > Messages::max_body)
                return fail("a message has {} bytes at most", Messages::max_body);
            *text = value;
            return {};
        });
    functions.add(
        "MESSAGE_DATA", "MESSAGE_DATA(name): a header of the message",
        [](Call& call, std::string_view name) -> Result<std::string> {
            if (const auto* message = message_of(call))
                for (const auto& line : message->data)
                    if (iequals(line.name, trim(name))) return line.value;
            return std::string();
        },
        [](Call& call, std::string_view name, std::string_view value) -> Result<> {
            static constexpr std::size_t max_lines = 256;
            auto* message = message_of(call);
            if (!message) return fail("MESSAGE_DATA() works on message channels only");
            std::erase_if(message->data, [&](const sip::HeaderLine& line) {
                return iequals(line.name, trim(name));
            });
            if (message->data.size() >= max_lines)
                return fail("a message has {} data lines at most", max_lines);
            message->data.push_back({std::string(trim(name)), std::string(value)});
            return {};
        });
}

}  // namespace strowger::pbx
