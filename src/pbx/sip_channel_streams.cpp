#include <algorithm>

#include "pbx/bridge.hpp"
#include "pbx/sip_channel.hpp"
#include "wire/sdp/session.hpp"

/// Sections beside the audio, video above all: whether a phone gets one depends on whom it talks
/// to.
namespace strowger::pbx {

namespace {

using sip::HeaderId;
using sip::Method;

// Those of sections beside the audio that were not refused.
std::vector<media::CodecSpec> stream_codecs(std::string_view text) {
    std::vector<media::CodecSpec> codecs;
    const auto session = sdp::Session::parse(text);
    if (!session) return codecs;
    for (const auto& section : session->media) {
        if (section.kind == "audio" || section.is_refused()) continue;
        for (const auto& format : section.formats)
            if (!format.name.empty() && sdp::kind_of(format.codec()) == section.kind)
                codecs.push_back(format.codec());
    }
    return codecs;
}

std::vector<std::string> kinds_of(const std::vector<media::CodecSpec>& codecs) {
    std::vector<std::string> kinds;
    for (const auto& codec : codecs) {
        const std::string kind(sdp::kind_of(codec));
        if (std::ranges::find(kinds, kind) == kinds.end()) kinds.push_back(kind);
    }
    std::ranges::sort(kinds);
    return kinds;
}

}  // namespace

std::vector<media::CodecSpec> SipChannel::codecs() const {
    auto all = offered_codecs_;
    all.insert(all.end(), streams_.begin(), streams_.end());
    return all;
}

void SipChannel::streams_agreed(std::string_view sdp) { streams_ = stream_codecs(sdp); }

void SipChannel::remember_kinds(std::string_view offer) {
    offered_kinds_ = kinds_of(stream_codecs(offer));
}

Task<> SipChannel::match(std::vector<media::CodecSpec> codecs) {
    const bool answered = state() == ChannelState::up || sent_progress_ || delayed_offer_;
    if (!is_caller_ || hung_up() || !has_media_ || answered || streams_.empty()) co_return;
    const auto self = shared_from_this();
    media::PublishRequest request{
        {linkedid(), uniqueid()}, std::string(session_->offer()), profile()};
    request.peer = std::move(codecs);
    auto answer = co_await core().engine.publish(std::move(request));
    if (!answer) co_return;
    local_sdp_ = std::move(*answer);
    streams_agreed(local_sdp_);
}

Task<bool> SipChannel::offer_streams(std::vector<media::CodecSpec> codecs) {
    const auto self = shared_from_this();
    if (!is_up() || offer_outcome_) co_return false;
    media::CreateRequest request{{linkedid(), uniqueid()}, profile()};
    request.preferred = offered_codecs_;
    request.peer = std::move(codecs);
    auto offer = co_await core().engine.create(std::move(request));
    if (!offer || hung_up() || offer_outcome_) co_return false;
    const auto now = core().now();
    if (!session_->reinvite(*offer, now)) co_return false;
    const auto before = std::exchange(local_sdp_, std::move(*offer));
    io::Completion<bool> outcome;
    offer_outcome_ = outcome;
    const auto too_late = core().loop.after(stream_patience, [weak = weak_from_this()] {
        if (const auto late = std::static_pointer_cast<SipChannel>(weak.lock()))
            late->offer_settled(false);
    });
    drain();
    core().signalling.touch();
    const bool accepted = co_await outcome;
    if (!accepted) local_sdp_ = before;
    co_return accepted;
}

void SipChannel::offer_settled(bool accepted) {
    if (const auto outcome = std::exchange(offer_outcome_, std::nullopt))
        outcome->resolve(accepted);
}

// What the party it talks to speaks, after that one has been asked whether it wants what this one
// has just begun. What this one has ended is taken from the other one without waiting for it.
Task<std::optional<std::vector<media::CodecSpec>>> SipChannel::ask_peer(std::string_view offer) {
    const auto peer =
        bridge ? std::dynamic_pointer_cast<SipChannel>(bridge->peer_of(*this)) : nullptr;
    auto wanted = stream_codecs(offer);
    const auto kinds = kinds_of(wanted);
    const auto before = std::exchange(offered_kinds_, kinds);
    if (!peer || !peer->is_up()) co_return std::nullopt;
    const auto theirs = kinds_of(peer->streams_);
    const bool more = kinds != before && !std::ranges::includes(theirs, kinds);
    const bool less = !std::ranges::includes(kinds, theirs);
    if (more) {
        (void)co_await peer->offer_streams(std::move(wanted));
    } else if (less) {
        core().tasks.spawn(
            [](std::shared_ptr<SipChannel> other, std::vector<media::CodecSpec> left) -> Task<> {
                (void)co_await other->offer_streams(std::move(left));
            }(peer, std::move(wanted)));
    }
    co_return peer->streams_;
}

// RFC 5168: "send a whole picture", from a phone that does not say so in RTCP.
bool SipChannel::pass_media_control(const sip::session::RequestArrived& event) {
    static constexpr std::string_view type = "application/media_control+xml";
    const auto& message = event.request->message();
    const auto given =
        trim(split_once(message.header(HeaderId::content_type).value_or(""), ';').first);
    if (!iequals(given, type)) return false;
    const auto peer =
        bridge ? std::dynamic_pointer_cast<SipChannel>(bridge->peer_of(*this)) : nullptr;
    session_->answer(event, 200, core().now());
    if (peer && peer->is_up() && !peer->streams_.empty()) {
        (void)peer->session_->request(Method::info, core().now(), {}, message.body(), type);
        peer->drain();
    }
    return true;
}

}  // namespace strowger::pbx
