#include "wire/connect/grpc_web.hpp"

#include <array>

#include "base/bytes.hpp"

namespace strowger::connect {

namespace {

constexpr std::uint8_t compressed_flag = 0x01;
constexpr std::uint8_t trailer_flag = 0x80;

std::string frame(std::uint8_t flag, std::string_view bytes) {
    std::array<std::uint8_t, grpc_header_size> header{flag};
    store32(header, 1, static_cast<std::uint32_t>(bytes.size()));
    std::string out(as_text(header));
    out += bytes;
    return out;
}

}  // namespace

std::string grpc_frame(std::string_view message) { return frame(0, message); }

// All but the printable ASCII, and '%' itself.
std::string grpc_text(std::string_view text) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '%') {
            out += c;
            continue;
        }
        out += '%';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

Result<GrpcMessage> grpc_request(std::string_view body) {
    if (body.size() < grpc_header_size)
        return fail("gRPC-Web: a frame has {} bytes before its message, {} came", grpc_header_size,
                    body.size());
    const auto header = as_bytes(body);
    const auto flag = header[0];
    if (flag & ~compressed_flag) return fail("gRPC-Web: flag {:#04x} instead of a message", flag);
    const std::size_t length = load32(header, 1);
    if (length != body.size() - grpc_header_size)
        return fail("gRPC-Web: a message of {} bytes but {} follow", length,
                    body.size() - grpc_header_size);
    return GrpcMessage{body.substr(grpc_header_size), (flag & compressed_flag) != 0};
}

std::string grpc_answer(std::string_view message) {
    return frame(0, message) + frame(trailer_flag, "grpc-status: 0\r\n");
}

std::string grpc_failure(Code code, std::string_view message) {
    return frame(trailer_flag, fmt::format("grpc-status: {}\r\ngrpc-message: {}\r\n",
                                           static_cast<int>(code), grpc_text(message)));
}

}  // namespace strowger::connect
