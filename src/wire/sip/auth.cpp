#include "wire/sip/auth.hpp"

#include <initializer_list>
#include <utility>

#include "base/text.hpp"
#include "wire/sip/syntax.hpp"

namespace strowger::sip {

namespace {

struct Field {
    std::string_view name;
    std::string_view* place;
};

/// "Scheme name=value, ..." into the named places. Of a scheme that is not Digest only the name is
/// read, as its rest may follow other rules.
Result<> read_fields(std::string_view value, std::string_view& scheme,
                     std::initializer_list<Field> fields) {
    auto rest = syntax::trim_lws(value);
    std::size_t end = 0;
    while (end < rest.size() && syntax::is_token(rest[end])) ++end;
    scheme = rest.substr(0, end);
    if (scheme.empty())
        return fail_with(400, "'{}': expected an authentication scheme", syntax::excerpt(value));
    if (!iequals(scheme, "Digest")) return {};
    rest.remove_prefix(end);
    std::size_t count = 0;
    while (const auto parameter = syntax::take_auth_parameter(rest)) {
        if (++count > max_auth_parameters)
            return fail_with(400, "more than {} digest parameters", max_auth_parameters);
        for (const auto& field : fields) {
            if (!iequals(field.name, parameter->name)) continue;
            // Which of two would count is anybody's guess, so an attacker may not choose.
            if (field.place->data() != nullptr)
                return fail_with(400, "two digest parameters '{}'", field.name);
            *field.place = parameter->value;
        }
    }
    if (!syntax::trim_lws(rest).empty())
        return fail_with(400, "digest parameters: expected NAME=VALUE at '{}'",
                         syntax::excerpt(rest));
    return {};
}

/// What stands unquoted in the grammar may come quoted, but not with anything in it.
bool is_absent_or_token(std::string_view value) { return value.empty() || syntax::is_token(value); }

void append_quoted(std::string& out, std::string_view name, std::string_view value) {
    if (value.data() == nullptr) return;
    if (!out.ends_with(' ')) out += ", ";
    (((out += name) += "=\"") += value) += '"';
}

void append_token(std::string& out, std::string_view name, std::string_view value) {
    if (value.empty()) return;
    if (!out.ends_with(' ')) out += ", ";
    ((out += name) += '=') += value;
}

}  // namespace

Result<Challenge> Challenge::parse(std::string_view value) {
    Challenge challenge;
    std::string_view stale;
    if (auto read = read_fields(value, challenge.scheme,
                                {{"realm", &challenge.realm},
                                 {"nonce", &challenge.nonce},
                                 {"opaque", &challenge.opaque},
                                 {"algorithm", &challenge.algorithm},
                                 {"qop", &challenge.qop},
                                 {"domain", &challenge.domain},
                                 {"stale", &stale}});
        !read)
        return std::unexpected(read.error());
    challenge.stale = iequals(stale, "true");
    if (challenge.is_digest() &&
        (challenge.realm.data() == nullptr || challenge.nonce.data() == nullptr))
        return fail_with(400, "digest challenge without realm or nonce");
    if (!is_absent_or_token(challenge.algorithm))
        return fail_with(400, "digest algorithm '{}'", syntax::excerpt(challenge.algorithm));
    return challenge;
}

bool Challenge::is_digest() const { return iequals(scheme, "Digest"); }

bool Challenge::offers_qop(std::string_view name) const {
    auto rest = qop;
    while (const auto option = syntax::take_value(rest))
        if (iequals(*option, name)) return true;
    return false;
}

std::string Challenge::text() const {
    std::string out(scheme);
    out += ' ';
    append_quoted(out, "realm", realm);
    append_quoted(out, "domain", domain);
    append_quoted(out, "nonce", nonce);
    append_quoted(out, "opaque", opaque);
    if (stale) append_token(out, "stale", "true");
    append_token(out, "algorithm", algorithm);
    append_quoted(out, "qop", qop);
    return out;
}

Result<Credentials> Credentials::parse(std::string_view value) {
    Credentials credentials;
    if (auto read = read_fields(value, credentials.scheme,
                                {{"username", &credentials.username},
                                 {"realm", &credentials.realm},
                                 {"nonce", &credentials.nonce},
                                 {"uri", &credentials.uri},
                                 {"response", &credentials.response},
                                 {"algorithm", &credentials.algorithm},
                                 {"cnonce", &credentials.cnonce},
                                 {"opaque", &credentials.opaque},
                                 {"qop", &credentials.qop},
                                 {"nc", &credentials.nc}});
        !read)
        return std::unexpected(read.error());
    if (!credentials.is_digest()) return credentials;
    for (const auto needed : {credentials.username, credentials.realm, credentials.nonce,
                              credentials.uri, credentials.response})
        if (needed.data() == nullptr)
            return fail_with(400,
                             "digest credentials need username, realm, nonce, uri and response");
    for (const auto token : {credentials.algorithm, credentials.qop, credentials.nc})
        if (!is_absent_or_token(token))
            return fail_with(400, "digest credentials: expected a token, not '{}'",
                             syntax::excerpt(token));
    return credentials;
}

bool Credentials::is_digest() const { return iequals(scheme, "Digest"); }

std::string Credentials::text() const {
    std::string out(scheme);
    out += ' ';
    append_quoted(out, "username", username);
    append_quoted(out, "realm", realm);
    append_quoted(out, "nonce", nonce);
    append_quoted(out, "uri", uri);
    append_quoted(out, "response", response);
    append_token(out, "algorithm", algorithm);
    append_quoted(out, "cnonce", cnonce);
    append_quoted(out, "opaque", opaque);
    append_token(out, "qop", qop);
    append_token(out, "nc", nc);
    return out;
}

}  // namespace strowger::sip
