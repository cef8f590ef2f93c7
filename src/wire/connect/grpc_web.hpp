#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "wire/connect/code.hpp"

/// gRPC-Web over HTTP/1.1: the body is frames of a flag byte, a length of 32 bits (big endian) and
/// so many bytes; the trailers are the last frame. gRPC over HTTP/2 has the same frames, and
/// trailers of HTTP.
namespace strowger::connect {

inline constexpr std::size_t grpc_header_size = 5;

struct GrpcMessage {
    std::string_view bytes;   ///< borrowed from the body
    bool compressed = false;  ///< with the codec that grpc-encoding names
};

/// The single message of a unary request. Anything behind its frame is an error.
Result<GrpcMessage> grpc_request(std::string_view body);

/// The frame of a message.
std::string grpc_frame(std::string_view message);
/// A grpc-message in a trailer: percent-encoded.
std::string grpc_text(std::string_view message);

/// The body of an answer: the message's frame and that of the trailers.
std::string grpc_answer(std::string_view message);
/// The body of a failed call: trailers alone.
std::string grpc_failure(Code code, std::string_view message);

}  // namespace strowger::connect
