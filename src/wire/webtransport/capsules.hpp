#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace strowger::webtransport {

/// Capsule types (RFC 9297 section 3.2; draft-ietf-webtrans-http3-02 section 5).
enum Capsule : std::uint64_t {
    capsule_close_session = 0x2843,
    capsule_drain_session = 0x78ae,
};

/// Cuts the contents of a session's DATA frames into capsules; what is unknown is skipped.
class CapsuleReader {
public:
    static constexpr std::size_t max_reason = 1024;  ///< of a close; draft-02 section 5
    /// Of an unknown capsule: nobody here sends any of such length.
    static constexpr std::uint64_t max_skipped = 64 << 10;

    struct Read {
        std::uint64_t type;
        std::uint32_t code = 0;  ///< of a close
        std::string reason;
    };
    Result<std::optional<Read>> next(Bytes& bytes);

private:
    std::array<std::uint8_t, 16> header_{};
    std::size_t header_length_ = 0;
    bool in_value_ = false;
    std::uint64_t type_ = 0, left_ = 0;
    std::vector<std::uint8_t> value_;
};

/// The close capsule; a reason that is too long is cut.
std::vector<std::uint8_t> close_capsule(std::uint32_t code, std::string_view reason);

}  // namespace strowger::webtransport
