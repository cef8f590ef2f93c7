#include "wire/wasimoff/envelope.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace strowger::wasimoff {

namespace {

using google::protobuf::io::CodedOutputStream;
using Json = nlohmann::json;

constexpr std::string_view url_prefix = "wasimoff/";

// Nesting of brackets outside of strings, so that no parser's or printer's recursion is at a
// peer's mercy.
bool nests_too_deep(std::string_view text) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                quoted = false;
            continue;
        }
        if (c == '"') quoted = true;
        if ((c == '{' || c == '[') && ++depth > max_json_depth) return true;
        if (c == '}' || c == ']') --depth;
    }
    return false;
}

std::optional<Type> known_type(std::uint64_t number) {
    if (number < 1 || number > 3) return std::nullopt;
    return static_cast<Type>(number);
}

Result<Envelope> decode_protobuf(Bytes message) {
    pb::Envelope parsed;
    if (!parsed.ParseFromArray(message.data(), static_cast<int>(message.size())))
        return fail("envelope: not a protobuf message ({} bytes)", message.size());
    if (!parsed.has_sequence()) return fail("envelope: sequence is absent");
    const auto type = known_type(static_cast<std::uint64_t>(parsed.type()));
    if (!type) return fail("envelope: type {} is not 1 to 3", static_cast<int>(parsed.type()));
    Envelope envelope;
    envelope.sequence = parsed.sequence();
    envelope.type = *type;
    if (parsed.has_error()) envelope.error = std::move(*parsed.mutable_error());
    if (parsed.has_payload()) {
        envelope.name = bare_name(parsed.payload().type_url());
        envelope.payload = std::move(*parsed.mutable_payload()->mutable_value());
    }
    return envelope;
}

std::optional<std::uint64_t> json_number(const Json& value) {
    if (value.is_number_unsigned()) return value.get<std::uint64_t>();
    if (value.is_string()) return parse_number<std::uint64_t>(value.get_ref<const std::string&>());
    return std::nullopt;
}

std::optional<Type> json_type(const Json& value) {
    if (value.is_string()) {
        const auto& name = value.get_ref<const std::string&>();
        if (name == "Request") return Type::request;
        if (name == "Response") return Type::response;
        if (name == "Event") return Type::event;
    }
    const auto number = json_number(value);
    return number ? known_type(*number) : std::nullopt;
}

