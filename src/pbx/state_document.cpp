#include "pbx/state_document.hpp"

#include <fmt/format.h>

namespace strowger::pbx {

namespace {

constexpr std::string_view declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

// RFC 4235 section 3.7.1.
std::string_view dialog_state(DeviceState state) {
    switch (state) {
        case DeviceState::ringing: return "early";
        case DeviceState::inuse:
        case DeviceState::busy:
        case DeviceState::ringinuse:
        case DeviceState::onhold: return "confirmed";
        default: return "terminated";
    }
}

bool is_open(DeviceState state) {
    return state != DeviceState::unavailable && state != DeviceState::invalid &&
           state != DeviceState::unknown;
}

std::string_view note(DeviceState state) {
    switch (state) {
        case DeviceState::not_inuse: return "Ready";
        case DeviceState::inuse:
        case DeviceState::busy: return "On the phone";
        case DeviceState::ringing:
        case DeviceState::ringinuse: return "Ringing";
        case DeviceState::onhold: return "On hold";
        default: return "Unavailable";
    }
}

// RFC 4480 section 3.2. Who is there and may be asked does nothing that would have a name.
std::string_view activity(std::string_view presence) {
    if (presence == "away") return "<rpid:away/>";
    if (presence == "xa") return "<rpid:permanent-absence/>";
    if (presence == "dnd") return "<rpid:busy/>";
    return {};
}

bool is_on_the_phone(DeviceState state) { return dialog_state(state) != "terminated"; }

}  // namespace

std::string xml_escape(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '<': escaped += "&lt;"; break;
            case '>': escaped += "&gt;"; break;
            case '&': escaped += "&amp;"; break;
            case '"': escaped += "&quot;"; break;
            case '\'': escaped += "&apos;"; break;
            default:
                escaped +=
                    static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r'
                        ? '?'
                        : c;
        }
    }
    return escaped;
}

std::string dialog_info(std::string_view entity, DeviceState state, std::uint32_t version) {
    const auto uri = xml_escape(entity);
    std::string text(declaration);
    fmt::format_to(std::back_inserter(text),
                   "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{}\" "
                   "state=\"full\" entity=\"{}\">\n",
                   version, uri);
    const auto user = uri.substr(uri.find(':') + 1, uri.find('@') - uri.find(':') - 1);
    if (dialog_state(state) == "early")
        fmt::format_to(std::back_inserter(text), " <dialog id=\"{}\" direction=\"recipient\">\n",
                       user);
    else
        fmt::format_to(std::back_inserter(text), " <dialog id=\"{}\">\n", user);
    fmt::format_to(std::back_inserter(text), "  <state>{}</state>\n", dialog_state(state));
    if (state ==
        DeviceState::onhold)  // RFC 4235 section 4.1.6.2, RFC 3840: not rendering is on hold
        fmt::format_to(
            std::back_inserter(text),
            "  <local>\n   <identity>{0}</identity>\n   <target uri=\"{0}\">\n"
            "    <param pname=\"+sip.rendering\" pval=\"no\"/>\n   </target>\n  </local>\n",
            uri);
    return text + " </dialog>\n</dialog-info>\n";
}

std::string pidf(std::string_view entity, DeviceState state, const PersonalPresence& says) {
    const auto uri = xml_escape(entity);
    std::string text(declaration);
    fmt::format_to(std::back_inserter(text),
                   "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" "
                   "xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" "
                   "xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"{0}\">\n"
                   " <tuple id=\"line\">\n  <status>\n   <basic>{1}</basic>\n  </status>\n"
                   "  <contact priority=\"1\">{0}</contact>\n  <note>{2}</note>\n </tuple>\n",
                   uri, is_open(state) ? "open" : "closed", note(state));
    // Section 3 of RFC 4479: the person comes after the tuples.
    std::string person;
    if (is_on_the_phone(state)) person += "<rpid:on-the-phone/>";
    person += activity(says.state);
    if (!person.empty()) person = "  <rpid:activities>" + person + "</rpid:activities>\n";
    for (const auto& note : {says.subtype, says.message})
        if (!note.empty()) person += "  <dm:note>" + xml_escape(note) + "</dm:note>\n";
    if (!person.empty()) text += " <dm:person id=\"person\">\n" + person + " </dm:person>\n";
    return text + "</presence>\n";
}

std::string xpidf(std::string_view entity, DeviceState state) {
    const bool busy = is_on_the_phone(state);
    return fmt::format(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE presence PUBLIC \"-//IETF//DTD RFCxxxx XPIDF 1.0//EN\" "
        "\"xpidf.dtd\">\n"
        "<presence>\n <presentity uri=\"{0};method=SUBSCRIBE\"/>\n <atom id=\"line\">\n"
        "  <address uri=\"{0};user=ip\" priority=\"0.800000\">\n   <status status=\"{1}\"/>\n   "
        "<msnsubstatus substatus=\"{2}\"/>\n"
        "  </address>\n </atom>\n</presence>\n",
        xml_escape(entity),
        !is_open(state) ? "closed"
        : busy          ? "inuse"
                        : "open",
        !is_open(state) ? "offline"
        : busy          ? "onthephone"
                        : "online");
}

std::string message_summary(std::string_view account, unsigned fresh, unsigned old) {
    // Urgent ones are not told apart, and are left out (section 3.5 of RFC 3842 has them optional).
    return fmt::format("Messages-Waiting: {}\r\nMessage-Account: {}\r\nVoice-Message: {}/{}\r\n",
                       fresh > 0 ? "yes" : "no", account, fresh, old);
}

}  // namespace strowger::pbx
