#include "wire/sip/cseq.hpp"

#include <optional>

#include "base/text.hpp"
#include "wire/sip/syntax.hpp"

namespace strowger::sip {

namespace {

/// A number and the white space that must follow it, off the front of the text.
std::optional<std::uint32_t> take_number(std::string_view& text) {
    std::size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits])) ++digits;
    const auto next = syntax::skip_lws(text, digits);
    const auto number = parse_number<std::uint32_t>(text.substr(0, digits));
    if (!number || next == digits) return std::nullopt;
    text.remove_prefix(next);
    return number;
}

}  // namespace

Result<CSeq> CSeq::parse(std::string_view value) {
    auto rest = value;
    const auto number = take_number(rest);
    if (!number || *number > max_number || !syntax::is_token(rest))
        return fail_with(400, "CSeq '{}': expected a number up to {} and a method",
                         syntax::excerpt(value), max_number);
    return CSeq{*number, rest};
}

Result<RAck> RAck::parse(std::string_view value) {
    auto rest = value;
    const auto rseq = take_number(rest);
    const auto cseq = take_number(rest);
    if (!rseq || !cseq || *cseq > CSeq::max_number || !syntax::is_token(rest))
        return fail_with(400, "RAck '{}': expected RSeq, CSeq and a method",
                         syntax::excerpt(value));
    return RAck{*rseq, *cseq, rest};
}

std::string RAck::text() const { return fmt::format("{} {} {}", rseq, cseq, method); }

}  // namespace strowger::sip
