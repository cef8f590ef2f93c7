#include "wire/sip/refer_to.hpp"

#include "base/text.hpp"
#include "wire/sip/syntax.hpp"

namespace strowger::sip {

Result<ReferTo> ReferTo::parse(std::string_view value) {
    const auto address = NameAddress::parse(value);
    if (!address) return std::unexpected(address.error().within("Refer-To"));
    const auto uri = Uri::parse(address->uri);
    if (!uri) return std::unexpected(uri.error().within("Refer-To"));
    return ReferTo{*address, *uri};
}

std::string_view ReferTo::method() const { return uri.parameter("method").value_or("INVITE"); }

std::optional<std::string> ReferTo::replaces() const { return uri_header(uri, "Replaces"); }

std::string ReferTo::target() const {
    Uri bare = uri;
    bare.headers = {};
    std::string kept;
    auto rest = uri.parameters;
    while (const auto parameter = syntax::take_parameter(rest)) {
        if (iequals(parameter->name, "method")) continue;
        (kept += ';') += parameter->name;
        if (!parameter->value.empty()) (kept += '=') += parameter->value;
    }
    bare.parameters = kept;
    return bare.text();
}

std::optional<std::string> uri_header(const Uri& uri, std::string_view name) {
    auto rest = uri.headers;
    while (!rest.empty()) {
        const auto end = std::min(rest.find('&'), rest.size());
        const auto [key, value] = split_once(rest.substr(0, end), '=');
        if (iequals(unescape(key), name)) return unescape(value);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return std::nullopt;
}

}  // namespace strowger::sip
