// pjsip_wizard.conf: one section stands for an endpoint with all that belongs to it.

#include <algorithm>

#include "pbx/config/schemas.hpp"
#include "pbx/config/sections.hpp"

namespace strowger::pbx::config {

namespace {

struct Wizard {
    std::string name;
    ini::Place place;

    std::string transport;
    std::vector<std::string> remote_hosts;
    std::string outbound_proxy;
    bool sends_auth = false;
    bool accepts_auth = false;
    bool sends_registrations = false;
    bool accepts_registrations = false;
    bool sends_line_with_registrations = false;
    bool has_hint = false;
    std::string hint_exten;
    std::string hint_context;
    std::string hint_application;
    std::string server_uri_pattern = "sip:${REMOTE_HOST}";
    std::string client_uri_pattern = "sip:${USERNAME}@${REMOTE_HOST}";
    std::string contact_pattern = "sip:${REMOTE_HOST}";
};

const Schema<Wizard>& wizard_schema() {
    using W = Wizard;
    static const auto schema =
        Schema<W>()
            .text("transport", &W::transport)
            .list("remote_hosts", &W::remote_hosts)
            .text("outbound_proxy", &W::outbound_proxy)
            .boolean("sends_auth", &W::sends_auth)
            .boolean("accepts_auth", &W::accepts_auth)
            .boolean("sends_registrations", &W::sends_registrations)
            .boolean("accepts_registrations", &W::accepts_registrations)
            .boolean("sends_line_with_registrations", &W::sends_line_with_registrations)
            .boolean("has_hint", &W::has_hint)
            .text("hint_exten", &W::hint_exten)
            .text("hint_context", &W::hint_context)
            .text("hint_application", &W::hint_application)
            .text("server_uri_pattern", &W::server_uri_pattern)
            .text("client_uri_pattern", &W::client_uri_pattern)
            .text("contact_pattern", &W::contact_pattern)
            .ignore({"type", "has_phoneprov"});
    return schema;
}

std::string filled(std::string pattern, std::string_view name, std::string_view value) {
    for (auto at = pattern.find(name); at != std::string::npos;
         at = pattern.find(name, at + value.size()))
        pattern.replace(at, name.size(), value);
    return pattern;
}

// Expands one section; every `kind/option` goes to its object with the prefix taken off.
class Expansion {
public:
    Expansion(const ini::Section& section, Configuration& configuration)
        : section_(section), c_(configuration), d_(configuration.diagnostics) {
        wizard_.name = section.name;
        wizard_.place = section.place;
    }

    void run() {
        read_own_keys();
        if (!is_usable()) return;
        make_endpoint();
        make_aor();
        make_auths();
        make_identify();
        make_registrations();
        make_hint();
    }

private:
    void read_own_keys() {
        for (const auto& entry : section_.entries) {
            const auto slash = entry.key.find('/');
            if (slash == std::string_view::npos) {
                wizard_schema().apply(wizard_, c_.pjsip_wizard, entry, d_);
                continue;
            }
            static const std::vector<std::string_view> kinds{
                "endpoint", "aor",          "inbound_auth", "outbound_auth",
                "identify", "registration", "phoneprov"};
            const auto kind = entry.key.substr(0, slash);
            if (std::none_of(kinds.begin(), kinds.end(), [&](auto k) { return iequals(k, kind); }))
                d_.warn(file(entry), entry.place.line, fmt::format("unknown key '{}'", entry.key),
                        std::string(nearest(kind, kinds).value_or("")));
        }
    }

    bool is_usable() {
        if (wizard_.accepts_auth && option("inbound_auth/username").empty())
            return refuse("accepts_auth=yes needs inbound_auth/username");
        if (needs_identify() && wizard_.remote_hosts.empty() && option("identify/match").empty())
            return refuse("remote_hosts is needed unless accepts_registrations=yes");
        if (wizard_.sends_registrations && wizard_.remote_hosts.empty())
            return refuse("sends_registrations=yes needs remote_hosts");
        return true;
    }

    bool refuse(std::string why) {
        d_.error(c_.pjsip_wizard.file(section_.place), section_.place.line,
                 fmt::format("[{}]: {}", section_.name, why));
        return false;
    }

    bool needs_identify() const {
        return !wizard_.accepts_registrations && !wizard_.sends_line_with_registrations;
    }

    std::string option(std::string_view key) const {
        return std::string(section_.get(key).value_or(""));
    }

    const std::string& file(const ini::Entry& entry) const {
        return c_.pjsip_wizard.file(entry.place);
    }

    template <typename Object>
    void apply(Object& object, std::string_view prefix, const Schema<Object>& schema) {
        for (const auto& entry : section_.entries) {
            if (!istarts_with(entry.key, prefix)) continue;
            schema.apply(object, c_.pjsip_wizard,
                         {entry.key.substr(prefix.size()), entry.value, entry.place}, d_);
        }
    }

    template <typename Object>
    Object made(std::string name) {
        Object object;
        object.name = std::move(name);
        object.place = section_.place;
        if constexpr (requires { object.from_wizard; }) object.from_wizard = true;
        return object;
    }

    template <typename Object>
    void add(Objects<Object>& objects, Object object) {
        const auto name = object.name;
        if (!objects.add(std::move(object)))
            refuse(fmt::format("there is another object '{}' of this kind", name));
    }

