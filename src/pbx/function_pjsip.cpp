#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/prompt.hpp"
#include "pbx/sip_channel.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;
using sip::HeaderId;

const Core& core_of(Call& call) { return static_cast<Channel&>(call).core(); }

Result<SipChannel*> sip_of(Call& call) {
    if (auto* sip = dynamic_cast<SipChannel*>(&call)) return sip;
    return fail("{} is no SIP channel", static_cast<Channel&>(call).name());
}

// Names a contact for PJSIP_CONTACT: the address of record and a hash (FNV-1a) of the URI.
std::string contact_id(std::string_view aor, const Contact& contact) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const unsigned char c : contact.uri) hash = (hash ^ c) * 0x100000001b3;
    return fmt::format("{}@@{:016x}", aor, hash);
}

// PJSIP_DIAL_CONTACTS(endpoint[,aor[,user]]): straight into Dial.
Result<std::string> dial_contacts(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    const auto& core = core_of(call);
    const auto name = argument(arguments, 0);
    const auto* endpoint = core.config->endpoints.find(name);
    if (!endpoint) return fail("there is no endpoint '{}'", name);
    std::vector<std::string> aors = endpoint->aors;
    if (const auto aor = argument(arguments, 1); !aor.empty()) aors = {std::string(aor)};
    const auto user = argument(arguments, 2);
    std::string result;
    for (const auto& aor : aors) {
        for (const auto& contact : core.location.contacts(aor)) {
            if (!contact.available()) continue;
            std::string uri = contact.uri;
            if (const auto parsed = sip::Uri::parse(contact.uri); parsed && !user.empty()) {
                uri = fmt::format("{}:{}@{}", parsed->scheme, sip::escape_user(user), parsed->host);
                if (parsed->port) uri += fmt::format(":{}", *parsed->port);
                uri += parsed->parameters;
            }
            result += fmt::format("{}PJSIP/{}/{}", result.empty() ? "" : "&", endpoint->name, uri);
        }
    }
    return result;
}

// PJSIP_ENDPOINT(name,field): an option, a set_var variable, or `@hint_exten` and its like.
Result<std::string> endpoint_field(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    const auto name = argument(arguments, 0);
    const auto field = trim(argument(arguments, 1));
    const auto* endpoint = core_of(call).config->endpoints.find(name);
    if (!endpoint) return fail("there is no endpoint '{}'", name);
    auto value = endpoint->field(field);
    if (!value) return fail("endpoint '{}' has no '{}'", name, field);
    return std::move(*value);
}

std::string yes_no(bool value) { return value ? "yes" : "no"; }

Result<std::string> aor_field(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    const auto name = argument(arguments, 0);
    const auto field = to_lower(trim(argument(arguments, 1)));
    const auto& core = core_of(call);
    const auto* aor = core.config->aors.find(name);
    if (!aor) return fail("there is no aor '{}'", name);
    if (field == "contact") {
        std::string ids;
        for (const auto& contact : core.location.contacts(name))
            (ids += ids.empty() ? "" : ",") += contact_id(name, contact);
        return ids;
    }
    if (field == "max_contacts") return std::to_string(aor->max_contacts);
    if (field == "remove_existing") return yes_no(aor->remove_existing);
    if (field == "remove_unavailable") return yes_no(aor->remove_unavailable);
    if (field == "default_expiration") return std::to_string(aor->default_expiration);
    if (field == "minimum_expiration") return std::to_string(aor->minimum_expiration);
    if (field == "maximum_expiration") return std::to_string(aor->maximum_expiration);
    if (field == "qualify_frequency") return std::to_string(aor->qualify_frequency);
    if (field == "qualify_timeout") return fmt::format("{:.6f}", aor->qualify_timeout);
    if (field == "authenticate_qualify") return yes_no(aor->authenticate_qualify);
    if (field == "outbound_proxy") return aor->outbound_proxy;
    if (field == "support_path") return yes_no(aor->support_path);
    if (field == "mailboxes") return fmt::format("{}", fmt::join(aor->mailboxes, ","));
    if (field == "voicemail_extension") return aor->voicemail_extension;
    return fail("aor '{}' has no '{}'", name, field);
}

std::string_view status_text(Contact::Reach reach) {
    switch (reach) {
        case Contact::Reach::reachable: return "Reachable";
        case Contact::Reach::unreachable: return "Unreachable";
        case Contact::Reach::unknown: return "Unknown";
        case Contact::Reach::unqualified: return "NonQualified";
    }
    return "Unknown";
}

