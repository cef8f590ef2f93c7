#include <fmt/format.h>

#include "pbx/cli.hpp"
#include "pbx/exchange.hpp"

namespace strowger::pbx {

namespace {

using Arguments = std::vector<std::string>;

std::string_view reach_text(Contact::Reach reach) {
    switch (reach) {
        case Contact::Reach::reachable: return "Avail";
        case Contact::Reach::unreachable: return "Unavail";
        case Contact::Reach::unknown: return "Unknown";
        case Contact::Reach::unqualified: break;
    }
    return "NonQual";
}

std::string contact_line(const std::string& aor, const Contact& contact,
                         std::string_view indent = {}) {
    const auto rtt =
        contact.round_trip > Duration::zero()
            ? fmt::format("{:.3f}",
                          std::chrono::duration<double, std::milli>(contact.round_trip).count())
            : std::string("nan");
    return fmt::format("{}  Contact:  {:56} {:8} {:>10}\n", indent, aor + "/" + contact.uri,
                       reach_text(contact.reach), rtt);
}

std::string show_contacts(Exchange& exchange) {
    std::string text = fmt::format("  Contact:  {:56} {:8} {:>10}\n{:=<100}\n\n",
                                   "<Aor/ContactUri>", "<Status>", "<RTT(ms)>", "");
    std::size_t count = 0;
    std::vector<std::string> names;
    for (const auto& [aor, contacts] : exchange.core().location.all()) names.push_back(aor);
    std::sort(names.begin(), names.end());
    for (const auto& aor : names)
        for (const auto& contact : exchange.core().location.contacts(aor)) {
            text += contact_line(aor, contact);
            ++count;
        }
    return text + fmt::format("\nObjects found: {}\n", count);
}

std::string endpoint_lines(Exchange& exchange, const config::Endpoint& endpoint) {
    const auto& core = exchange.core();
    std::size_t channels = 0;
    for (const auto& channel : core.channels.all())
        if (const auto ep = channel->endpoint(); ep && ep->name == endpoint.name) ++channels;
    std::string state = device_state(core, "PJSIP/" + endpoint.name);
    if (state == "NOT_INUSE") state = "Not in use";
    if (state == "INUSE") state = "In use";
    if (state == "UNAVAILABLE") state = "Unavailable";
    std::string text =
        fmt::format(" Endpoint:  {:52} {:14} {} of inf\n", endpoint.name, state, channels);
    for (const auto& name : endpoint.auth)
        if (const auto* auth = core.config->auths.find(name))
            text += fmt::format("     InAuth:  {}/{}\n", name, auth->username);
    for (const auto& name : endpoint.outbound_auth)
        if (const auto* auth = core.config->auths.find(name))
            text += fmt::format("    OutAuth:  {}/{}\n", name, auth->username);
    for (const auto& name : endpoint.aors) {
        if (const auto* aor = core.config->aors.find(name))
            text += fmt::format("        Aor:  {:50} {}\n", name, aor->max_contacts);
        for (const auto& contact : core.location.contacts(name))
            text += contact_line(name, contact, "    ");
    }
    for (const auto& identify : core.config->identifies) {
        if (identify.endpoint != endpoint.name) continue;
        text += fmt::format("   Identify:  {}\n", identify.name);
        for (const auto& match : identify.match)
            text += fmt::format("        Match: {}\n", match.text());
    }
    for (const auto& channel : core.channels.all())
        if (const auto ep = channel->endpoint(); ep && ep->name == endpoint.name)
            text += fmt::format("    Channel:  {:50} {:8} {}\n", channel->name(),
                                channel->state_text(), channel->last_application);
    return text;
}

Result<std::string> show_endpoints(Exchange& exchange, const Arguments& arguments) {
    std::string text;
    std::size_t count = 0;
    for (const auto& endpoint : exchange.core().config->endpoints) {
        if (!arguments.empty() && !iequals(endpoint.name, arguments.front())) continue;
        text += endpoint_lines(exchange, endpoint) + "\n";
        ++count;
    }
    if (count == 0 && !arguments.empty())
        return fail("Unable to find object {}.\n", arguments.front());
    return text + fmt::format("Objects found: {}\n", count);
}

Result<std::string> show_endpoint(Exchange& exchange, const Arguments& arguments) {
    if (arguments.empty()) return fail("which endpoint?\n");
    auto text = show_endpoints(exchange, arguments);
    if (!text) return text;
    const auto* endpoint = exchange.core().config->endpoints.find(arguments.front());
    if (!endpoint) return text;
    *text += fmt::format("\n {:34} : {}\n {:=<78}\n", "ParameterName", "ParameterValue", "");
    for (const auto& option : endpoint->raw)
        *text += fmt::format(" {:34} : {}\n", option.key,
                             iequals(option.key, "password") ? "***" : option.value);
    return text;
}

std::string show_registrations(Exchange& exchange) {
    std::string text = fmt::format(" {:50} {:24} {}\n{:=<90}\n", "<Registration/ServerURI>",
                                   "<Auth>", "<Status>", "");
    const auto states = exchange.registrations().list();
    for (const auto& state : states) {
        text += fmt::format(" {:50} {:24} {}\n", state.name + "/" + state.server_uri, state.auth,
                            state.status);
        if (!state.detail.empty()) text += fmt::format("     {}\n", state.detail);
    }
    return text + fmt::format("\nObjects found: {}\n", states.size());
}

std::string show_transports(Exchange& exchange) {
    std::string text = fmt::format("Transport:  {:24} {:6} {}\n{:=<70}\n", "<TransportId>",
                                   "<Type>", "<BindAddress>", "");
    for (const auto& listening : exchange.core().signalling.listening())
        text += fmt::format("Transport:  {:24} {:6} {}\n", listening.name,
                            uri_name(listening.transport), listening.address.text());
    return text;
}

}  // namespace

void add_pjsip_commands(Cli& cli, Exchange& exchange) {
    const auto add = [&](const char* words, const char* usage, const char* summary, auto run) {
        cli.add(
            {words, usage, summary, [run, &exchange](const Arguments& a) -> Result<std::string> {
                 return run(exchange, a);
             }});
    };
    for (const char* words : {"pjsip show contacts", "pjsip list contacts"})
        add(words, "", "Where everybody is registered",
            [](Exchange& e, const Arguments&) { return show_contacts(e); });
    for (const char* words : {"pjsip show endpoints", "pjsip list endpoints"})
        add(words, "[NAME]", "Endpoints with their contacts and channels", show_endpoints);
    add("pjsip show endpoint", "NAME", "One endpoint with its options", show_endpoint);
    add("pjsip show registrations", "", "Our registrations elsewhere",
        [](Exchange& e, const Arguments&) { return show_registrations(e); });
    add("pjsip send register", "NAME", "Register elsewhere now",
        [](Exchange& e, const Arguments& a) -> Result<std::string> {
            if (a.empty() || !e.registrations().register_now(a[0]))
                return fail("Unable to find a registration '{}'.\n", a.empty() ? "" : a[0]);
            return fmt::format("Registering '{}'.\n", a[0]);
        });
    add("pjsip send unregister", "NAME", "Take a registration back",
        [](Exchange& e, const Arguments& a) -> Result<std::string> {
            if (a.empty() || !e.registrations().unregister(a[0]))
                return fail("Unable to find a registration '{}'.\n", a.empty() ? "" : a[0]);
            return fmt::format("Unregistering '{}'.\n", a[0]);
        });
    add("pjsip qualify", "NAME", "Ask an endpoint's contacts now whether they are there",
        [](Exchange& e, const Arguments& a) -> Result<std::string> {
            const auto asked = a.empty() ? 0 : e.qualifier().qualify(a[0]);
            if (asked == 0) return fail("'{}' has no contacts to ask.\n", a.empty() ? "" : a[0]);
            return fmt::format("Sending qualify to {} contact{} of {}\n", asked,
                               asked == 1 ? "" : "s", a[0]);
        });
    add("pjsip show transports", "", "What we listen on",
        [](Exchange& e, const Arguments&) { return show_transports(e); });
    add("pjsip show aors", "", "Addresses of record", [](Exchange& e, const Arguments&) {
        std::string text;
        for (const auto& aor : e.core().config->aors) {
            text += fmt::format("      Aor:  {:50} {}\n", aor.name, aor.max_contacts);
            for (const auto& contact : e.core().location.contacts(aor.name))
                text += contact_line(aor.name, contact);
        }
        return text;
    });
    add("pjsip show auths", "", "Credentials, without their secrets",
        [](Exchange& e, const Arguments&) {
            std::string text;
            for (const auto& auth : e.core().config->auths)
                text += fmt::format("  I/OAuth:  {}/{}\n", auth.name, auth.username);
            return text;
        });
    add("pjsip show identifies", "", "Addresses that stand for endpoints",
        [](Exchange& e, const Arguments&) {
            std::string text;
            for (const auto& identify : e.core().config->identifies) {
                text += fmt::format(" Identify:  {}/{}\n", identify.name, identify.endpoint);
                for (const auto& match : identify.match)
                    text += fmt::format("    Match:  {}\n", match.text());
            }
            return text;
        });
    add("pjsip show channels", "", "SIP legs", [](Exchange& e, const Arguments&) {
        std::string text;
        for (const auto& channel : e.core().channels.all())
            if (channel->technology() == "PJSIP")
                text += fmt::format("  Channel:  {:40} {:8} {} (Call-ID {})\n", channel->name(),
                                    channel->state_text(), channel->last_application,
                                    channel->call_id());
        return text;
    });
    add("pjsip show version", "", "The SIP stack", [](Exchange&, const Arguments&) {
        return std::string(
            "PJPROJECT version currently running against: none (Strowger's own SIP stack)\n");
    });
    add("pjsip reload", "", "Load the configuration anew",
        [](Exchange& e, const Arguments&) -> Result<std::string> {
            if (auto done = e.reload(); !done) return std::unexpected(done.error());
            return std::string("Configuration reloaded\n");
        });
}

}  // namespace strowger::pbx
