#include "broker/cloud_token.hpp"

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "io/file.hpp"
#include "io/signature.hpp"

namespace strowger::broker {

namespace {

using Json = nlohmann::json;

constexpr auto lifetime = std::chrono::hours{1};
constexpr auto margin = std::chrono::minutes{1};
constexpr std::size_t max_file = 64 << 10;

std::int64_t seconds_of(WallTime at) {
    return std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
}

// Base64 for URLs (RFC 7515 section 2).
std::string encoded(Bytes bytes) {
    auto text = to_base64(bytes, Padding::omitted);
    for (auto& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return text;
}

std::string text_in(const Json& json, const char* name) {
    const auto at = json.find(name);
    return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
}

}  // namespace

Result<CloudToken> CloudToken::read(const std::string& file, std::string audience) {
    const auto text = io::read_file(file, max_file);
    if (!text) return std::unexpected(text.error());
    const auto json = Json::parse(*text, nullptr, false);
    if (!json.is_object()) return fail("{} is no JSON of an account's key", file);
    CloudToken made;
    made.email_ = text_in(json, "client_email");
    made.key_ = text_in(json, "private_key");
    made.uri_ = text_in(json, "token_uri");
    made.audience_ = std::move(audience);
    for (const auto& [name, value] : {std::pair{"client_email", &made.email_},
                                      {"private_key", &made.key_},
                                      {"token_uri", &made.uri_}})
        if (value->empty()) return fail("{}: {} is missing", file, name);
    if (auto key = io::sign_rs256(made.key_, ""); !key)
        return fail("{}: private_key: {}", file, key.error().text());
    return made;
}

Result<std::string> CloudToken::assertion(WallTime now) const {
    const Json header{{"alg", "RS256"}, {"typ", "JWT"}};
    const Json claims{{"iss", email_},
                      {"sub", email_},
                      {"aud", uri_},
                      {"target_audience", audience_},
                      {"iat", seconds_of(now)},
                      {"exp", seconds_of(now + lifetime)}};
    auto text = encoded(as_bytes(header.dump())) + "." + encoded(as_bytes(claims.dump()));
    auto signature = io::sign_rs256(key_, text);
    if (!signature) return std::unexpected(signature.error());
    return text + "." + encoded(as_bytes(*signature));
}

Task<Result<std::string>> CloudToken::get(io::HttpClient& client, WallTime now) {
    if (!token_.empty() && now + margin < ends_) co_return token_;
    auto signed_text = assertion(now);
    if (!signed_text) co_return std::unexpected(signed_text.error());
    io::HttpClient::Request request{.method = "POST", .url = uri_};
    request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    request.body = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" +
                   *signed_text;
    auto answer = co_await client.fetch(std::move(request));
    if (!answer) co_return fail("no token: {}", answer.error().text());
    const auto json = Json::parse(answer->body, nullptr, false);
    auto token = json.is_object() ? text_in(json, "id_token") : std::string();
    if (answer->status != 200 || token.empty())
        co_return fail("no token: status {} from {}", answer->status, uri_);
    token_ = std::move(token);
    ends_ = now + lifetime;
    co_return token_;
}

}  // namespace strowger::broker