// PJSIP_CONTACT(id,field): the id is one of those that PJSIP_AOR(aor,contact) lists.
Result<std::string> contact_field(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    const auto id = argument(arguments, 0);
    const auto field = to_lower(trim(argument(arguments, 1)));
    const auto aor = id.substr(0, id.rfind("@@"));
    const auto& core = core_of(call);
    for (const auto& contact : core.location.contacts(aor)) {
        if (contact_id(aor, contact) != id) continue;
        if (field == "uri") return contact.uri;
        if (field == "aor") return std::string(aor);
        if (field == "id") return std::string(id);
        if (field == "status") return std::string(status_text(contact.reach));
        if (field == "rtt")
            return std::to_string(
                std::chrono::duration_cast<std::chrono::microseconds>(contact.round_trip).count());
        if (field == "user_agent") return contact.user_agent;
        if (field == "call_id") return contact.call_id;
        if (field == "path") return fmt::format("{}", fmt::join(contact.path, ","));
        if (field == "via_addr") return contact.flow.remote.ip.text();
        if (field == "via_port") return std::to_string(contact.flow.remote.port);
        if (field == "expiration_time") {
            if (contact.expires == Time::max()) return std::string("0");
            const auto at = call.now() + (contact.expires - core.loop.now());
            return std::to_string(
                std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
        }
        return fail("a contact has no '{}'", field);
    }
    return fail("there is no contact '{}'", id);
}

// "X-*" stands for all names that begin so.
bool names_match(std::string_view name, std::string_view wanted) {
    if (wanted.ends_with('*')) return istarts_with(name, wanted.substr(0, wanted.size() - 1));
    if (iequals(name, wanted)) return true;
    const auto id = sip::header_by_name(wanted);
    return id != HeaderId::other && id == sip::header_by_name(name);
}

std::optional<std::string> nth_header(const sip::ReceivedPtr& message, std::string_view name,
                                      int number) {
    if (!message) return std::nullopt;
    for (const auto& header : message->message().headers())
        if (names_match(header.name, name) && --number == 0) return std::string(header.value);
    return std::nullopt;
}

int header_number(std::string_view text) {
    return std::max(1, parse_number<int>(trim(text)).value_or(1));
}

// PJSIP_HEADER(read,name[,number]): of the INVITE that came in.
Result<std::string> read_header(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    const auto action = trim(argument(arguments, 0));
    if (!iequals(action, "read")) return fail("'{}' cannot be read", action);
    const auto name = trim(argument(arguments, 1));
    auto value = nth_header((*sip)->invite(), name, header_number(argument(arguments, 2)));
    if (!value) return fail("the INVITE has no {}", name);
    return std::move(*value);
}

// Those that make the message what it is are the session's business.
bool is_reserved(std::string_view name) {
    switch (sip::header_by_name(name)) {
        case HeaderId::via:
        case HeaderId::from:
        case HeaderId::to:
        case HeaderId::call_id:
        case HeaderId::cseq:
        case HeaderId::contact:
        case HeaderId::max_forwards:
        case HeaderId::content_length:
        case HeaderId::content_type:
        case HeaderId::record_route:
        case HeaderId::rseq:
        case HeaderId::rack: return true;
        default: return false;
    }
}

// RFC 3261 section 25.1: a token.
bool is_token(std::string_view text) {
    static constexpr std::string_view marks = "-.!%*_+`'~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
               marks.find(c) != std::string_view::npos;
    });
}

constexpr std::size_t max_extra_headers = 100;  // set by one dialplan for one message
constexpr std::size_t max_header_value = 4096;  // bytes: a message must fit a datagram

// PJSIP_HEADER(add|update|remove,name[,number])=value: for the next message that starts or answers.
Result<> write_header(Call& call, std::string_view args, std::string_view value) {
    const auto arguments = dialplan::split_arguments(args);
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    auto& lines = (*sip)->extra_headers;
    const auto action = trim(argument(arguments, 0));
    const auto name = trim(argument(arguments, 1));
    if (iequals(action, "remove")) {
        std::erase_if(lines,
                      [&](const sip::HeaderLine& line) { return names_match(line.name, name); });
        return {};
    }
    const bool control = std::any_of(value.begin(), value.end(),
                                     [](unsigned char c) { return c < 0x20 && c != '\t'; });
    if (!is_token(name) || is_reserved(name)) return fail("'{}' cannot be set", name);
    if (control || value.size() > max_header_value)
        return fail("{}: not a value for a header", name);
    if (iequals(action, "update")) {
        int number = header_number(argument(arguments, 2));
        for (auto& line : lines)
            if (names_match(line.name, name) && --number == 0) {
                line.value = value;
                return {};
            }
        return fail("there is no {} to update", name);
    }
    if (!iequals(action, "add")) return fail("unknown action '{}'", action);
    if (lines.size() >= max_extra_headers) return fail("more than {} headers", max_extra_headers);
    lines.push_back({std::string(name), std::string(value)});
    return {};
}

