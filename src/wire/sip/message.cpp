#include "wire/sip/message.hpp"

#include <algorithm>
#include <cstring>

#include "base/text.hpp"
#include "wire/sip/cseq.hpp"
#include "wire/sip/syntax.hpp"
#include "wire/sip/uri.hpp"
#include "wire/sip/via.hpp"

namespace strowger::sip {

namespace {

using syntax::npos;

using syntax::excerpt;

/// The headers whose lines may hold several values (section 7.3.1 and each header's own grammar).
bool is_list(HeaderId id) {
    switch (id) {
        case HeaderId::via:
        case HeaderId::contact:
        case HeaderId::route:
        case HeaderId::record_route:
        case HeaderId::path:
        case HeaderId::service_route:
        case HeaderId::allow:
        case HeaderId::supported:
        case HeaderId::require:
        case HeaderId::proxy_require:
        case HeaderId::unsupported:
        case HeaderId::accept:
        case HeaderId::reason:
        case HeaderId::allow_events:
        case HeaderId::p_asserted_identity:
        case HeaderId::p_preferred_identity:
        case HeaderId::remote_party_id:
        case HeaderId::diversion:
        case HeaderId::history_info:
        case HeaderId::warning:
        case HeaderId::in_reply_to:
        case HeaderId::alert_info:
        case HeaderId::call_info:
        case HeaderId::error_info:
        case HeaderId::content_encoding:
        case HeaderId::content_language: return true;
        default: return false;
    }
}

std::size_t find(std::string_view text, char c, std::size_t from) {
    const auto* hit =
        static_cast<const char*>(std::memchr(text.data() + from, c, text.size() - from));
    return hit == nullptr ? npos : static_cast<std::size_t>(hit - text.data());
}

}  // namespace

/// Fills a Message in place: it is too large to be moved about for every packet.
class MessageParser {
public:
    explicit MessageParser(Message& message) : m_(message) {}

    Result<> parse(std::string_view bytes) {
        // Section 7.5: empty lines before the start line are ignored.
        while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
        bytes_ = m_.bytes_ = bytes;
        if (bytes.empty()) return fail("empty message");
        Result<> done = start_line();
        if (done && bytes.size() > Message::max_size)
            done = fail_with(513, "message of {} bytes, at most {} are taken", bytes.size(),
                             Message::max_size);
        if (done) done = header_lines();
        if (done) done = single_values();
        if (done) done = addresses();
        if (done) done = body();
        // Nothing is ever answered to a response.
        if (!done && (bytes.starts_with("SIP/") || !looks_like_sip_))
            return std::unexpected(Error(done.error().text()));
        return done;
    }

private:
    Result<> start_line() {
        const auto end = bytes_.find("\r\n");
        const auto line = bytes_.substr(0, end);
        looks_like_sip_ = line.find("SIP/") != npos;
        if (end == npos) return fail_with(400, "start line '{}' does not end", excerpt(line));
        at_ = end + 2;
        return line.starts_with("SIP/") ? status_line(line) : request_line(line);
    }

    Result<> status_line(std::string_view line) {
        if (!line.starts_with("SIP/2.0 "))
            return fail("status line '{}': expected SIP/2.0", excerpt(line));
        const auto code = line.substr(8, 3);
        const auto rest = line.substr(std::min<std::size_t>(11, line.size()));
        const auto status = parse_number<int>(code);
        if (!status || code.size() != 3 || *status < 100 || *status > 699 ||
            (!rest.empty() && rest.front() != ' '))
            return fail("status line '{}': expected a code from 100 to 699", excerpt(line));
        m_.status_ = *status;
        if (!rest.empty()) m_.reason_ = rest.substr(1);
        return {};
    }

    Result<> request_line(std::string_view line) {
        const auto wrong = [&](int code, std::string_view expected) {
            return fail_with(code, "request line '{}': expected {}", excerpt(line), expected);
        };
        const auto first = line.find(' ');
        const auto second = first == npos ? npos : line.find(' ', first + 1);
        if (second == npos) return wrong(400, "METHOD URI SIP/2.0");
        m_.method_text_ = line.substr(0, first);
        m_.request_uri_ = line.substr(first + 1, second - first - 1);
        const auto version = line.substr(second + 1);
        if (!syntax::is_token(m_.method_text_)) return wrong(400, "a method");
        if (!iequals(version, "SIP/2.0")) {
            const bool is_version = istarts_with(version, "SIP/") && version.find(' ') == npos;
            return wrong(is_version ? 505 : 400, "SIP/2.0");
        }
        m_.method_ = method_by_name(m_.method_text_);
        return request_uri();
    }

