#include "pbx/outside_request.hpp"

#include "io/completion.hpp"
#include "pbx/credentials.hpp"
#include "pbx/own_address.hpp"
#include "wire/sip/builder.hpp"

namespace strowger::pbx {

namespace {

using sip::HeaderId;
using Outcome = Result<sip::ReceivedPtr>;

std::string text_of(const Core& core, const OutsideRequest& request, std::string_view from_tag,
                    std::string_view call_id, std::uint32_t cseq, const Answer* credentials) {
    auto builder = sip::Builder::request(request.method, request.uri);
    for (const auto& route : request.route) builder.header(HeaderId::route, route);
    builder.header(HeaderId::max_forwards, std::uint64_t{core.config->global.max_forwards})
        .header(HeaderId::from, fmt::format("{};tag={}", request.from, from_tag))
        .header(HeaderId::to, request.to)
        .header(HeaderId::call_id, call_id)
        .header(HeaderId::cseq, fmt::format("{} {}", cseq, request.method));
    if (credentials) builder.header(credentials->header, credentials->value);
    for (const auto& line : request.extra) builder.header(line.name, line.value);
    if (!core.config->global.user_agent.empty())
        builder.header(HeaderId::user_agent, core.config->global.user_agent);
    return std::move(builder).finish(request.body, request.content_type);
}

// One attempt: an owner of its own takes the events of the transaction.
Task<Outcome> attempt(Core& core, std::string text, sip::Flow flow) {
    io::Completion<Outcome> done;
    const auto owner = core.signalling.attach([done](const sip::TransactionEvent& event) {
        if (const auto* response = std::get_if<sip::ResponseReceived>(&event)) {
            if (response->response->message().status() >= 200) done.resolve(response->response);
        } else if (std::holds_alternative<sip::ClientTimeout>(event)) {
            done.resolve(fail_with(408, "nobody answered"));
        } else if (std::holds_alternative<sip::TransportFailed>(event)) {
            done.resolve(fail_with(503, "the connection failed"));
        }
    });
    const auto sent = core.signalling.layer().send_request(std::move(text), flow, core.now(), owner,
                                                           own_address(core, flow));
    if (!sent) {
        core.signalling.detach(owner);
        co_return std::unexpected(sent.error());
    }
    core.signalling.touch();
    auto outcome = co_await done;
    core.signalling.detach(owner);
    co_return outcome;
}

// RFC 3263 section 4.3: the next server may do what this one could not.
bool is_server_failure(const Outcome& outcome) {
    return outcome ? (*outcome)->message().status() == 503
                   : outcome.error().code() == 408 || outcome.error().code() == 503;
}

Task<Outcome> send_to_server(Core& core, const OutsideRequest& request) {
    const auto call_id = core.random.token(24);
    const auto tag = core.random.token(10);
    std::string first = text_of(core, request, tag, call_id, 1, nullptr);
    auto outcome = co_await attempt(core, std::move(first), request.flow);
    if (!outcome) co_return outcome;
    const auto status = (*outcome)->message().status();
    if ((status != 401 && status != 407) || request.auths.empty()) co_return outcome;
    const auto answer = answer_challenges(*core.config, request.auths, (*outcome)->message(),
                                          request.method, request.uri, core.random, request.body);
    if (!answer) co_return std::unexpected(answer.error());
    std::string second = text_of(core, request, tag, call_id, 2, &*answer);
    co_return co_await attempt(core, std::move(second), request.flow);
}

}  // namespace

Task<Outcome> send_outside_dialog(Core& core, OutsideRequest request) {
    auto outcome = co_await send_to_server(core, request);
    for (const auto& next : request.others) {
        if (!is_server_failure(outcome)) break;
        request.flow = next;
        outcome = co_await send_to_server(core, request);
    }
    co_return outcome;
}

}  // namespace strowger::pbx