// PJSIP_HEADERS([prefix]): the names in the INVITE, each once.
Result<std::string> header_names(Call& call, std::string_view args) {
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    if (!(*sip)->invite()) return std::string();
    std::vector<std::string_view> names;
    for (const auto& header : (*sip)->invite()->message().headers()) {
        if (!istarts_with(header.name, trim(args))) continue;
        const auto same = [&](std::string_view known) { return iequals(known, header.name); };
        if (std::none_of(names.begin(), names.end(), same)) names.push_back(header.name);
    }
    return fmt::format("{}", fmt::join(names, ","));
}

// PJSIP_RESPONSE_HEADER(read,name[,number]): of the last response to our INVITE.
Result<std::string> response_header(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    auto value = nth_header((*sip)->last_response(), trim(argument(arguments, 1)),
                            header_number(argument(arguments, 2)));
    if (!value) return fail("the response has no {}", argument(arguments, 1));
    return std::move(*value);
}

// PJSIP_HEADER_PARAM(name,header|uri,parameter): of the INVITE's From, To, Contact ...
Result<std::string> header_parameter(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    const auto value = nth_header((*sip)->invite(), trim(argument(arguments, 0)), 1);
    if (!value) return fail("the INVITE has no {}", argument(arguments, 0));
    const auto address = sip::NameAddress::parse(*value);
    if (!address) return std::unexpected(address.error());
    const auto name = trim(argument(arguments, 2));
    if (iequals(trim(argument(arguments, 1)), "header"))
        return std::string(address->parameter(name).value_or(""));
    const auto uri = sip::Uri::parse(address->uri);
    if (!uri) return std::unexpected(uri.error());
    return std::string(uri->parameter(name).value_or(""));
}

// PJSIP_PARSE_URI(uri,part). Without <> the parameters are the URI's all the same: it is no header.
Result<std::string> parse_uri(std::string_view text, std::string_view part) {
    std::string display;
    if (text.find('<') != std::string_view::npos) {
        const auto address = sip::NameAddress::parse(text);
        if (!address) return std::unexpected(address.error());
        display = address->display_text();
        text = address->uri;
    }
    const auto uri = sip::Uri::parse(text);
    if (!uri) return std::unexpected(uri.error());
    const auto wanted = to_lower(trim(part));
    if (wanted == "display") return display;
    if (wanted == "scheme") return std::string(uri->scheme);
    if (wanted == "user") return sip::unescape(uri->user);
    if (wanted == "passwd") return std::string(uri->password);
    if (wanted == "host") return std::string(uri->host);
    if (wanted == "port") return std::to_string(uri->port.value_or(0));
    if (wanted == "lr_param") return std::string(uri->parameter("lr") ? "1" : "0");
    if (wanted.ends_with("_param"))
        return std::string(uri->parameter(wanted.substr(0, wanted.size() - 6)).value_or(""));
    return fail("a URI has no '{}'", part);
}

Result<std::string> parse_uri_of(Call&, std::string_view args) {
    // From the end: a display name may hold commas.
    const auto comma = args.rfind(',');
    if (comma == std::string_view::npos) return fail("which part?");
    return parse_uri(trim(args.substr(0, comma)), args.substr(comma + 1));
}

Result<std::string> parse_uri_from(Call& call, std::string_view args) {
    const auto [variable, part] = split_once(args, ',');
    return parse_uri(call.variable(trim(variable)).value_or(""), part);
}

std::string_view mode_text(config::DtmfMode mode) {
    switch (mode) {
        case config::DtmfMode::rfc4733: return "rfc4733";
        case config::DtmfMode::inband: return "inband";
        case config::DtmfMode::info: return "info";
        case config::DtmfMode::automatic: return "auto";
        case config::DtmfMode::auto_info: return "auto_info";
        case config::DtmfMode::none: return "none";
    }
    return "none";
}

Result<std::string> read_dtmf_mode(Call& call, std::string_view) {
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    return std::string(mode_text((*sip)->endpoint()->dtmf_mode));
}

Result<> write_dtmf_mode(Call& call, std::string_view, std::string_view value) {
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    using enum config::DtmfMode;
    for (const auto mode : {rfc4733, inband, info, automatic, auto_info, none}) {
        if (!iequals(trim(value), mode_text(mode))) continue;
        (*sip)->change_endpoint([mode](config::Endpoint& endpoint) { endpoint.dtmf_mode = mode; });
        return {};
    }
    return fail("unknown mode '{}'", value);
}

