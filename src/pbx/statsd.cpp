#include "pbx/statsd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/log.hpp"
#include "base/text.hpp"

namespace strowger::pbx {

namespace {

const log::About about{"pbx", {}, "statsd"};

// What separates fields and lines must not come from a value, which may be a caller's.
bool has_separators(std::string_view text, bool is_name) {
    return std::ranges::any_of(text, [&](char c) {
        return c == '|' || static_cast<unsigned char>(c) < ' ' || (is_name && c == ':');
    });
}

}  // namespace

Result<std::string> statsd_line(std::string_view type, std::string_view name,
                                std::string_view value, double sample_rate) {
    if (type != "g" && type != "c" && type != "ms" && type != "s")
        return fail("expected g, c, ms or s, got '{}'", type);
    if (name.empty() || has_separators(name, true)) return fail("'{}' is no name", name);
    if (value.empty() || has_separators(value, false)) return fail("'{}' is no value", value);
    if (type != "s") {
        auto digits = value;
        const bool is_signed = digits.front() == '+' || digits.front() == '-';
        if (is_signed) digits.remove_prefix(1);
        const auto number = parse_number<double>(digits);
        if (!number || !std::isfinite(*number) || digits.front() == '-')
            return fail("'{}' is no number", value);
        if (is_signed && type == "ms") return fail("a time has no sign: '{}'", value);
    }
    auto line = fmt::format("{}:{}|{}", name, value, type);
    if (sample_rate < 1) line += fmt::format("|@{}", sample_rate);
    if (line.size() > Statsd::max_line)
        return fail("{} bytes are more than the {} of a datagram", line.size(), Statsd::max_line);
    return line;
}

void Statsd::load(io::Loop& loop, const config::StatsdSettings& settings) {
    server_.reset();
    socket_.reset();
    if (!settings.enabled) {
        LOG_NOTICE(about, "StatsD sends nothing: statsd.conf does not say enabled=yes");
        return;
    }
    server_ = SocketAddress::parse(settings.server, default_port);
    if (!server_) return;  // as it was told when the configuration was loaded
    SocketAddress own;
    if (server_->ip.is_v6()) own.ip = IpAddress::any_v6();
    auto socket = io::UdpSocket::bind(loop, own, {}, [](auto) {});
    if (socket)
        socket_ = std::move(*socket);
    else
        LOG_WARNING(about, "no socket towards {}: {}", server_->text(), socket.error().text());
}

void Statsd::send(io::Loop& loop, const std::shared_ptr<const config::Configuration>& config,
                  std::string_view line) {
    if (loaded_for_ != config) {
        loaded_for_ = config;
        load(loop, config->statsd);
    }
    if (!socket_) return;
    const auto& settings = config->statsd;
    const auto text = fmt::format("{}{}{}{}", settings.prefix, settings.prefix.empty() ? "" : ".",
                                  line, settings.add_newline ? "\n" : "");
    socket_->send(*server_, as_bytes(text));
}

}  // namespace strowger::pbx
