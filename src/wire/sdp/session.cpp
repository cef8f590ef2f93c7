#include "wire/sdp/session.hpp"

#include "base/text.hpp"

namespace strowger::sdp {

namespace {

constexpr std::size_t max_groups = 32;  // as many as there can be media sections

/// The text up to the next blank, which is taken off; several blanks count as one.
std::string_view take_word(std::string_view& text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    return word;
}

Result<Connection> parse_connection(std::string_view value, std::size_t line) {
    Connection connection;
    auto rest = value;
    connection.network_type = take_word(rest);
    connection.address_type = take_word(rest);
    const auto address = take_word(rest);
    if (address.empty()) {
        return fail("SDP line {}: expected 'IN IP4|IP6 address', got '{}'", line, value);
    }
    const auto [host, tail] = split_once(address, '/');
    connection.address = host;
    if (tail.empty()) return connection;
    // 224.2.1.1/127/3 has TTL and count; FF15::101/3 only a count (section 5.7).
    auto [first, second] = split_once(tail, '/');
    if (iequals(connection.address_type, "IP6")) {
        second = first;
    } else {
        connection.ttl = parse_number<std::uint8_t>(first);
        if (!connection.ttl) return fail("SDP line {}: expected a TTL, got '{}'", line, first);
    }
    if (!second.empty()) {
        const auto count = parse_number<std::uint32_t>(second);
        if (!count || *count == 0) {
            return fail("SDP line {}: expected a number of addresses, got '{}'", line, second);
        }
        connection.count = *count;
    }
    return connection;
}

std::optional<std::uint32_t> parse_ptime(std::string_view value) {
    // Some phones send "20.0"; the fraction says nothing.
    const auto number = parse_number<std::uint32_t>(split_once(trim(value), '.').first);
    if (!number || *number == 0 || *number > Media::max_ptime) return std::nullopt;
    return number;
}

}  // namespace

std::optional<IpAddress> Connection::ip() const { return IpAddress::parse(address); }

Codec Format::codec() const { return {std::string(name), clock_rate, channels, std::string(fmtp)}; }

bool Media::is_rtp() const { return protocol.find("RTP/") != std::string_view::npos; }

std::optional<SocketAddress> Media::address() const {
    if (is_refused() || !connection) return std::nullopt;
    const auto ip = connection->ip();
    if (!ip) return std::nullopt;
    return SocketAddress{*ip, port};
}

std::optional<SocketAddress> Media::rtcp_address(bool muxed) const {
    auto where = address();
    if (!where || muxed) return where;
    if (rtcp_ip) where->ip = *rtcp_ip;
    if (rtcp_port) {
        where->port = *rtcp_port;
    } else if (port == 65535) {
        return std::nullopt;
    } else {
        ++where->port;
    }
    return where;
}

const Format* Media::format(std::uint8_t type) const {
    for (const auto& candidate : formats) {
        if (candidate.type == type) return &candidate;
    }
    return nullptr;
}

std::optional<std::string_view> Media::attribute(std::string_view name) const {
    for (const auto& candidate : attributes) {
        if (candidate.name == name) return candidate.value;
    }
    return std::nullopt;
}

std::vector<std::string_view> Media::attribute_values(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& candidate : attributes) {
        if (candidate.name == name) values.push_back(candidate.value);
    }
    return values;
}

Direction Media::effective_direction() const {
    const auto ip = connection ? connection->ip() : std::nullopt;
    if (ip && ip->is_unspecified()) return direction_of(sends(direction), false);
    return direction;
}

std::string Session::text() const {
    std::string out;
    for (const auto& line : lines_) {
        out += line.type;
        out += '=';
        out += line.value;
        out += "\r\n";
    }
    return out;
}

std::optional<std::string_view> Session::attribute(std::string_view attribute_name) const {
    for (const auto& candidate : attributes) {
        if (candidate.name == attribute_name) return candidate.value;
    }
    return std::nullopt;
}

std::optional<std::string_view> Session::attribute_for(const Media& section,
                                                       std::string_view attribute_name) const {
    const auto own = section.attribute(attribute_name);
    return own ? own : attribute(attribute_name);
}

const Group* Session::bundle() const {
    for (const auto& group : groups) {
        if (iequals(group.semantics, "BUNDLE")) return &group;
    }
    return nullptr;
}

const Media* Session::first(std::string_view kind) const {
    for (const auto& section : media) {
        if (section.kind == kind && !section.is_refused()) return &section;
    }
    return nullptr;
}

/// Reads a description line by line; what a section inherits is filled in at the end.
class SessionParser {
public:
    explicit SessionParser(std::string_view text) : rest_(text) {}