Result<std::string> read_moh_passthrough(Call& call, std::string_view) {
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    return yes_no((*sip)->endpoint()->moh_passthrough);
}

Result<> write_moh_passthrough(Call& call, std::string_view, std::string_view value) {
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    const bool on = is_true(trim(value));
    (*sip)->change_endpoint([on](config::Endpoint& endpoint) { endpoint.moh_passthrough = on; });
    return {};
}

// PJSIP_MEDIA_OFFER(audio)[=codecs]: what is offered or accepted from now on.
Result<std::string> read_media_offer(Call& call, std::string_view) {
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    return fmt::format("{}", fmt::join((*sip)->endpoint()->codecs, ","));
}

Result<> write_media_offer(Call& call, std::string_view, std::string_view value) {
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    std::vector<std::string> codecs;
    for (auto name : split(value, ',')) {
        name = trim(name);
        if (name.empty() || iequals(name, "!all")) {
            codecs.clear();
        } else if (name.front() == '!') {
            std::erase_if(codecs,
                          [&](const std::string& known) { return iequals(known, name.substr(1)); });
        } else {
            codecs.emplace_back(name);
        }
    }
    if (codecs.empty()) return fail("'{}' leaves no codec", value);
    (*sip)->change_endpoint(
        [&](config::Endpoint& endpoint) { endpoint.codecs = std::move(codecs); });
    return {};
}

// PJSIP_SEND_SESSION_REFRESH()=invite|update: a new offer with what was changed.
Result<> send_refresh(Call& call, std::string_view, std::string_view value) {
    const auto sip = sip_of(call);
    if (!sip) return std::unexpected(sip.error());
    (*sip)->core().tasks.spawn([](std::shared_ptr<SipChannel> self, bool update) -> Task<> {
        const auto sent = co_await self->refresh(update);
        if (!sent) self->report(log::Level::warning, sent.error().text());
    }(std::static_pointer_cast<SipChannel>((*sip)->shared_from_this()), iequals(trim(value),
                                                                                "update")));
    return {};
}

}  // namespace

void add_pjsip_functions(dialplan::Functions& functions) {
    functions.add("PJSIP_DIAL_CONTACTS",
                  "Every reachable contact: PJSIP_DIAL_CONTACTS(endpoint[,aor[,user]])",
                  dial_contacts);
    functions.add("PJSIP_ENDPOINT", "An option of an endpoint: PJSIP_ENDPOINT(name,field)",
                  endpoint_field);
    functions.add("PJSIP_AOR", "An option of an aor: PJSIP_AOR(name,field)", aor_field);
    functions.add("PJSIP_CONTACT", "A property of a contact: PJSIP_CONTACT(id,field)",
                  contact_field);
    functions.add("PJSIP_HEADER", "SIP headers: PJSIP_HEADER(read|add|update|remove,name[,number])",
                  read_header, write_header);
    functions.add("PJSIP_HEADERS", "The names of the INVITE's headers: PJSIP_HEADERS([prefix])",
                  header_names);
    functions.add("PJSIP_RESPONSE_HEADER",
                  "A header of the response: PJSIP_RESPONSE_HEADER(read,name[,number])",
                  response_header);
    functions.add("PJSIP_HEADER_PARAM", "A parameter: PJSIP_HEADER_PARAM(header,header|uri,name)",
                  header_parameter);
    functions.add("PJSIP_PARSE_URI", "A part of a URI: PJSIP_PARSE_URI(uri,part)", parse_uri_of);
    functions.add("PJSIP_PARSE_URI_FROM",
                  "A part of a URI in a variable: PJSIP_PARSE_URI_FROM(var,part)", parse_uri_from);
    functions.add("PJSIP_DTMF_MODE", "How this call sends digits", read_dtmf_mode, write_dtmf_mode);
    functions.add("PJSIP_MOH_PASSTHROUGH", "Whether hold is passed on", read_moh_passthrough,
                  write_moh_passthrough);
    functions.add("PJSIP_MEDIA_OFFER", "The codecs of this call: PJSIP_MEDIA_OFFER(audio)",
                  read_media_offer, write_media_offer);
    functions.add("PJSIP_SEND_SESSION_REFRESH",
                  "Send a new offer: PJSIP_SEND_SESSION_REFRESH()=invite|update", {}, send_refresh);
}

}  // namespace strowger::pbx
