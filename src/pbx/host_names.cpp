#include "pbx/host_names.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "pbx/locate_server.hpp"

namespace strowger::pbx {

void HostNames::configure(std::shared_ptr<const config::Configuration> config) {
    config_ = std::move(config);
    if (round_) *round_ = false;
    round_ = std::make_shared<bool>(true);
    tasks_.spawn(refresh(round_));
}

Task<std::vector<IpAddress>> HostNames::look_up(std::string name, bool srv) {
    std::vector<IpAddress> all;
    const auto add = [&](const IpAddress& ip) {
        if (std::find(all.begin(), all.end(), ip) == all.end()) all.push_back(ip);
    };
    const auto plain = co_await resolver_.addresses(name);
    if (plain)
        for (const auto& ip : *plain) add(ip);
    if (srv) {
        std::string uri = "sip:" + name;
        const auto hops = co_await locate_server(resolver_, random_, std::move(uri), Reach{});
        if (hops)
            for (const auto& hop : *hops) add(hop.address.ip);
    }
    co_return all;
}

Task<> HostNames::refresh(std::shared_ptr<bool> alive) {
    struct Name {
        std::string text;
        bool srv;
    };
    std::vector<Name> names;
    for (const auto& transport : config_->transports)
        for (const auto& name :
             {transport.external_media_address, transport.external_signaling_address})
            if (!name.empty() && !IpAddress::parse(name)) names.push_back({name, false});
    for (const auto& identify : config_->identifies)
        for (const auto& name : identify.match_names) names.push_back({name, identify.srv_lookups});
    if (names.empty()) co_return;
    for (auto& name : names) {
        auto found = co_await look_up(name.text, name.srv);
        if (!*alive) co_return;  // a reload has begun its own round
        if (!found.empty())
            addresses_[name.text] = std::move(found);
        else
            LOG_WARNING((log::About{"pbx"}), "'{}' does not resolve{}", name.text,
                        addresses_.contains(name.text) ? "; its last addresses stay in use" : "");
    }
    timer_ = loop_.after(refresh_interval, [this, alive] {
        if (*alive) tasks_.spawn(refresh(alive));
    });
}

std::optional<IpAddress> HostNames::address(std::string_view host) const {
    if (const auto literal = IpAddress::parse(host)) return literal;
    const auto found = addresses_.find(host);
    return found == addresses_.end() ? std::nullopt : std::optional(found->second.front());
}

bool HostNames::matches(std::string_view host, const IpAddress& address) const {
    const auto found = addresses_.find(host);
    return found != addresses_.end() &&
           std::find(found->second.begin(), found->second.end(), address) != found->second.end();
}

}  // namespace strowger::pbx
