#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wasimoff.pb.h"

/// The envelopes that clients, broker and providers send each other: one in a WebSocket message, in
/// the protobuf form or as JSON.
namespace strowger::wasimoff {

namespace pb = ::wasimoff::v1;

enum class Codec { protobuf, json };

enum class Type { request = 1, response = 2, event = 3 };

struct Envelope {
    std::uint64_t sequence = 0;
    Type type = Type::request;
    std::optional<std::string> error;
    /// What the payload is: the name after the last slash of its type URL, whatever stands before
    /// it. Empty without a payload.
    std::string name;
    std::string payload;  ///< still encoded, in `codec`
    Codec codec = Codec::protobuf;

    /// Decodes the payload; the caller has looked at `name`. Unknown JSON fields are ignored.
    Result<> read(google::protobuf::Message& message) const;
    /// Whether the payload is of this message's type.
    template <typename Message>
    bool is() const {
        return name == Message::descriptor()->full_name();
    }
};

/// How deep JSON may nest; no message here goes beyond ten.
inline constexpr int max_json_depth = 64;

/// An absent sequence or type is an error here, as it would be to peers of other makers.
Result<Envelope> decode(Codec codec, Bytes message);

/// Payload and error may both be absent (nullptr, nullopt).
std::string encode(Codec codec, std::uint64_t sequence, Type type,
                   const google::protobuf::Message* payload,
                   std::optional<std::string_view> error = {});

/// A message by itself, without an envelope, as the bodies of HTTP requests hold it.
Result<> read_message(Codec codec, std::string_view text, google::protobuf::Message& message);
std::string write_message(Codec codec, const google::protobuf::Message& message);

/// The WebSocket subprotocol of each codec; the broker prefers the first.
inline constexpr std::string_view protobuf_subprotocol = "wasimoff_provider_v1_protobuf";
inline constexpr std::string_view json_subprotocol = "wasimoff_provider_v1_json";

/// What follows the last slash of a type URL.
std::string_view bare_name(std::string_view type_url);

}  // namespace strowger::wasimoff
