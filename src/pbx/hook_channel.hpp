#pragma once

#include <memory>
#include <string>

#include "pbx/channel.hpp"

namespace strowger::pbx {

/// Where a dialplan runs beside a call (PERIODIC_HOOK): it has no phone and no media of its own,
/// what it plays is heard by the party of its host in place of the other one's voice. Ends with its
/// dialplan; the host's call goes on.
class HookChannel final : public Channel {
public:
    /// Listed, and not begun yet.
    static std::shared_ptr<HookChannel> make(Channel& host, std::string name);
    HookChannel(Channel& host, std::string name);

    void ring() override {}
    Task<Result<>> progress() override;
    Task<Result<>> answer() override;
    void hangup(Cause cause) override { end(cause); }
    std::optional<media::Party> party() const override;
    bool media_follows() const override { return true; }

private:
    std::weak_ptr<Channel> host_;
};

}  // namespace strowger::pbx
