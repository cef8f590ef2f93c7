#pragma once

#include <cstdint>
#include <optional>

namespace strowger::webtransport {

/// Error codes of HTTP/3 (RFC 9114 section 8.1), QPACK (RFC 9204 section 6) and WebTransport
/// (draft-ietf-webtrans-http3-02 section 7). An Error of this folder carries one as its code.
enum Code : std::uint32_t {
    h3_no_error = 0x100,
    h3_general_protocol_error = 0x101,
    h3_internal_error = 0x102,
    h3_stream_creation_error = 0x103,
    h3_closed_critical_stream = 0x104,
    h3_frame_unexpected = 0x105,
    h3_frame_error = 0x106,
    h3_excessive_load = 0x107,
    h3_id_error = 0x108,
    h3_settings_error = 0x109,
    h3_missing_settings = 0x10a,
    h3_request_rejected = 0x10b,
    h3_message_error = 0x10e,
    h3_datagram_error = 0x33,
    qpack_decompression_failed = 0x200,
    qpack_encoder_stream_error = 0x201,
    webtransport_buffered_stream_rejected = 0x3994bd84,
    webtransport_session_gone = 0x170d7b68,
};

/// Where the codes that an application gives its resets begin among those of HTTP/3
/// (draft-02 section 4.3): every 31st is reserved and left out.
inline constexpr std::uint64_t first_application_code = 0x52e4a40fa8db;
inline constexpr std::uint64_t last_application_code = 0x52e5ac983162;

constexpr std::uint64_t to_http3_code(std::uint32_t code) {
    return first_application_code + code + code / 0x1e;
}

/// Nothing for what is outside of the range, or reserved.
constexpr std::optional<std::uint32_t> from_http3_code(std::uint64_t code) {
    if (code < first_application_code || code > last_application_code) return std::nullopt;
    if ((code - 0x21) % 0x1f == 0) return std::nullopt;
    const auto shifted = code - first_application_code;
    return static_cast<std::uint32_t>(shifted - shifted / 0x1f);
}

}  // namespace strowger::webtransport
