#include "wire/srtp/sender.hpp"

namespace strowger::srtp {

using Window = ReplayWindow<rtp_window>;

Result<Sender> Sender::make(const Policy& policy, const IdentifiedKey& key, Repeats repeats) {
    if (auto checked = check(policy); !checked) return std::unexpected(checked.error());
    if (auto checked = check(policy.suite, key); !checked) {
        return std::unexpected(checked.error());
    }
    return Sender(policy, key, repeats);
}

Sender::Sender(const Policy& policy, const IdentifiedKey& key, Repeats repeats)
    : transform_(policy, key, Transform::Use::protect), repeats_(repeats) {}

std::size_t Sender::headroom() const {
    return std::max(transform_.rtp_overhead(), transform_.rtcp_overhead());
}

Sender::Stream* Sender::stream_of(std::uint32_t ssrc) {
    Stream* stream = streams_.find(ssrc);
    return stream != nullptr ? stream : streams_.add(ssrc);
}

Size Sender::protect(MutableBytes buffer, std::size_t size) {
    if (size > buffer.size()) return std::unexpected(Fault::no_room);
    const auto payload = payload_offset(buffer.first(size));
    if (!payload) return payload;
    Stream* stream = stream_of(load32(buffer, 8));
    if (stream == nullptr) return std::unexpected(Fault::too_many_streams);
    const auto index = estimate_index(stream->rtp.highest(), load16(buffer, 2));
    if (index >= rtp_index_end) return std::unexpected(Fault::key_exhausted);
    const auto verdict = stream->rtp.check(index);
    if (repeats_ == Repeats::refused && verdict != Window::Verdict::fresh) {
        return std::unexpected(verdict == Window::Verdict::seen ? Fault::replayed : Fault::too_old);
    }
    const auto made = transform_.protect_rtp(buffer, size, *payload, index);
    if (made) stream->rtp.accept(index);
    return made;
}

Size Sender::protect_rtcp(MutableBytes buffer, std::size_t size) {
    if (size > buffer.size()) return std::unexpected(Fault::no_room);
    if (size < rtcp_header_size || buffer[0] >> 6 != 2) return std::unexpected(Fault::malformed);
    Stream* stream = stream_of(load32(buffer, 4));
    if (stream == nullptr) return std::unexpected(Fault::too_many_streams);
    if (stream->next_rtcp_index >= rtcp_index_end) return std::unexpected(Fault::key_exhausted);
    const auto made = transform_.protect_rtcp(buffer, size, stream->next_rtcp_index);
    if (made) ++stream->next_rtcp_index;
    return made;
}

std::vector<StreamState> Sender::states() const {
    std::vector<StreamState> states;
    states.reserve(streams_.size());
    streams_.each([&](std::uint32_t ssrc, const Stream& stream) {
        StreamState state{.ssrc = ssrc, .rtp_index = stream.rtp.highest(), .rtcp_index = {}};
        if (stream.next_rtcp_index > 1) state.rtcp_index = stream.next_rtcp_index - 1;
        states.push_back(state);
    });
    return states;
}

bool Sender::resume(const StreamState& state) {
    Stream* stream = stream_of(state.ssrc);
    if (stream == nullptr) return false;
    if (state.rtp_index) stream->rtp.resume_after(*state.rtp_index % rtp_index_end);
    if (state.rtcp_index) {
        stream->next_rtcp_index = std::min(*state.rtcp_index, rtcp_index_end - 1) + 1;
    }
    return true;
}

}  // namespace strowger::srtp
