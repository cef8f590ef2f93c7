#include "recorder/forwarder.hpp"

#include "base/address.hpp"
#include "base/log.hpp"

namespace strowger::recorder {

void Forwarder::packet(Bytes rtp) {
    if (settings_.forward_to.empty()) return;
    if (!datagrams_) {
        auto outlet = io::Outlet::datagrams(settings_.forward_to);
        if (!outlet) {
            ++dropped_;
            return;
        }
        datagrams_ = std::make_unique<io::Outlet>(std::move(*outlet));
    }
    if (datagrams_->send(rtp) == 0) {
        ++dropped_;
        datagrams_.reset();  // whoever listened may come back under the same name
    }
}

void Forwarder::samples(std::uint64_t source, std::string_view metadata, std::uint32_t rate,
                        std::span<const Sample> samples) {
    if (settings_.tcp_send_to.empty()) return;
    const auto [place, fresh] = connections_.try_emplace(source);
    Connection& connection = place->second;
    if (fresh) {
        const auto address = SocketAddress::parse(settings_.tcp_send_to);
        auto outlet = io::Outlet::tcp(*address);
        if (outlet)
            connection.outlet = std::make_unique<io::Outlet>(std::move(*outlet));
        else
            LOG_WARNING((log::About{"recorder", {}, settings_.tcp_send_to}), "{}",
                        outlet.error().text());
        if (settings_.tcp_send_resample != 0 && settings_.tcp_send_resample != rate)
            connection.resampler =
                std::make_unique<media::Resampler>(rate, settings_.tcp_send_resample);
        connection.waiting.assign(metadata.begin(), metadata.end());
        connection.waiting.push_back(0);
    }
    if (!connection.outlet) {
        ++dropped_;
        return;
    }
    resampled_.clear();
    if (connection.resampler) {
        connection.resampler->process(samples, resampled_);
        samples = resampled_;
    }
    if (connection.waiting.size() > max_waiting) {
        ++dropped_;
    } else {
        for (const Sample sample : samples) {
            connection.waiting.push_back(static_cast<std::uint8_t>(sample));
            connection.waiting.push_back(static_cast<std::uint8_t>(sample >> 8));
        }
    }
    const auto sent = connection.outlet->send(connection.waiting);
    connection.waiting.erase(connection.waiting.begin(),
                             connection.waiting.begin() + static_cast<std::ptrdiff_t>(sent));
    if (connection.outlet->broken()) {
        LOG_WARNING((log::About{"recorder", {}, settings_.tcp_send_to}),
                    "the connection ended; the rest of this stream is not forwarded");
        connection.outlet.reset();
        connection.waiting.clear();
    }
}

}  // namespace strowger::recorder
