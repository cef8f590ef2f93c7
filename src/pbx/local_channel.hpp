#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pbx/bridge.hpp"
#include "pbx/channel.hpp"

namespace strowger::pbx {

/// Half of a Local/exten@context pair: `;1` is what was dialled, `;2` runs the dialplan. What one
/// half is told happens at the other: the far half answers, and the dialled half is answered.
///
/// It has no media of its own. Its party is the one that the other half talks to, so that sound
/// goes straight from end to end and "optimising away" is only a matter of signalling.
class LocalChannel final : public Channel {
public:
    /// "100@from-internal" or "100@from-internal/n". Fails when there is no such extension.
    static Result<std::shared_ptr<LocalChannel>> make(Core& core, std::string_view resource,
                                                      std::string linkedid);

    /// Of the dialled half: begins the dialplan on the other.
    Result<> start(const Bridge::Starter& starter);

    void ring() override;
    Task<Result<>> progress() override;
    Task<Result<>> answer() override;
    void hangup(Cause cause) override;
    void send_digit(char digit, Duration duration) override;
    std::optional<media::Party> party() const override;
    std::vector<media::CodecSpec> codecs() const override;
    Task<> match(std::vector<media::CodecSpec> codecs) override;
    /// Of the dialled half: what whoever dials it speaks.
    void dialled_by(std::vector<media::CodecSpec> codecs);
    void connected_line_changed() override;
    bool media_follows() const override { return true; }

    std::shared_ptr<LocalChannel> other() const { return other_.lock(); }

private:
    LocalChannel(Core& core, std::string_view exten, std::string_view context, std::string linkedid,
                 int half);

    std::string exten_, context_;
    std::weak_ptr<LocalChannel> other_;
    std::vector<media::CodecSpec>
        known_;  ///< of whoever stands behind this half, until it is joined
    bool is_dialled_half_;
};

}  // namespace strowger::pbx