    void make_endpoint() {
        auto endpoint = made<Endpoint>(wizard_.name);
        apply(endpoint, "endpoint/", endpoint_schema());
        if (endpoint.aors.empty()) endpoint.aors = {wizard_.name};
        if (wizard_.accepts_auth) endpoint.auth = {wizard_.name + "-iauth"};
        if (wizard_.sends_auth) endpoint.outbound_auth = {wizard_.name + "-oauth"};
        if (!wizard_.transport.empty()) endpoint.transport = wizard_.transport;
        if (!wizard_.outbound_proxy.empty()) endpoint.outbound_proxy = wizard_.outbound_proxy;
        for (const auto& entry : section_.entries) {
            static constexpr std::string_view prefix = "endpoint/";
            if (istarts_with(entry.key, prefix))
                endpoint.raw.push_back({entry.key.substr(prefix.size()), entry.value});
            else if (iequals(entry.key, "transport") || iequals(entry.key, "outbound_proxy"))
                endpoint.raw.push_back({entry.key, entry.value});
        }
        if (wizard_.hint_context.empty()) wizard_.hint_context = endpoint.context;
        endpoint.raw.push_back({"@pjsip_wizard", section_.name});
        if (const auto exten = section_.get("hint_exten"); wizard_.has_hint && exten) {
            endpoint.raw.push_back({"@hint_exten", *exten});
            // Borrowed from the document like the others; the endpoint's own context likewise.
            const auto* context = section_.find("hint_context");
            if (!context) context = section_.find("endpoint/context");
            endpoint.raw.push_back({"@hint_context", context ? context->value : "default"});
        }
        complete(endpoint);
        add(c_.endpoints, std::move(endpoint));
    }

    void make_aor() {
        auto aor = made<Aor>(wizard_.name);
        apply(aor, "aor/", aor_schema());
        if (aor.contact.empty())
            for (const auto& host : wizard_.remote_hosts)
                aor.contact.push_back(filled(wizard_.contact_pattern, "${REMOTE_HOST}", host));
        if (aor.outbound_proxy.empty()) aor.outbound_proxy = wizard_.outbound_proxy;
        add(c_.aors, std::move(aor));
    }

    void make_auths() {
        if (wizard_.accepts_auth) {
            auto auth = made<Auth>(wizard_.name + "-iauth");
            apply(auth, "inbound_auth/", auth_schema());
            add(c_.auths, std::move(auth));
        }
        if (wizard_.sends_auth) {
            auto auth = made<Auth>(wizard_.name + "-oauth");
            apply(auth, "outbound_auth/", auth_schema());
            if (auth.username.empty()) auth.username = wizard_.name;
            add(c_.auths, std::move(auth));
        }
    }

    void make_identify() {
        if (!needs_identify()) return;
        auto identify = made<Identify>(wizard_.name + "-identify");
        apply(identify, "identify/", identify_schema());
        if (identify.match.empty() && identify.match_names.empty())
            for (const auto& host : wizard_.remote_hosts)
                identify_schema().apply(identify, c_.pjsip_wizard,
                                        {"match", host_of(host), section_.place}, d_);
        identify.endpoint = wizard_.name;
        add(c_.identifies, std::move(identify));
    }

    // "host:port" without its port: identification is by address only.
    static std::string_view host_of(std::string_view host) {
        if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
        const auto colon = host.find(':');
        const bool one = colon != std::string_view::npos && host.find(':', colon + 1) == host.npos;
        return one ? host.substr(0, colon) : host;
    }

    void make_registrations() {
        if (!wizard_.sends_registrations) return;
        auto username = option("outbound_auth/username");
        if (username.empty()) username = wizard_.name;
        for (std::size_t i = 0; i < wizard_.remote_hosts.size(); ++i) {
            const auto& host = wizard_.remote_hosts[i];
            auto registration = made<Registration>(fmt::format("{}-reg-{}", wizard_.name, i));
            apply(registration, "registration/", registration_schema());
            const auto fill = [&](const std::string& pattern) {
                return filled(filled(pattern, "${REMOTE_HOST}", host), "${USERNAME}", username);
            };
            if (registration.server_uri.empty())
                registration.server_uri = fill(wizard_.server_uri_pattern);
            if (registration.client_uri.empty())
                registration.client_uri = fill(wizard_.client_uri_pattern);
            if (wizard_.sends_auth) registration.outbound_auth = {wizard_.name + "-oauth"};
            if (!wizard_.transport.empty()) registration.transport = wizard_.transport;
            if (!wizard_.outbound_proxy.empty())
                registration.outbound_proxy = wizard_.outbound_proxy;
            if (wizard_.sends_line_with_registrations) {
                registration.line = true;
                registration.endpoint = wizard_.name;
            }
            add(c_.registrations, std::move(registration));
        }
    }

    void make_hint() {
        if (!wizard_.has_hint || wizard_.hint_exten.empty()) return;
        c_.hints.push_back({wizard_.hint_context, wizard_.hint_exten, wizard_.name,
                            wizard_.hint_application, c_.pjsip_wizard.file(section_.place),
                            section_.place.line});
    }

    const ini::Section& section_;
    Configuration& c_;
    ini::Diagnostics& d_;
    Wizard wizard_;
};

}  // namespace

void read_wizards(Configuration& configuration) {
    for (const auto* section : configuration.pjsip_wizard.sections()) {
        if (iequals(section->get("type").value_or(""), "wizard"))
            Expansion(*section, configuration).run();
        else
            configuration.diagnostics.warn(
                configuration.pjsip_wizard.file(section->place), section->place.line,
                fmt::format("[{}] is not of type=wizard; ignored", section->name));
    }
}

}  // namespace strowger::pbx::config
