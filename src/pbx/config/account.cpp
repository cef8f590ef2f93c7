#include "pbx/config/account.hpp"

#include <algorithm>

#include "pbx/config/schemas.hpp"

namespace strowger::pbx::config {

namespace {

constexpr unsigned longest = 2'000'000'000;  // seconds; longer means for ever to anybody

// The wall between an address and a host name: names are resolved later, and again over time.
Result<> take_match(Identify& identify, std::string_view value) {
    for (auto part : split(value, ',')) {
        part = trim(part);
        if (part.empty()) continue;
        if (auto network = Cidr::parse(part)) {
            identify.match.push_back(*network);
        } else if (const auto address = SocketAddress::parse(part)) {
            identify.match.push_back(*Cidr::parse(address->ip.text()));
        } else if (part.find('/') != std::string_view::npos ||
                   part.find(' ') != std::string_view::npos) {
            return fail("expected an address, network or host name, got '{}'", part);
        } else {
            identify.match_names.emplace_back(part);
        }
    }
    return {};
}

}  // namespace

const Schema<Aor>& aor_schema() {
    static const auto schema =
        Schema<Aor>()
            .on("contact",
                [](Aor& aor, std::string_view value) -> Result<> {
                    if (!istarts_with(value, "sip:") && !istarts_with(value, "sips:"))
                        return fail("expected a SIP URI, got '{}'", value);
                    aor.contact.emplace_back(value);
                    return {};
                })
            .number("max_contacts", &Aor::max_contacts, 0u, 100'000u)
            .boolean("remove_existing", &Aor::remove_existing)
            .boolean("remove_unavailable", &Aor::remove_unavailable)
            .number("default_expiration", &Aor::default_expiration, 1u, longest)
            .number("minimum_expiration", &Aor::minimum_expiration, 0u, longest)
            .number("maximum_expiration", &Aor::maximum_expiration, 1u, longest)
            .number("qualify_frequency", &Aor::qualify_frequency, 0u, 86400u)
            .number("qualify_timeout", &Aor::qualify_timeout, 0.0, 86400.0)
            .boolean("qualify_2xx_only", &Aor::qualify_2xx_only)
            .boolean("authenticate_qualify", &Aor::authenticate_qualify)
            .text("outbound_proxy", &Aor::outbound_proxy)
            .boolean("support_path", &Aor::support_path)
            .list("mailboxes", &Aor::mailboxes)
            .text("voicemail_extension", &Aor::voicemail_extension);
    return schema;
}

const Schema<Auth>& auth_schema() {
    using T = Auth::Type;
    static const auto schema =
        Schema<Auth>()
            .choice<T>("auth_type", &Auth::auth_type,
                       {{"userpass", T::userpass}, {"md5", T::md5}, {"digest", T::digest}})
            .text("username", &Auth::username)
            .text("password", &Auth::password)
            .on("md5_cred",
                [](Auth& auth, std::string_view value) -> Result<> {
                    const bool hex = std::all_of(value.begin(), value.end(), [](char c) {
                        return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
                    });
                    if (value.size() != 32 || !hex)
                        return fail("expected 32 hexadecimal digits, got {} characters",
                                    value.size());
                    auth.md5_cred = to_lower(value);
                    return {};
                })
            .on("password_digest",
                [](Auth& auth, std::string_view value) -> Result<> {
                    if (value.find(':') == std::string_view::npos)
                        return fail("expected ALGORITHM:hash");
                    auth.password_digest.emplace_back(value);
                    return {};
                })
            .text("realm", &Auth::realm)
            .number("nonce_lifetime", &Auth::nonce_lifetime, 1u, 86400u)
            .list("supported_algorithms_uac", &Auth::supported_algorithms_uac)
            .list("supported_algorithms_uas", &Auth::supported_algorithms_uas)
            .ignore({"oauth_clientid", "oauth_secret", "refresh_token"});
    return schema;
}

const Schema<Identify>& identify_schema() {
    static const auto schema = Schema<Identify>()
                                   .text("endpoint", &Identify::endpoint)
                                   .on("match", take_match)
                                   .boolean("srv_lookups", &Identify::srv_lookups)
                                   .text("match_header", &Identify::match_header)
                                   .text("match_request_uri", &Identify::match_request_uri)
                                   .ignore({"transport"});
    return schema;
}

}  // namespace strowger::pbx::config
