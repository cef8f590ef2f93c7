#include "relay/sdp_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/text.hpp"

namespace strowger::relay {
namespace {

using sdp::Attribute;

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
    return std::ranges::find(names, name) != names.end();
}

bool is_direction(std::string_view name) { return sdp::direction_by_name(name).has_value(); }

bool is_ice(std::string_view name) {
    constexpr std::array<std::string_view, 9> names{
        "candidate",  "ice-ufrag",         "ice-pwd",           "ice-options", "ice-lite",
        "ice-pacing", "end-of-candidates", "remote-candidates", "ice-mismatch"};
    return is_one_of(name, names);
}

bool is_dtls(std::string_view name) {
    constexpr std::array<std::string_view, 4> names{"setup", "fingerprint", "tls-id", "connection"};
    return is_one_of(name, names);
}

bool is_ice_text(std::string_view attribute) { return is_ice(split_once(attribute, ':').first); }

// What is written anew, in its place, or is of no use to the other side.
bool is_ours(std::string_view name) {
    constexpr std::array<std::string_view, 12> names{
        "bundle-only", "rtpmap",   "fmtp",   "rtcp-fb", "extmap",        "mid",
        "rtcp",        "rtcp-mux", "crypto", "ptime",   "rtcp-mux-only", "key-mgmt"};
    return is_one_of(name, names) || is_ice(name);
}

class Writer {
public:
    Writer(const sdp::Session& in, const Request& rules) : in_(in), rules_(rules) {
        out_.reserve(1024);
        for (std::size_t i = 0; i < in.lines().size(); ++i)
            if (in.lines()[i].type == 'm') starts_.push_back(i);
        starts_.push_back(in.lines().size());
    }

    std::string write(const SessionOutput& session, const std::vector<SectionOutput>& sections) {
        write_session(session);
        for (const auto& section : sections) {
            const std::size_t begin = out_.size();
            if (!section.source) {
                out_ += section.literal;
                continue;
            }
            if (section.untouched)
                write_as_it_came(section.index);
            else
                write_section(section);
            const auto& kind = section.source->kind;
            if (kind == "audio") edit(begin, rules_.attributes_audio);
            if (kind == "video") edit(begin, rules_.attributes_video);
        }
        return std::move(out_);
    }

private:
    template <typename... Args>
    void line(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
        out_ += "\r\n";
    }
    void raw(const sdp::Line& came) {
        out_ += came.type;
        out_ += '=';
        out_ += came.value;
        out_ += "\r\n";
    }
    void attribute(const Attribute& came) {
        if (came.value.empty())
            line("a={}", came.name);
        else
            line("a={}:{}", came.name, came.value);
    }

    // The lines of a section, the m= line first; -1: those of the session.
    std::span<const sdp::Line> lines_of(int index) const {
        const auto begin = index < 0 ? 0 : starts_[static_cast<std::size_t>(index)];
        const auto end = starts_[static_cast<std::size_t>(index + 1)];
        return std::span(in_.lines()).subspan(begin, end - begin);
    }

    void write_session(const SessionOutput& session) {
        for (const auto& came : lines_of(-1)) {
            if (came.type == 'c') continue;
            if (came.type == 'o')
                line("o={}", session.origin);
            else if (came.type == 's')
                line("s={}", session.name);
            else if (came.type != 'a')
                raw(came);
            else if (passes(came, session))
                raw(came);
        }
        if (!session.bundle.empty()) line("a=group:BUNDLE {}", session.bundle);
        if (session.lite) line("a=ice-lite");
        if (!session.mark.empty()) line("a=rtpengine:{}", session.mark);
        edit(0, rules_.attributes_global);
    }

    bool passes(const sdp::Line& came, const SessionOutput& session) const {
        const auto [name, value] = split_once(came.value, ':');
        if (name == "group" && istarts_with(value, "BUNDLE")) return false;
        if (is_direction(name)) return session.keep_direction;
        if (is_dtls(name)) return session.keep_dtls;
        if (name == "rtpengine") return session.mark.empty();
        if (name == "extmap") return !strips(value);
        return !is_ice(name) && name != "extmap-allow-mixed";
    }

    void write_as_it_came(std::size_t index) {
        for (const auto& came : lines_of(static_cast<int>(index))) raw(came);
    }

    void write_section(const SectionOutput& section) {
        const sdp::Media& media = *section.source;
        const bool rtp = media.is_rtp();
        const auto lines = lines_of(static_cast<int>(section.index));
        fmt::format_to(std::back_inserter(out_), "m={} {}", media.kind, section.port);
        if (media.port_count > 1) fmt::format_to(std::back_inserter(out_), "/{}", media.port_count);
        fmt::format_to(std::back_inserter(out_), " {}", section.protocol);
        for (const auto& format : section.formats)
            fmt::format_to(std::back_inserter(out_), " {}", format.token);
        out_ += "\r\n";
        for (const auto& came : lines)
            if (came.type == 'i') raw(came);
        line("c=IN {} {}", section.address.is_v6() ? "IP6" : "IP4", section.address.text());
        for (const auto& came : lines.subspan(1))
            if (came.type != 'i' && came.type != 'c' && came.type != 'a') raw(came);
        if (!section.mid.empty()) line("a=mid:{}", section.mid);
        if (rtp) write_formats(section);
        write_unknown(section);
        if (section.direction && (rtp || names_direction(media)))
            line("a={}", sdp::name_of(*section.direction));
        if (section.rtcp_port) write_rtcp(section);
        if (section.mux) line("a=rtcp-mux");
        for (const auto& crypto : section.crypto) line("a=crypto:{}", crypto);
        if (section.keep_dtls)
            for (const auto& came : media.attributes)
                if (is_dtls(came.name)) attribute(came);
        for (const auto& own : section.transport)
            if (!is_ice_text(own)) line("a={}", own);
        if (section.ptime) line("a=ptime:{}", *section.ptime);
        for (const auto& own : section.transport)
            if (is_ice_text(own)) line("a={}", own);
    }

