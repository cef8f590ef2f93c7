#include "pbx/credentials.hpp"

#include <optional>

#include "base/text.hpp"
#include "wire/sip/auth.hpp"
#include "wire/sip/digest.hpp"

namespace strowger::pbx {

namespace {

// What that object can prove itself with under the challenge's hash.
std::optional<sip::Secret> secret_for(const config::Auth& auth, std::string_view algorithm) {
    if (auth.auth_type == config::Auth::Type::userpass) return sip::Secret::password(auth.password);
    const auto wanted = sip::algorithm_by_name(algorithm);
    if (!wanted) return std::nullopt;
    const bool md5 = *wanted == sip::Algorithm::md5 || *wanted == sip::Algorithm::md5_sess;
    if (md5 && !auth.md5_cred.empty()) return sip::Secret::ha1(auth.md5_cred);
    for (const auto& entry : auth.password_digest) {
        const auto [name, hash] = split_once(entry, ':');
        const auto has = sip::algorithm_by_name(name);
        // The -sess variants start from the hash of their plain ones.
        if (has && name_of(*wanted).starts_with(name_of(*has))) return sip::Secret::ha1(hash);
    }
    return std::nullopt;
}

}  // namespace

Result<Answer> answer_challenges(const config::Configuration& config,
                                 const std::vector<std::string>& auths,
                                 const sip::Message& response, std::string_view method,
                                 std::string_view uri, Random& random, std::string_view body) {
    const bool proxy = response.status() == 407;
    const auto wanted = proxy ? sip::HeaderId::proxy_authenticate : sip::HeaderId::www_authenticate;
    std::string why = "the response carries no challenge";
    for (const auto& header : response.headers()) {
        if (header.id != wanted) continue;
        const auto challenge = sip::Challenge::parse(header.value);
        if (!challenge) {
            why = challenge.error().text();
            continue;
        }
        if (auths.empty()) return fail("no outbound_auth is set (realm '{}')", challenge->realm);
        for (const auto& name : auths) {
            const auto* auth = config.auths.find(name);
            if (!auth) {
                why = fmt::format("there is no auth object '{}'", name);
                continue;
            }
            if (!auth->realm.empty() && auth->realm != "*" && auth->realm != challenge->realm) {
                why = fmt::format("auth '{}' is for realm '{}' and '{}' is asked for", name,
                                  auth->realm, challenge->realm);
                continue;
            }
            const auto secret = secret_for(*auth, challenge->algorithm);
            if (!secret) {
                why = fmt::format("auth '{}' has no hash for algorithm '{}'", name,
                                  challenge->algorithm);
                continue;
            }
            auto value = sip::answer_challenge(*challenge, auth->username, *secret, method, uri,
                                               random.token(16), 1, body);
            if (value)
                return Answer{
                    proxy ? sip::HeaderId::proxy_authorization : sip::HeaderId::authorization,
                    std::move(*value), challenge->stale};
            why = value.error().text();
        }
    }
    return fail("{}", why);
}

}  // namespace strowger::pbx
