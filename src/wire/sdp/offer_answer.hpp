#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "wire/sdp/description.hpp"
#include "wire/sdp/session.hpp"

namespace strowger::sdp {

/// The formats of an offered section that we allow: in the offerer's order and under the offerer's
/// numbers (RFC 3264 section 6.1). An empty list allows all that have a name. telephone-event and
/// CN stay only at the clock rate of a codec that stays (RFC 4733 section 2.1). Each keeps the
/// offer's fmtp, except that an allowed codec with an fmtp of its own answers with that.
std::vector<Payload> match_codecs(const Media& offer, std::span<const Codec> allowed);

/// The direction to answer (section 6.1): what was offered, reversed, as far as we want it.
Direction answer_direction(Direction offered, Direction wanted);

/// What we bring to the one audio section of ours.
struct LocalAudio {
    std::vector<Codec> codecs;  ///< allowed; empty allows all
    Direction direction = Direction::sendrecv;
    std::uint16_t port = 0;
    std::optional<std::uint16_t> rtcp_port;  ///< written as a=rtcp when not port + 1
    bool rtcp_mux = false;                   ///< we can; used when the offer has it too
    std::optional<std::uint32_t> ptime;
    std::vector<std::string> protocols = {"RTP/AVP", "RTP/AVPF"};  ///< those we can carry
};

/// One codec both ends agreed on, with the number to put on what we send and the one to expect.
struct AgreedPayload {
    std::uint8_t send_type = 0;
    std::uint8_t receive_type = 0;
    Codec codec;
};

/// What an offer and its answer together mean for one audio stream, as seen from us.
struct Agreement {
    std::size_t section = 0;              ///< index of the media section
    std::vector<AgreedPayload> payloads;  ///< best first; the first that is not auxiliary is spoken
    Direction direction = Direction::sendrecv;
    bool held = false;  ///< the other end put us on hold
    std::optional<SocketAddress> remote, remote_rtcp;
    bool rtcp_mux = false;
    std::optional<std::uint32_t> ptime;  ///< that the other end wants to receive

    const AgreedPayload* speech() const;  ///< the codec to speak
    /// The telephone-event of that clock rate, if agreed.
    const AgreedPayload* telephone_event(std::uint32_t clock_rate) const;
    const AgreedPayload* by_receive_type(std::uint8_t type) const;
};

struct Answer {
    Description description;
    std::optional<Agreement> audio;  ///< nothing when the offer had no media at all
};

/// Answers an offer: the first audio section that we can carry is taken, every other refused with
/// port 0, as many sections as offered and in that order (section 6); mids of accepted sections are
/// kept and BUNDLE groups restricted to them. `base` brings owner, name and address. Fails with
/// code 488 when sections are offered and none can be taken.
Result<Answer> answer(const Session& offer, const LocalAudio& local, Description base);

/// Takes one more section of the offer into an answer that refused it: one beside the audio, of the
/// kind that `local`'s codecs are of. Nothing, and nothing changes, when it cannot be carried.
std::optional<Agreement> accept_section(const Session& offer, std::size_t index,
                                        const LocalAudio& local, Description& answer);

/// An offer with one audio section; codecs get their static numbers, others numbers from 96 up
/// (telephone-event 101 when free, as every phone expects). `keep` is the previous offer or answer
/// on the same session: its numbers are kept (section 8.3.2) and its sections beyond the audio one
/// stay as refused ones (section 8: sections never go away).
Description offer(const LocalAudio& local, Description base, const Description* keep = nullptr);

/// Puts a section of another kind into an offer: at `index`, where it was refused or somebody
/// else's of that kind stood before, or behind the last. Numbers are those of `keep`, as in
/// `offer`. Returns where it stands.
std::size_t add_section(Description& offer, std::string_view kind, const LocalAudio& local,
                        std::optional<std::size_t> index, const Description* keep = nullptr);
/// What the answer to it means; nothing when it was refused, or takes nothing that was offered.
std::optional<Agreement> section_answered(const Description& offer, std::size_t index,
                                          const Session& answer);

/// The other end's answer to our offer. Fails with code 488 when it takes no audio or a codec that
/// we did not offer, 400 when its sections are not those of the offer.
Result<Agreement> accept_answer(const Description& offer, const Session& answer);

}  // namespace strowger::sdp
