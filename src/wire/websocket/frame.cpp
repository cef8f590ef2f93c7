#include "wire/websocket/frame.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/base64.hpp"
#include "base/utf8.hpp"

namespace strowger::websocket {

namespace {

constexpr std::string_view key_suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // section 1.3
constexpr std::size_t key_size = 16;
constexpr std::size_t sha1_size = 20;

}  // namespace

std::string frame_header(Opcode opcode, std::size_t payload) {
    std::string out;
    const auto put = [&](std::uint64_t value, int octets) {
        for (int i = octets - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
    };
    put(0x80U | static_cast<unsigned>(opcode), 1);
    if (payload <= 125) {
        put(payload, 1);
    } else if (payload <= 0xffff) {
        put(126, 1);
        put(payload, 2);
    } else {
        put(127, 1);
        put(payload, 8);
    }
    return out;
}

std::string close_payload(int code, std::string_view reason) {
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code)};
    while (!reason.empty()) {
        const auto size = std::max<std::size_t>(utf8_size(reason), 1);
        if (payload.size() + size > max_control_payload) break;
        payload += reason.substr(0, size);
        reason.remove_prefix(size);
    }
    return payload;
}

bool is_close_code(int code) {
    if (code >= 3000) return code < 5000;  // registered and private
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

std::string accept_value(std::string_view key) {
    std::string text(key);
    text += key_suffix;
    std::array<std::uint8_t, sha1_size> digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
    return to_base64(digest, Padding::written);
}

bool is_key(std::string_view key) {
    const auto bytes = from_base64(key);
    return bytes && bytes->size() == key_size;
}

}  // namespace strowger::websocket
