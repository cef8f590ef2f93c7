#include "wire/ng/framing.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace strowger::ng {

std::optional<Message> split_message(std::string_view datagram) {
    const auto space = datagram.find(' ');
    if (space == 0 || space == std::string_view::npos || space > max_cookie) return std::nullopt;
    return Message{datagram.substr(0, space), datagram.substr(space + 1)};
}

std::string join_message(std::string_view cookie, std::string_view document) {
    std::string message;
    message.reserve(cookie.size() + 1 + document.size());
    message += cookie;
    message += ' ';
    message += document;
    return message;
}

DocumentScanner::State DocumentScanner::scan(std::string_view text) {
    if (text.empty()) return State::more;
    if (text[0] == 'd') return scan_bencode(text);
    if (text[0] == '{') return scan_json(text);
    return State::broken;
}

DocumentScanner::State DocumentScanner::scan_bencode(std::string_view text) {
    while (at_ < text.size()) {
        const char c = text[at_];
        if (in_length_) {
            if (is_digit(c)) {
                length_ = length_ * 10 + static_cast<std::size_t>(c - '0');
                if (length_ > max_document) return State::broken;
                ++at_;
                continue;
            }
            if (c != ':') return State::broken;
            if (text.size() - at_ - 1 < length_) return State::more;
            at_ += 1 + length_;
            in_length_ = false;
        } else if (in_integer_) {
            in_integer_ = c != 'e';
            ++at_;
        } else if (is_digit(c)) {
            in_length_ = true;
            length_ = 0;
        } else if (c == 'i') {
            in_integer_ = true;
            ++at_;
        } else if (c == 'd' || c == 'l') {
            ++depth_;
            ++at_;
        } else if (c == 'e') {
            ++at_;
            if (--depth_ == 0) return State::complete;
        } else {
            return State::broken;
        }
    }
    return State::more;
}

DocumentScanner::State DocumentScanner::scan_json(std::string_view text) {
    while (at_ < text.size()) {
        const char c = text[at_++];
        if (in_string_) {
            if (escaped_) {
                escaped_ = false;
            } else if (c == '\\') {
                escaped_ = true;
            } else if (c == '"') {
                in_string_ = false;
            }
        } else if (c == '"') {
            in_string_ = true;
        } else if (c == '{' || c == '[') {
            ++depth_;
        } else if ((c == '}' || c == ']') && --depth_ == 0) {
            return State::complete;
        }
    }
    return State::more;
}

void StreamFramer::receive(std::string_view bytes) {
    if (taken_ > 0) {
        buffer_.erase(0, taken_);
        taken_ = 0;
    }
    buffer_ += bytes;
}

Result<std::optional<Message>> StreamFramer::poll() {
    if (taken_ > 0) {
        buffer_.erase(0, taken_);
        taken_ = 0;
    }
    if (document_ == 0) {
        const auto begin = std::ranges::find_if_not(buffer_, is_space) - buffer_.begin();
        buffer_.erase(0, static_cast<std::size_t>(begin));  // line ends between messages
        const auto space = buffer_.find(' ');
        if (std::min(space, buffer_.size()) > max_cookie) {
            return fail("NG stream: a cookie of more than {} bytes", max_cookie);
        }
        if (space == std::string::npos) return std::nullopt;
        document_ = space + 1;
        scanner_ = {};
    }
    const std::string_view text = std::string_view(buffer_).substr(document_);
    const auto state = scanner_.scan(text);
    const auto size = state == DocumentScanner::State::complete ? scanner_.size() : text.size();
    if (state == DocumentScanner::State::broken) {
        return fail("NG stream: what follows the cookie is neither bencode nor JSON");
    }
    if (size > max_document)
        return fail("NG stream: a message of more than {} bytes", max_document);
    if (state == DocumentScanner::State::more) return std::nullopt;
    const Message message{std::string_view(buffer_).substr(0, document_ - 1), text.substr(0, size)};
    taken_ = document_ + size;
    document_ = 0;
    return message;
}

}  // namespace strowger::ng