    Result<Session> parse(bool whole) {
        whole_ = whole;
        if (rest_.size() > max_size) {
            return fail("SDP of {} bytes; {} are the limit", rest_.size(), max_size);
        }
        while (!rest_.empty()) {
            if (auto taken = take_line(); !taken) return std::unexpected(taken.error());
        }
        if (whole && session_.lines_.empty()) return fail("SDP: expected 'v=0', got nothing");
        if (whole && session_.origin.address.empty())
            return fail("SDP: expected a line 'o=', none came");
        for (auto& section : session_.media) inherit(section);
        return std::move(session_);
    }

private:
    Result<> take_line() {
        ++number_;
        const auto end = rest_.find('\n');
        auto line = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        // Blank lines are not SDP, but phones end their bodies with them.
        if (line.empty()) return {};
        if (line.size() < 2 || line[1] != '=') {
            return fail("SDP line {}: expected 'x=value', got '{}'", number_, line.substr(0, 40));
        }
        // NUL and a bare CR end a line for some readers and not for others.
        if (line.find('\0') != std::string_view::npos ||
            line.find('\r') != std::string_view::npos) {
            return fail("SDP line {}: NUL or CR within the line", number_);
        }
        if (session_.lines_.size() == max_lines) {
            return fail("SDP: more than {} lines", max_lines);
        }
        session_.lines_.push_back({line[0], line.substr(2)});
        return take(line[0], line.substr(2));
    }

    Result<> take(char type, std::string_view value) {
        if (whole_ && session_.lines_.size() == 1) {
            if (type == 'v' && trim(value) == "0") return {};
            return fail("SDP line {}: expected 'v=0', got '{}={}'", number_, type,
                        value.substr(0, 40));
        }
        switch (type) {
            case 'o': return take_origin(value);
            case 's':
                if (session_.media.empty()) session_.name = value;
                return {};
            case 'c': return take_connection(value);
            case 'm': return take_media(value);
            case 'a': return take_attribute(value);
            default: return {};  // kept among the lines
        }
    }

    Result<> take_origin(std::string_view value) {
        if (!session_.origin.address.empty()) return fail("SDP line {}: a second 'o='", number_);
        auto rest = value;
        auto& o = session_.origin;
        for (auto* part : {&o.username, &o.session_id, &o.session_version, &o.network_type,
                           &o.address_type, &o.address}) {
            *part = take_word(rest);
        }
        if (o.address.empty()) {
            return fail("SDP line {}: expected 'o=user id version IN IP4|IP6 address', got '{}'",
                        number_, value.substr(0, 80));
        }
        return {};
    }

    Result<> take_connection(std::string_view value) {
        auto connection = parse_connection(value, number_);
        if (!connection) return std::unexpected(connection.error());
        auto& place =
            session_.media.empty() ? session_.connection : session_.media.back().connection;
        if (!place) place = *connection;  // several c= in a section are layers of multicast
        return {};
    }

    Result<> take_media(std::string_view value) {
        if (session_.media.size() == max_media) {
            return fail("SDP line {}: more than {} media sections", number_, max_media);
        }
        Media section;
        auto rest = value;
        section.kind = take_word(rest);
        const auto [port, count] = split_once(take_word(rest), '/');
        section.protocol = take_word(rest);
        const auto port_number = parse_number<std::uint16_t>(port);
        if (!port_number || section.protocol.empty()) {
            return fail("SDP line {}: expected 'm=kind port protocol formats', got '{}'", number_,
                        value.substr(0, 80));
        }
        section.port = *port_number;
        if (!count.empty()) {
            const auto ports = parse_number<std::uint32_t>(count);
            if (!ports || *ports == 0) {
                return fail("SDP line {}: expected a number of ports, got '{}'", number_, count);
            }
            section.port_count = *ports;
        }
        for (auto token = take_word(rest); !token.empty(); token = take_word(rest)) {
            if (section.formats.size() == max_formats) {
                return fail("SDP line {}: more than {} formats", number_, max_formats);
            }
            section.formats.push_back(make_format(section, token));
        }
        session_.media.push_back(std::move(section));
        media_direction_.push_back(std::nullopt);
        return {};
    }

    static Format make_format(const Media& section, std::string_view token) {
        Format format;
        format.token = token;
        if (!section.is_rtp()) return format;
        const auto type = parse_number<std::uint8_t>(token);
        if (!type || *type > 127) return format;
        format.type = type;
        if (const auto known = static_payload(*type)) {
            format.name = known->name;
            format.clock_rate = known->clock_rate;
            format.channels = known->channels;
        }
        return format;
    }

