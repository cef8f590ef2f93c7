#pragma once

#include <string>
#include <string_view>

#include "media/relay_engine.hpp"
#include "relay/call.hpp"
#include "relay/request.hpp"
#include "relay/sdp_writer.hpp"
#include "relay/settings.hpp"

namespace strowger::relay {

/// One description on its way from one party of a call to another, an offer or an answer: what it
/// says about its sender is applied to the sender's streams, and what the receiver is to know of
/// ours stands in the text that comes out.
class Negotiation {
public:
    struct House {
        media::RelayEngine& engine;
        Interfaces& interfaces;
        const Settings& settings;
        std::string_view instance;                              ///< the mark against loops
        const std::shared_ptr<const dtls::Identity>& identity;  ///< of today
    };

    Negotiation(House house, Call& call, const Request& request)
        : house_(house), call_(call), request_(request) {}

    Result<std::string> offer(Party& from, Party& to);
    Result<std::string> answer(Party& from, Party& to);

    // For descriptions that we make ourselves, of one party alone.
    /// Takes the party's offer: streams, and keys to answer with.
    Result<> take_offer(Party& party);
    /// Opens streams towards a party that is to hear these others, for an offer to it.
    Result<> make_offer(Party& listener, const std::vector<Party*>& sources);
    Result<> open_for_offer(Party& party, Section& section);
    void add_codecs(const Party& source, const Section& from, Section& section) const;
    /// The party's answer to either.
    Result<> take_answer(Party& party);

    /// What is said to a party of ICE and DTLS in a section: whole attributes.
    std::vector<std::string> transport_lines(Party& to, const Section& ours) const;

    /// More candidates of the sender's (RFC 8840), in no whole description.
    Result<> trickle(Party& from);

private:
    Result<std::string> run(Party& from, Party& to, bool is_offer);
    void remember(Party& from, Party& to, bool is_offer);
    std::optional<IpAddress> media_address_of(const Party& from) const;
    void choose_by_route(Party& party, const Request::Peer& peer,
                         const std::optional<IpAddress>& usual);
    Result<> learn(Party& from, Section& section, const sdp::Media& media);
    Result<> prepare(Party& from, Party& to, Section& theirs, Section& ours,
                     const sdp::Media& media, bool is_offer);
    void choose_published(Section& section) const;
    Result<> open(Party& party, Section& section, bool v6, std::optional<SocketAddress> opened_for);
    void agree_mux(Section& theirs, Section& ours, bool is_offer);
    // negotiation_webrtc.cpp
    bool goes_through(const Section& theirs, const Section& ours, const sdp::Media& media) const;
    Result<> agree_webrtc(Party& from, Party& to, Section& theirs, Section& ours,
                          const sdp::Media& media, bool is_offer);
    void choose_ice_alone(Section& theirs, Section& ours, const sdp::Media& media) const;
    void remember_webrtc(Party& from, Party& to, bool is_offer);
    void group(Party& party, Section& section);
    Webrtc::Local local_of(const Section& section) const;
    void open_further(Section& section);
    static void close_further(Section& section);
    static void ride(Section& section);
    Result<> agree_webrtc_alone(Party& party, Section& section, const sdp::Media& media,
                                bool offers);
    std::string bundle_of(Party& to, const std::vector<SectionOutput>& outputs,
                          bool is_offer) const;
    Result<> agree_keys(Section& theirs, Section& ours, bool is_offer);
    void aim(Party& party, Section& section);
    SectionOutput output(Party& to, Section& theirs, Section& ours, const sdp::Media& media,
                         std::size_t index, bool is_offer);
    sdp::Direction direction_towards(const Party& to, const Section& theirs, const Section& ours,
                                     bool is_offer) const;
    bool removes(const sdp::Media& media) const;
    SessionOutput session(Party& to, const sdp::Session& sdp, const IpAddress& address);
    std::string versioned(Party& to, std::string text);

    House house_;
    Call& call_;
    const Request& request_;
    const sdp::Session* sdp_ = nullptr;  ///< that `run` is at
};

}  // namespace strowger::relay
