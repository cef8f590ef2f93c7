// pjsip.conf: one object a section, its kind by `type`.

#include "pbx/config/schemas.hpp"
#include "pbx/config/sections.hpp"

namespace strowger::pbx::config {

namespace {

template <typename Object>
void add(Objects<Object>& objects, Object object, const ini::Document& document,
         ini::Diagnostics& diagnostics) {
    const auto place = object.place;
    const auto name = object.name;
    if (!objects.add(std::move(object)))
        diagnostics.error(document.file(place), place.line,
                          fmt::format("there is another '{}' of this type", name));
}

template <typename Object>
Object read(const ini::Section& section, const Schema<Object>& schema,
            Configuration& configuration) {
    Object object;
    object.name = section.name;
    object.place = section.place;
    schema.apply(object, configuration.pjsip, section, configuration.diagnostics);
    return object;
}

void finish(Transport& transport, Configuration& configuration) {
    if (transport.bind.port == 0)
        transport.bind.port = transport.protocol == Transport::Protocol::tls ? 5061 : 5060;
    (void)configuration;
}

void read_section(const ini::Section& section, Configuration& c) {
    const auto& document = c.pjsip;
    auto& d = c.diagnostics;
    const auto type = section.get("type").value_or("");
    if (iequals(type, "transport")) {
        auto transport = read(section, transport_schema(), c);
        finish(transport, c);
        add(c.transports, std::move(transport), document, d);
    } else if (iequals(type, "endpoint")) {
        auto endpoint = read(section, endpoint_schema(), c);
        for (const auto& entry : section.entries) endpoint.raw.push_back({entry.key, entry.value});
        complete(endpoint);
        add(c.endpoints, std::move(endpoint), document, d);
    } else if (iequals(type, "aor")) {
        add(c.aors, read(section, aor_schema(), c), document, d);
    } else if (iequals(type, "auth")) {
        add(c.auths, read(section, auth_schema(), c), document, d);
    } else if (iequals(type, "identify")) {
        add(c.identifies, read(section, identify_schema(), c), document, d);
    } else if (iequals(type, "registration")) {
        add(c.registrations, read(section, registration_schema(), c), document, d);
    } else if (iequals(type, "acl")) {
        add(c.acls, read(section, acl_schema(), c), document, d);
    } else if (iequals(type, "domain_alias")) {
        add(c.domain_aliases, read(section, domain_alias_schema(), c), document, d);
    } else if (iequals(type, "global")) {
        global_schema().apply(c.global, document, section, d);
    } else if (iequals(type, "system")) {
        system_schema().apply(c.system, document, section, d);
    } else if (type.empty()) {
        d.warn(document.file(section.place), section.place.line,
               fmt::format("[{}] has no type; ignored", section.name));
    } else if (!iequals(type, "contact") && !iequals(type, "resource_list") &&
               !iequals(type, "outbound-publish") && !iequals(type, "inbound-publication") &&
               !iequals(type, "asterisk-publication") && !iequals(type, "phoneprov")) {
        const auto near =
            nearest(type, {"transport", "endpoint", "aor", "auth", "identify", "registration",
                           "acl", "domain_alias", "global", "system"});
        d.warn(document.file(section.place), section.place.line,
               fmt::format("[{}] has an unknown type '{}'; ignored", section.name, type),
               std::string(near.value_or("")));
    }
}

// Every name in `wanted` must be in `objects`.
template <typename Object>
void check(const std::vector<std::string>& wanted, const Objects<Object>& objects,
           std::string_view what, const std::string& file, unsigned line, ini::Diagnostics& d) {
    for (const auto& name : wanted) {
        if (name.empty() || objects.find(name)) continue;
        std::vector<std::string_view> names;
        if (d.wants_suggestions())
            for (const auto& object : objects) names.push_back(object.name);
        d.warn(file, line, fmt::format("there is no {} '{}'", what, name),
               std::string(nearest(name, names).value_or("")));
    }
}

}  // namespace

void read_pjsip(Configuration& configuration) {
    for (const auto* section : configuration.pjsip.sections())
        read_section(*section, configuration);
}

void check_references(Configuration& c) {
    auto& d = c.diagnostics;
    for (const auto& endpoint : c.endpoints) {
        const auto& file = (endpoint.from_wizard ? c.pjsip_wizard : c.pjsip).file(endpoint.place);
        const auto line = endpoint.place.line;
        check(endpoint.aors, c.aors, "aor", file, line, d);
        check(endpoint.auth, c.auths, "auth", file, line, d);
        check(endpoint.outbound_auth, c.auths, "auth", file, line, d);
        check({endpoint.transport}, c.transports, "transport", file, line, d);
        check(endpoint.acl, c.acls, "acl", file, line, d);
        check(endpoint.contact_acl, c.acls, "acl", file, line, d);
    }
    for (const auto& identify : c.identifies) {
        const auto& file = (identify.from_wizard ? c.pjsip_wizard : c.pjsip).file(identify.place);
        check({identify.endpoint}, c.endpoints, "endpoint", file, identify.place.line, d);
    }
    for (const auto& registration : c.registrations) {
        const auto& file =
            (registration.from_wizard ? c.pjsip_wizard : c.pjsip).file(registration.place);
        const auto line = registration.place.line;
        check(registration.outbound_auth, c.auths, "auth", file, line, d);
        check({registration.endpoint}, c.endpoints, "endpoint", file, line, d);
        check({registration.transport}, c.transports, "transport", file, line, d);
    }
}

}  // namespace strowger::pbx::config
