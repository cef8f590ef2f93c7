#include <algorithm>
#include <nlohmann/json.hpp>

#include "echo/client.hpp"
#include "io/clock.hpp"

namespace strowger::echo {

namespace {

constexpr Duration retry_interval = std::chrono::milliseconds{100};

using Json = nlohmann::json;

Result<std::string> read_body(const io::HttpResponse& response) {
    if (response.status != 200) {
        return fail("the server answered {}: {}", response.status, response.body.substr(0, 200));
    }
    const auto json = Json::parse(response.body, nullptr, false);
    if (!json.is_object() || !json.contains("sdp") || !json["sdp"].is_string() ||
        json.value("type", "") != "answer") {
        return fail("the server's answer is no session description in JSON");
    }
    return json["sdp"].get<std::string>();
}

}  // namespace

Caller::Caller(io::Loop& loop, const Options& options)
    : loop_(loop), options_(options), resolver_(loop, {}) {}

Result<std::unique_ptr<Caller>> Caller::make(io::Loop& loop, const Options& options) {
    if (!io::parse_http_url(options.url)) {
        return fail("'{}' is no http or https URL", options.url);
    }
    std::unique_ptr<Caller> caller(new Caller(loop, options));
    auto identity = dtls::Identity::make(
        dtls::Certificate::self_signed(dtls::Certificate::Key::ecdsa_p256, io::wall_now()));
    if (!identity) return std::unexpected(identity.error());
    caller->identity_ = *identity;
    media::WebrtcHost::Options host_options{
        .bind = {IpAddress::any_v6(), 0}, .max_sessions = options.max_calls, .port_each = true};
    auto host = media::WebrtcHost::start(loop, host_options);
    if (!host) {  // a machine without IPv6
        host_options.bind.ip = IpAddress::any_v4();
        host = media::WebrtcHost::start(loop, host_options);
    }
    if (!host) return std::unexpected(host.error());
    caller->host_ = std::move(*host);
    io::HttpClient::Options http{.max_body = 1 << 20, .timeout = options.limit};
    if (options.insecure) {
        auto tls = io::TlsContext::client({.verify_peer = false});
        if (!tls) return std::unexpected(tls.error());
        http.tls = *tls;
    }
    caller->http_ = std::make_unique<io::HttpClient>(loop, caller->resolver_, http);
    return caller;
}

Result<Call*> Caller::call(const Call::Plan& plan, std::function<void(const Error&)> failed) {
    auto user = std::make_unique<Call>(*host_, plan);
    Call* call = user.get();
    const auto id = host_->open(client_config(plan.kind, identity_), std::move(user), true);
    if (!id) return std::unexpected(id.error());
    call->begin(*id);
    calls_.push_back(*id);
    tasks_.spawn(run(*id, std::move(failed)));
    return call;
}

Task<> Caller::run(media::WebrtcHost::SessionId id, std::function<void(const Error&)> failed) {
    const bool local = co_await is_local();
    // The session may have ended while we waited, and its place may have another.
    const auto call = [&] { return dynamic_cast<Call*>(host_->user(id)); };
    if (!call()) co_return;
    auto offer = call()->offer(local, identity_->fingerprint());
    const auto sdp = co_await exchange(std::move(offer));
    if (!call()) co_return;
    auto answered = sdp ? call()->answer(*sdp) : std::unexpected(sdp.error());
    if (!answered) failed(answered.error());
}

Task<bool> Caller::is_local() {
    const auto found = co_await resolver_.addresses(io::parse_http_url(options_.url)->host);
    co_return found && !found->empty() && found->front().is_loopback();
}

Task<Result<std::string>> Caller::exchange(std::string offer) {
    const auto body = Json{{"type", "offer"}, {"sdp", std::move(offer)}}.dump();
    const Time give_up = loop_.now() + start_patience;
    for (;;) {
        const auto response = co_await post(body);
        if (response) co_return read_body(*response);
        if (loop_.now() + retry_interval > give_up) co_return std::unexpected(response.error());
        co_await loop_.sleep(retry_interval);
    }
}

Task<Result<io::HttpResponse>> Caller::post(std::string body) {
    io::HttpClient::Request request;
    request.method = "POST";
    request.url = options_.url;
    request.headers.add("Content-Type", "application/json");
    request.body = std::move(body);
    auto response = co_await http_->fetch(std::move(request));
    co_return response;
}

void Caller::hang_up() {
    for (const auto id : std::exchange(calls_, {})) host_->end(id);
    (void)loop_.run_until([&] { return host_->size() == 0; }, std::chrono::seconds{1});
    host_->flush();
}

}  // namespace strowger::echo