    Result<> take_attribute(std::string_view text) {
        const auto [name, value] = split_once(text, ':');
        if (session_.media.empty()) {
            session_.attributes.push_back({name, value});
            take_session_attribute(name, value);
            return {};
        }
        session_.media.back().attributes.push_back({name, value});
        return take_media_attribute(session_.media.back(), name, value);
    }

    void take_session_attribute(std::string_view name, std::string_view value) {
        if (const auto direction = direction_by_name(name)) session_.direction = direction;
        if (name == "ptime") ptime_ = parse_ptime(value);
        if (name == "maxptime") maxptime_ = parse_ptime(value);
        if (name == "group" && session_.groups.size() < max_groups) take_group(value);
    }

    void take_group(std::string_view value) {
        Group group;
        group.semantics = take_word(value);
        for (auto mid = take_word(value); !mid.empty() && group.mids.size() < max_media;
             mid = take_word(value)) {
            group.mids.push_back(mid);
        }
        session_.groups.push_back(std::move(group));
    }

    Result<> take_media_attribute(Media& section, std::string_view name, std::string_view value) {
        if (name == "rtpmap") return take_rtpmap(section, value);
        if (name == "fmtp") {
            take_fmtp(section, value);
        } else if (name == "ptime") {
            section.ptime = parse_ptime(value);
        } else if (name == "maxptime") {
            section.maxptime = parse_ptime(value);
        } else if (name == "rtcp") {
            return take_rtcp(section, value);
        } else if (name == "rtcp-mux") {
            section.rtcp_mux = true;
        } else if (name == "mid") {
            section.mid = trim(value);
        } else if (name == "label") {
            section.label = trim(value);
        } else if (const auto direction = direction_by_name(name)) {
            media_direction_.back() = direction;
        }
        return {};
    }

    // a=rtpmap:97 L16/8000/2. One for a format that the m= line does not list means nothing.
    Result<> take_rtpmap(Media& section, std::string_view value) {
        auto rest = value;
        const auto type = parse_number<std::uint8_t>(take_word(rest));
        const auto encoding = trim(rest);
        const auto [name, numbers] = split_once(encoding, '/');
        const auto [rate, channels] = split_once(numbers, '/');
        const auto clock_rate = parse_number<std::uint32_t>(rate);
        if (!type || name.empty() || !clock_rate || *clock_rate == 0) {
            return fail("SDP line {}: expected 'rtpmap:type name/rate[/channels]', got '{}'",
                        number_, value.substr(0, 80));
        }
        // For video and others the third part may be something else; only a small number counts.
        const auto channel_count = parse_number<std::uint8_t>(channels);
        for (auto& format : section.formats) {
            if (format.type != type) continue;
            format.name = name;
            format.clock_rate = *clock_rate;
            format.channels = channel_count && *channel_count > 0 ? *channel_count : 1;
        }
        return {};
    }

    static void take_fmtp(Media& section, std::string_view value) {
        auto rest = value;
        const auto token = take_word(rest);
        for (auto& format : section.formats) {
            if (format.token == token && format.fmtp.empty()) format.fmtp = trim(rest);
        }
    }

    Result<> take_rtcp(Media& section, std::string_view value) {
        auto rest = value;
        const auto port = parse_number<std::uint16_t>(take_word(rest));
        if (!port) {
            return fail("SDP line {}: expected 'rtcp:port [IN IP4|IP6 address]', got '{}'", number_,
                        value.substr(0, 80));
        }
        section.rtcp_port = port;
        if (trim(rest).empty()) return {};
        const auto connection = parse_connection(rest, number_);
        if (!connection) return std::unexpected(connection.error());
        section.rtcp_ip = connection->ip();
        return {};
    }

    void inherit(Media& section) {
        if (!section.connection) section.connection = session_.connection;
        if (!section.ptime) section.ptime = ptime_;
        if (!section.maxptime) section.maxptime = maxptime_;
        const auto& own =
            media_direction_[static_cast<std::size_t>(&section - session_.media.data())];
        section.direction = own ? *own : session_.direction.value_or(Direction::sendrecv);
    }

    std::string_view rest_;
    std::size_t number_ = 0;
    bool whole_ = true;
    Session session_;
    std::vector<std::optional<Direction>> media_direction_;
    std::optional<std::uint32_t> ptime_, maxptime_;
};

Result<Session> Session::parse(std::string_view text) { return SessionParser(text).parse(true); }

Result<Session> Session::parse_fragment(std::string_view text) {
    return SessionParser(text).parse(false);
}

}  // namespace strowger::sdp
