#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "wire/sip/method.hpp"

namespace strowger::sip {

/// The headers that the stack itself looks at; every other is `other` and found by its name.
enum class HeaderId : std::uint8_t {
    other,
    via,
    from,
    to,
    call_id,
    cseq,
    contact,
    max_forwards,
    route,
    record_route,
    path,
    service_route,
    content_length,
    content_type,
    authorization,
    www_authenticate,
    proxy_authorization,
    proxy_authenticate,
    authentication_info,
    expires,
    min_expires,
    allow,
    supported,
    require,
    proxy_require,
    unsupported,
    accept,
    user_agent,
    server,
    date,
    reason,
    retry_after,
    rseq,
    rack,
    session_expires,
    min_se,
    refer_to,
    referred_by,
    replaces,
    event,
    subscription_state,
    allow_events,
    p_asserted_identity,
    p_preferred_identity,
    remote_party_id,
    privacy,
    diversion,
    history_info,
    warning,
    timestamp,
    subject,
    organization,
    in_reply_to,
    alert_info,
    call_info,
    error_info,
    content_encoding,
    content_disposition,
    content_language,
    mime_version,
    join,
    refer_sub,
    sip_etag,
    sip_if_match,
    x_asterisk_hangup_cause,
};

HeaderId header_by_name(std::string_view name);  ///< case-insensitive, compact forms too
std::string_view name_of(HeaderId id);           ///< canonical spelling; "" for other

/// One header line as it came.
struct Header {
    HeaderId id = HeaderId::other;
    std::string_view name;   ///< as spelled on the wire
    std::string_view value;  ///< trimmed; may hold several comma-separated values, and folds
};

/// A request or response over the bytes it came in (RFC 3261 section 7).
///
/// Borrowed: views point into the buffer given to `parse`, which must outlive the message. Nothing
/// is copied and, up to `inline_headers` lines, nothing is allocated.
class Message {
public:
    static constexpr std::size_t max_size = 65535;   ///< bytes, also over streams
    static constexpr std::size_t max_headers = 256;  ///< header lines
    static constexpr std::size_t inline_headers = 48;

    /// The error names what is wrong and where. Its code is the status that section 8.2 asks a UAS
    /// to answer with (400, 413, 505, 513) or 0 when nothing can be answered.
    static Result<Message> parse(std::string_view bytes);
    /// The same into this message, which must be new: one is 2 KB, too much to be moved about.
    Result<> read(std::string_view bytes);

    bool is_request() const { return status_ == 0; }
    Method method() const { return method_; }  ///< of the request, or of a response's CSeq
    std::string_view method_text() const { return method_text_; }
    std::string_view request_uri() const { return request_uri_; }
    int status() const { return status_; }
    std::string_view reason() const { return reason_; }
    std::string_view body() const { return body_; }
    std::string_view bytes() const { return bytes_; }  ///< all of it, as it came

    std::span<const Header> headers() const;
    /// The first line of that header, or nothing.
    std::optional<std::string_view> header(HeaderId id) const;
    std::optional<std::string_view> header(std::string_view name) const;
    /// Every value of that header in order, comma-separated lists taken apart (section 7.3.1).
    std::vector<std::string_view> values(HeaderId id) const;
    /// Whether a list header (Supported, Require, Allow ...) holds that token, case-insensitively.
    bool lists(HeaderId id, std::string_view token) const;

    // The parts every message has; parsed once, present and well-formed after `parse`.
    std::string_view call_id() const { return call_id_; }
    std::uint32_t cseq() const { return cseq_; }
    std::string_view from() const { return from_; }
    std::string_view to() const { return to_; }
    std::string_view from_tag() const { return from_tag_; }
    std::string_view to_tag() const { return to_tag_; }    ///< empty when absent
    std::string_view top_via() const { return top_via_; }  ///< the first value of the first Via
    std::string_view branch() const { return branch_; }    ///< of the top Via; empty when absent

private:
    friend class MessageParser;

    std::string_view bytes_, method_text_, request_uri_, reason_, body_, call_id_, from_, to_,
        from_tag_, to_tag_, top_via_, branch_;
    Method method_ = Method::unknown;
    int status_ = 0;
    std::uint32_t cseq_ = 0;
    std::size_t header_count_ = 0;
    std::array<Header, inline_headers> inline_{};
    std::vector<Header> more_;  ///< all of them, once they outgrow `inline_`
};

}  // namespace strowger::sip
