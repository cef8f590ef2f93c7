#include "wire/srtp/receiver.hpp"

namespace strowger::srtp {

namespace {

template <typename Window>
std::optional<Fault> fault_of(const Window& window, std::uint64_t index) {
    switch (window.check(index)) {
        case Window::Verdict::fresh: return std::nullopt;
        case Window::Verdict::seen: return Fault::replayed;
        case Window::Verdict::too_old: return Fault::too_old;
    }
    return std::nullopt;
}

}  // namespace

Result<Receiver> Receiver::make(const Policy& policy, std::span<const IdentifiedKey> keys) {
    if (auto checked = check(policy); !checked) return std::unexpected(checked.error());
    if (keys.empty() || keys.size() > max_keys) {
        return fail("a session has 1 to {} master keys, not {}", max_keys, keys.size());
    }
    Receiver made;
    for (const auto& key : keys) {
        if (auto checked = check(policy.suite, key); !checked) {
            return std::unexpected(checked.error());
        }
        if (key.mki.size() != keys[0].mki.size() || (keys.size() > 1 && key.mki.empty())) {
            return fail("{} master keys need identifiers of one length", keys.size());
        }
        made.keys_.emplace_back(policy, key, Transform::Use::unprotect);
    }
    return made;
}

Size Receiver::unprotect(MutableBytes packet) {
    const auto payload = payload_offset(packet);
    if (!payload) return payload;
    if (packet.size() < *payload + keys_[0].rtp_overhead()) {
        return std::unexpected(Fault::malformed);
    }
    const std::uint32_t ssrc = load32(packet, 8);
    Stream* stream = streams_.find(ssrc);
    const auto index =
        estimate_index(stream != nullptr ? stream->rtp.highest() : std::nullopt, load16(packet, 2));
    if (index >= rtp_index_end) return std::unexpected(Fault::key_exhausted);
    if (stream != nullptr) {
        if (const auto fault = fault_of(stream->rtp, index)) return std::unexpected(*fault);
    }
    for (auto& key : keys_) {
        if (!key.identifies_rtp(packet)) continue;
        const auto size = key.unprotect_rtp(packet, *payload, index);
        if (!size) return size;
        if (stream == nullptr) stream = streams_.add(ssrc);
        if (stream == nullptr) return std::unexpected(Fault::too_many_streams);
        stream->rtp.accept(index);
        return size;
    }
    return std::unexpected(Fault::unknown_mki);
}

Size Receiver::unprotect_rtcp(MutableBytes packet) {
    if (packet.size() < rtcp_header_size + keys_[0].rtcp_overhead() || packet[0] >> 6 != 2) {
        return std::unexpected(Fault::malformed);
    }
    const std::uint32_t ssrc = load32(packet, 4);
    const std::uint32_t index = keys_[0].rtcp_word(packet) & ~encrypted_flag;
    Stream* stream = streams_.find(ssrc);
    if (stream != nullptr) {
        if (const auto fault = fault_of(stream->rtcp, index)) return std::unexpected(*fault);
    }
    for (auto& key : keys_) {
        if (!key.identifies_rtcp(packet)) continue;
        const auto size = key.unprotect_rtcp(packet);
        if (!size) return size;
        if (stream == nullptr) stream = streams_.add(ssrc);
        if (stream == nullptr) return std::unexpected(Fault::too_many_streams);
        stream->rtcp.accept(index);
        return size;
    }
    return std::unexpected(Fault::unknown_mki);
}

std::vector<StreamState> Receiver::states() const {
    std::vector<StreamState> states;
    states.reserve(streams_.size());
    streams_.each([&](std::uint32_t ssrc, const Stream& stream) {
        StreamState state{.ssrc = ssrc, .rtp_index = stream.rtp.highest(), .rtcp_index = {}};
        if (const auto index = stream.rtcp.highest()) {
            state.rtcp_index = static_cast<std::uint32_t>(*index);
        }
        states.push_back(state);
    });
    return states;
}

bool Receiver::resume(const StreamState& state) {
    Stream* stream = streams_.find(state.ssrc);
    if (stream == nullptr) stream = streams_.add(state.ssrc);
    if (stream == nullptr) return false;
    if (state.rtp_index) stream->rtp.resume_after(*state.rtp_index % rtp_index_end);
    if (state.rtcp_index) stream->rtcp.resume_after(*state.rtcp_index % rtcp_index_end);
    return true;
}

}  // namespace strowger::srtp