Result<Envelope> decode_json(std::string_view text) {
    if (nests_too_deep(text)) return fail("envelope: JSON nests deeper than {}", max_json_depth);
    auto root = Json::parse(text, nullptr, false);
    if (!root.is_object()) return fail("envelope: not a JSON object ({} bytes)", text.size());
    Envelope envelope;
    envelope.codec = Codec::json;
    const auto sequence = root.find("sequence");
    if (sequence == root.end()) return fail("envelope: sequence is absent");
    const auto number = json_number(*sequence);
    if (!number) return fail("envelope: sequence is not a number");
    envelope.sequence = *number;
    const auto type = root.find("type");
    const auto known = type == root.end() ? std::nullopt : json_type(*type);
    if (!known) return fail("envelope: type is neither Request, Response nor Event");
    envelope.type = *known;
    if (const auto error = root.find("error"); error != root.end() && error->is_string())
        envelope.error = error->get<std::string>();
    if (const auto payload = root.find("payload"); payload != root.end() && payload->is_object()) {
        const auto name = payload->find("@type");
        if (name == payload->end() || !name->is_string())
            return fail("envelope: payload has no @type");
        envelope.name = bare_name(name->get_ref<const std::string&>());
        payload->erase(name);
        envelope.payload = payload->dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    return envelope;
}

constexpr std::size_t tag_size = 1;  // all field numbers here are below 16

std::string encode_protobuf(std::uint64_t sequence, Type type,
                            const google::protobuf::Message* payload,
                            std::optional<std::string_view> error) {
    const auto delimited = [](std::size_t size) {
        return tag_size + CodedOutputStream::VarintSize64(size) + size;
    };
    std::size_t url = 0, value = 0, any = 0;
    std::size_t total = tag_size + CodedOutputStream::VarintSize64(sequence) + tag_size + 1;
    if (payload) {
        url = url_prefix.size() + payload->GetDescriptor()->full_name().size();
        value = payload->ByteSizeLong();
        any = delimited(url) + (value ? delimited(value) : 0);
        total += delimited(any);
    }
    if (error) total += delimited(error->size());

    std::string out(total, '\0');
    auto* at = reinterpret_cast<std::uint8_t*>(out.data());
    const auto put = [&](std::string_view text) { at = std::copy(text.begin(), text.end(), at); };
    const auto head = [&](int field, std::size_t size) {
        *at++ = static_cast<std::uint8_t>(field << 3 | 2);
        at = CodedOutputStream::WriteVarint64ToArray(size, at);
    };
    *at++ = 1 << 3;
    at = CodedOutputStream::WriteVarint64ToArray(sequence, at);
    *at++ = 2 << 3;
    *at++ = static_cast<std::uint8_t>(type);
    if (error) {
        head(3, error->size());
        put(*error);
    }
    if (payload) {
        head(4, any);
        head(1, url);
        put(url_prefix);
        put(payload->GetDescriptor()->full_name());
        if (value) {
            head(2, value);
            at = payload->SerializeWithCachedSizesToArray(at);
        }
    }
    return out;
}

std::string encode_json(std::uint64_t sequence, Type type, const google::protobuf::Message* payload,
                        std::optional<std::string_view> error) {
    static constexpr std::array<std::string_view, 4> names{"UNKNOWN", "Request", "Response",
                                                           "Event"};
    auto out = fmt::format(R"({{"sequence":"{}","type":"{}")", sequence,
                           names[static_cast<std::size_t>(type)]);
    if (error) {
        out += R"(,"error":)";
        out += Json(*error).dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    if (payload) {
        const auto body = write_message(Codec::json, *payload);
        out += fmt::format(R"(,"payload":{{"@type":"{}{}"{}{})", url_prefix,
                           payload->GetDescriptor()->full_name(), body == "{}" ? "" : ",",
                           std::string_view(body).substr(1));
    }
    return out + "}";
}

}  // namespace

std::string_view bare_name(std::string_view type_url) {
    const auto slash = type_url.rfind('/');
    return slash == std::string_view::npos ? type_url : type_url.substr(slash + 1);
}

Result<> Envelope::read(google::protobuf::Message& message) const {
    return read_message(codec, payload, message);
}

Result<Envelope> decode(Codec codec, Bytes message) {
    return codec == Codec::json ? decode_json(as_text(message)) : decode_protobuf(message);
}

std::string encode(Codec codec, std::uint64_t sequence, Type type,
                   const google::protobuf::Message* payload,
                   std::optional<std::string_view> error) {
    return codec == Codec::json ? encode_json(sequence, type, payload, error)
                                : encode_protobuf(sequence, type, payload, error);
}

Result<> read_message(Codec codec, std::string_view text, google::protobuf::Message& message) {
    const auto& name = message.GetDescriptor()->full_name();
    if (codec == Codec::protobuf) {
        if (message.ParseFromArray(text.data(), static_cast<int>(text.size()))) return {};
        return fail("{}: not a protobuf message ({} bytes)", name, text.size());
    }
    if (nests_too_deep(text)) return fail("{}: JSON nests deeper than {}", name, max_json_depth);
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = true;
    const auto status = google::protobuf::util::JsonStringToMessage(
        google::protobuf::StringPiece(text.data(), text.size()), &message, options);
    if (status.ok()) return {};
    return fail("{}: {}", name, status.message().ToString());
}

std::string write_message(Codec codec, const google::protobuf::Message& message) {
    std::string out;
    if (codec == Codec::protobuf) {
        message.SerializeToString(&out);
        return out;
    }
    const auto status = google::protobuf::util::MessageToJsonString(message, &out);
    return status.ok() ? out : "{}";
}

}  // namespace strowger::wasimoff