    static bool names_direction(const sdp::Media& media) {
        return std::ranges::any_of(media.attributes,
                                   [](const Attribute& a) { return is_direction(a.name); });
    }

    // Of each payload type: what it is, its parameters, its feedback. In answers it may have
    // another number than where it comes from.
    void write_formats(const SectionOutput& section) {
        const auto& attributes = section.source->attributes;
        for (const auto& format : section.formats) {
            if (format.own) {
                write_map(format.token, format.own->name, format.own->clock_rate,
                          format.own->channels);
                if (!format.own->fmtp.empty()) line("a=fmtp:{} {}", format.token, format.own->fmtp);
                continue;
            }
            if (!write_all(attributes, "rtpmap", format)) write_static_map(section, format);
            write_all(attributes, "fmtp", format);
            if (section.feedback) write_all(attributes, "rtcp-fb", format);
        }
        if (!section.feedback) return;
        for (const auto& a : attributes)
            if (a.name == "rtcp-fb" && split_once(a.value, ' ').first == "*") attribute(a);
    }

    bool write_all(const std::vector<Attribute>& attributes, std::string_view name,
                   const Written& format) {
        bool any = false;
        for (const auto& a : attributes) {
            const auto [token, value] = split_once(a.value, ' ');
            if (a.name != name || token != format.from) continue;
            line("a={}:{} {}", name, format.token, value);
            any = true;
        }
        return any;
    }

    void write_map(std::string_view token, std::string_view name, std::uint32_t clock_rate,
                   unsigned channels) {
        if (channels > 1)
            line("a=rtpmap:{} {}/{}/{}", token, name, clock_rate, channels);
        else
            line("a=rtpmap:{} {}/{}", token, name, clock_rate);
    }

    void write_static_map(const SectionOutput& section, const Written& format) {
        const auto type = parse_number<std::uint8_t>(format.from);
        const auto known = type ? sdp::static_payload(*type) : std::nullopt;
        if (!known || !section.source->is_rtp()) return;
        write_map(format.token, known->name, known->clock_rate, known->channels);
    }

    bool strips(std::string_view extmap) const {
        if (rules_.strip_all_extmap) return true;
        const auto uri = split_once(extmap, ' ').second;
        return is_one_of(split_once(uri, ' ').first, rules_.strip_extmap);
    }

    void write_unknown(const SectionOutput& section) {
        const auto& attributes = section.source->attributes;
        for (const auto& a : attributes)
            if (a.name == "extmap" && !strips(a.value)) attribute(a);
        for (const auto& a : attributes) {
            if (is_ours(a.name) || is_dtls(a.name)) continue;
            if (is_direction(a.name) && section.direction) continue;
            attribute(a);
        }
    }

    void write_rtcp(const SectionOutput& section) {
        if (section.full_rtcp)
            line("a=rtcp:{} IN {} {}", *section.rtcp_port, section.address.is_v6() ? "IP6" : "IP4",
                 section.address.text());
        else
            line("a=rtcp:{}", *section.rtcp_port);
    }

    // Text in, text out: attributes of what was written from `begin` on.
    void edit(std::size_t begin, const AttributeRules& rules) {
        if (rules.empty()) return;
        const std::string written = out_.substr(begin);
        out_.resize(begin);
        for (auto text : split(written, '\n')) {
            if (text.ends_with('\r')) text.remove_suffix(1);
            if (text.empty()) continue;
            if (text.starts_with("a=")) {
                const auto value = text.substr(2);
                const auto changed = std::ranges::find(rules.substitute, value,
                                                       [](const auto& pair) { return pair.first; });
                if (changed != rules.substitute.end())
                    text = one_line(changed->second);
                else if (is_one_of(value, rules.remove))
                    continue;
                if (changed != rules.substitute.end()) out_ += "a=";
            }
            out_ += text;
            out_ += "\r\n";
        }
        for (const auto added : rules.add) line("a={}", one_line(added));
    }

    // No value may begin a line of its own.
    static std::string_view one_line(std::string_view text) {
        return text.substr(0, text.find_first_of(std::string_view("\r\n\0", 3)));
    }

    const sdp::Session& in_;
    const Request& rules_;
    std::vector<std::size_t> starts_;  // of the sections in the lines, and the end
    std::string out_;
};

}  // namespace

std::string write_sdp(const sdp::Session& in, const SessionOutput& session,
                      const std::vector<SectionOutput>& sections, const Request& rules) {
    return Writer(in, rules).write(session, sections);
}

}  // namespace strowger::relay
