#include "wire/sip/builder.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "wire/sip/syntax.hpp"
#include "wire/sip/via.hpp"

namespace strowger::sip {

namespace {

// Most messages fit, so that building one allocates once.
constexpr std::size_t usual_size = 1024;

void append_number(std::string& out, std::uint64_t number) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

constexpr bool breaks_lines(char c) { return c == '\r' || c == '\n' || c == '\0'; }

/// No value may begin a header of its own.
void clean(std::string& out, std::size_t from) {
    std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), breaks_lines, ' ');
}

void append_clean(std::string& out, std::string_view value) {
    const auto start = out.size();
    out += value;
    clean(out, start);
}

}  // namespace

Builder Builder::request(std::string_view method, std::string_view uri) {
    Builder builder;
    builder.text_.reserve(usual_size);
    append_clean(builder.text_, method);
    builder.text_ += ' ';
    append_clean(builder.text_, uri);
    builder.text_ += " SIP/2.0\r\n";
    return builder;
}

Builder Builder::response(int status, std::string_view reason) {
    Builder builder;
    builder.text_.reserve(usual_size);
    builder.text_ += "SIP/2.0 ";
    append_number(builder.text_, static_cast<std::uint64_t>(status));
    builder.text_ += ' ';
    append_clean(builder.text_, reason.empty() ? reason_phrase(status) : reason);
    builder.text_ += "\r\n";
    return builder;
}

Builder Builder::response_to(const Message& request, int status, std::string_view to_tag,
                             std::string_view reason,
                             const std::optional<SocketAddress>& received_from) {
    Builder builder = response(status, reason);
    bool is_top = true;
    for (const auto& header : request.headers()) {
        if (header.id != HeaderId::via) continue;
        if (is_top && received_from) {
            builder.text_ += "Via: ";
            const auto start = builder.text_.size();
            append_received(builder.text_, header.value, *received_from);
            clean(builder.text_, start);
            builder.text_ += "\r\n";
        } else {
            builder.header(HeaderId::via, header.value);
        }
        is_top = false;
    }
    builder.header(HeaderId::from, request.from());
    builder.text_ += "To: ";
    append_clean(builder.text_, request.to());
    if (request.to_tag().empty() && !to_tag.empty()) {
        builder.text_ += ";tag=";
        append_clean(builder.text_, to_tag);
    }
    builder.text_ += "\r\n";
    builder.copy(HeaderId::call_id, request).copy(HeaderId::cseq, request);
    if (status == 100) builder.copy(HeaderId::timestamp, request);
    return builder;
}

Builder& Builder::header(HeaderId id, std::string_view value) { return header(name_of(id), value); }

Builder& Builder::header(std::string_view name, std::string_view value) {
    append_clean(text_, name);
    text_ += ": ";
    append_clean(text_, value);
    text_ += "\r\n";
    return *this;
}

Builder& Builder::header(HeaderId id, std::uint64_t number) {
    (text_ += name_of(id)) += ": ";
    append_number(text_, number);
    text_ += "\r\n";
    return *this;
}

Builder& Builder::copy(HeaderId id, const Message& from) {
    for (const auto& line : from.headers())
        if (line.id == id) header(id, line.value);
    return *this;
}

std::string Builder::finish() && {
    text_ += "Content-Length: 0\r\n\r\n";
    return std::move(text_);
}

std::string Builder::finish(std::string_view body, std::string_view content_type) && {
    if (!content_type.empty()) header(HeaderId::content_type, content_type);
    header(HeaderId::content_length, body.size());
    (text_ += "\r\n") += body;
    return std::move(text_);
}

}  // namespace strowger::sip