    Result<> request_uri() {
        const auto uri = Uri::parse(m_.request_uri_);
        // Another scheme is for the layer above to refuse (416, section 8.2.2.1), if it is a URI.
        if (!uri && uri.error().code() != 416)
            return std::unexpected(uri.error().within("Request-URI"));
        if (!uri) {
            const auto scheme = m_.request_uri_.substr(0, m_.request_uri_.find(':'));
            if (!syntax::is_token(scheme) || m_.request_uri_.find_first_of("<>\"\t") != npos)
                return fail_with(400, "Request-URI '{}' is no URI", excerpt(m_.request_uri_));
        } else if (!uri->headers.empty()) {
            return fail_with(400, "Request-URI '{}' may not hold headers",
                             excerpt(m_.request_uri_));
        }
        return {};
    }

    Result<> header_lines() {
        for (;;) {
            if (bytes_.compare(at_, 2, "\r\n") == 0) {
                at_ += 2;
                return {};
            }
            if (auto line = header_line(); !line) return line;
        }
    }

    /// One header with its folds; `at_` is moved behind it.
    Result<> header_line() {
        const auto start = at_;
        auto name_end = start;
        while (name_end < bytes_.size() && syntax::is_token(bytes_[name_end])) ++name_end;
        auto colon = name_end;
        while (colon < bytes_.size() && (bytes_[colon] == ' ' || bytes_[colon] == '\t')) ++colon;
        if (name_end == start || colon == bytes_.size() || bytes_[colon] != ':')
            return fail_with(400, "header {} '{}': expected NAME ':' or an empty line",
                             m_.header_count_ + 1, excerpt(bytes_.substr(start)));
        std::size_t end = colon + 1;
        for (;;) {
            end = find(bytes_, '\n', end);
            if (end == npos)
                return fail_with(400, "header '{}' does not end in CRLF",
                                 excerpt(bytes_.substr(start)));
            if (bytes_[end - 1] != '\r')
                return fail_with(400, "header '{}' ends in LF without CR",
                                 excerpt(bytes_.substr(start)));
            ++end;
            const bool folds = end < bytes_.size() && (bytes_[end] == ' ' || bytes_[end] == '\t');
            if (!folds) break;
        }
        at_ = end;
        return add(bytes_.substr(start, name_end - start),
                   bytes_.substr(colon + 1, end - colon - 1));
    }

    Result<> add(std::string_view name, std::string_view value) {
        if (m_.header_count_ == Message::max_headers)
            return fail_with(513, "more than {} header lines", Message::max_headers);
        const Header header{header_by_name(name), name, syntax::trim_lws(value)};
        // A stray CR would let two readers see two different messages.
        for (std::size_t cr = 0; (cr = header.value.find('\r', cr)) != npos; ++cr)
            if (header.value[cr + 1] != '\n')
                return fail_with(400, "header '{}' holds CR without LF", name);
        if (m_.header_count_ < Message::inline_headers) {
            m_.inline_[m_.header_count_] = header;
        } else {
            if (m_.more_.empty()) m_.more_.assign(m_.inline_.begin(), m_.inline_.end());
            m_.more_.push_back(header);
        }
        ++m_.header_count_;
        return {};
    }

    /// Finds the headers that stand once at most; a second one is an error (section 7.3.1).
    Result<> single_values() {
        for (const auto& header : m_.headers()) {
            std::optional<std::string_view>* place = nullptr;
            switch (header.id) {
                case HeaderId::via:
                    if (!via_) via_ = header.value;
                    continue;
                case HeaderId::from: place = &from_; break;
                case HeaderId::to: place = &to_; break;
                case HeaderId::call_id: place = &call_id_; break;
                case HeaderId::cseq: place = &cseq_; break;
                case HeaderId::max_forwards: place = &max_forwards_; break;
                case HeaderId::content_length: place = &content_length_; break;
                case HeaderId::content_type: place = &content_type_; break;
                case HeaderId::expires: place = &expires_; break;
                default: continue;
            }
            if (*place) return fail_with(400, "two {} headers", name_of(header.id));
            *place = header.value;
        }
        if (!via_) return fail_with(400, "no Via header");
        if (!from_) return fail_with(400, "no From header");
        if (!to_) return fail_with(400, "no To header");
        if (!cseq_) return fail_with(400, "no CSeq header");
        if (!call_id_) return fail_with(400, "no Call-ID header");
        const auto is_blank = [](char c) { return c == ' ' || syntax::is_control(c); };
        if (call_id_->empty() || std::any_of(call_id_->begin(), call_id_->end(), is_blank))
            return fail_with(400, "Call-ID '{}': expected one word", excerpt(*call_id_));
        m_.call_id_ = *call_id_;
        if (max_forwards_ && !parse_number<std::uint32_t>(*max_forwards_))
            return fail_with(400, "Max-Forwards '{}': expected a number", excerpt(*max_forwards_));
        return cseq();
    }

