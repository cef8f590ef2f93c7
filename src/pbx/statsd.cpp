#include "pbx/statsd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/ini.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "io/disk_files.hpp"
#include "io/file.hpp"
#include "pbx/config/option.hpp"

namespace strowger::pbx {

namespace {

const log::About about{"pbx", {}, "statsd"};

const config::Schema<StatsdSettings>& schema() {
    using S = StatsdSettings;
    static const auto schema = config::Schema<S>()
                                   .boolean("enabled", &S::enabled)
                                   .text("server", &S::server)
                                   .text("prefix", &S::prefix)
                                   .boolean("add_newline", &S::add_newline)
                                   .boolean("meter_support", &S::meter_support);
    return schema;
}

// What separates fields and lines must not come from a value, which may be a caller's.
bool has_separators(std::string_view text, bool is_name) {
    return std::ranges::any_of(text, [&](char c) {
        return c == '|' || static_cast<unsigned char>(c) < ' ' || (is_name && c == ':');
    });
}

}  // namespace

StatsdSettings StatsdSettings::read(const std::string& directory) {
    StatsdSettings settings;
    if (!io::file_info(directory + "/statsd.conf")) return settings;
    io::DiskFileSource files;
    ini::Diagnostics diagnostics;
    // Commands are for files that are read with the configuration, not in the middle of a call.
    const auto document = ini::read(files, "statsd.conf", {false, directory}, diagnostics);
    // Asterisk's sample has [general], its reference [global].
    for (const auto* section : document.sections())
        if (iequals(section->name, "general") || iequals(section->name, "global"))
            schema().apply(settings, document, *section, diagnostics);
    for (const auto& problem : diagnostics.all()) LOG_WARNING(about, "{}", problem.message());
    return settings;
}

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

void Statsd::load(io::Loop& loop, const config::Configuration& config) {
    settings_ = StatsdSettings::read(config.directory);
    server_.reset();
    socket_.reset();
    if (!settings_.enabled) {
        LOG_NOTICE(about, "StatsD sends nothing: statsd.conf does not say enabled=yes");
        return;
    }
    server_ = SocketAddress::parse(settings_.server, default_port);
    if (!server_) {
        LOG_WARNING(about, "statsd.conf: server: expected an address, got '{}'", settings_.server);
        return;
    }
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
        load(loop, *config);
    }
    if (!socket_) return;
    const auto text = fmt::format("{}{}{}{}", settings_.prefix, settings_.prefix.empty() ? "" : ".",
                                  line, settings_.add_newline ? "\n" : "");
    socket_->send(*server_, as_bytes(text));
}

}  // namespace strowger::pbx