    Result<> cseq() {
        const auto cseq = CSeq::parse(*cseq_);
        if (!cseq) return std::unexpected(cseq.error());
        m_.cseq_ = cseq->number;
        if (!m_.is_request()) {
            m_.method_text_ = cseq->method;
            m_.method_ = method_by_name(cseq->method);
        } else if (cseq->method != m_.method_text_) {
            return fail_with(400, "CSeq '{}' in a {} request", excerpt(*cseq_),
                             excerpt(m_.method_text_));
        }
        return {};
    }

    Result<> addresses() {
        const auto top = via_->substr(0, syntax::value_end(*via_));
        const auto via = Via::parse(top);
        if (!via) return std::unexpected(via.error());
        m_.top_via_ = syntax::trim_lws(top);
        m_.branch_ = via->branch;
        const auto from = NameAddress::parse(*from_);
        if (!from) return std::unexpected(from.error().within("From"));
        m_.from_ = *from_;
        const auto from_tag = from->parameter("tag");
        m_.from_tag_ = from_tag.value_or(std::string_view{});
        const auto to = NameAddress::parse(*to_);
        if (!to) return std::unexpected(to.error().within("To"));
        m_.to_ = *to_;
        const auto to_tag = to->parameter("tag");
        m_.to_tag_ = to_tag.value_or(std::string_view{});
        // An empty tag would count as none here and as one to the next reader.
        if (from_tag && from_tag->empty())
            return fail_with(400, "From '{}': the tag is empty", excerpt(*from_));
        if (to_tag && to_tag->empty())
            return fail_with(400, "To '{}': the tag is empty", excerpt(*to_));
        // They are tokens; a quoted one with a NUL or a fold would not come back as it went.
        for (const auto word : {m_.branch_, m_.from_tag_, m_.to_tag_})
            if (std::any_of(word.begin(), word.end(), syntax::is_control))
                return fail_with(400, "control character in branch or tag");
        return contacts();
    }

    /// Not needed by every reader, but a request with a bad Contact gets 400 from all of them.
    Result<> contacts() {
        if (!m_.is_request()) return {};
        for (const auto& header : m_.headers()) {
            if (header.id != HeaderId::contact || header.value == "*") continue;
            auto rest = header.value;
            while (const auto value = syntax::take_value(rest))
                if (const auto contact = NameAddress::parse(*value); !contact)
                    return std::unexpected(contact.error().within("Contact"));
        }
        return {};
    }

    /// Section 18.3 for datagrams: short of Content-Length is an error, what follows is ignored.
    Result<> body() {
        m_.body_ = bytes_.substr(at_);
        if (!content_length_) return {};
        const auto length = parse_number<std::uint64_t>(*content_length_);
        if (!length)
            return fail_with(400, "Content-Length '{}': expected a number",
                             excerpt(*content_length_));
        if (*length > m_.body_.size())
            return fail_with(400, "Content-Length {} but {} bytes follow", *length,
                             m_.body_.size());
        m_.body_ = m_.body_.substr(0, *length);
        m_.bytes_ = bytes_.substr(0, at_ + *length);
        return {};
    }

    Message& m_;
    std::string_view bytes_;
    std::size_t at_ = 0;
    bool looks_like_sip_ = false;
    std::optional<std::string_view> via_, from_, to_, call_id_, cseq_, max_forwards_,
        content_length_, content_type_, expires_;
};

Result<Message> Message::parse(std::string_view bytes) {
    Result<Message> message;
    if (auto done = message->read(bytes); !done) message = std::unexpected(std::move(done.error()));
    return message;
}

Result<> Message::read(std::string_view bytes) { return MessageParser(*this).parse(bytes); }

std::span<const Header> Message::headers() const {
    if (header_count_ > inline_headers) return more_;
    return {inline_.data(), header_count_};
}

std::optional<std::string_view> Message::header(HeaderId id) const {
    for (const auto& line : headers())
        if (line.id == id) return line.value;
    return std::nullopt;
}

std::optional<std::string_view> Message::header(std::string_view name) const {
    if (const auto id = header_by_name(name); id != HeaderId::other) return header(id);
    for (const auto& line : headers())
        if (line.id == HeaderId::other && iequals(line.name, name)) return line.value;
    return std::nullopt;
}

std::vector<std::string_view> Message::values(HeaderId id) const {
    std::vector<std::string_view> values;
    const bool splits = is_list(id);
    for (const auto& line : headers()) {
        if (line.id != id) continue;
        if (!splits) {
            values.push_back(line.value);
            continue;
        }
        auto rest = line.value;
        while (const auto value = syntax::take_value(rest)) values.push_back(*value);
    }
    return values;
}

bool Message::lists(HeaderId id, std::string_view token) const {
    for (const auto& line : headers()) {
        if (line.id != id) continue;
        auto rest = line.value;
        while (const auto value = syntax::take_value(rest))
            if (iequals(*value, token)) return true;
    }
    return false;
}

}  // namespace strowger::sip
