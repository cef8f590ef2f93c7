#include "wire/webtransport/capsules.hpp"

#include <algorithm>

#include "wire/webtransport/codes.hpp"
#include "wire/webtransport/varint.hpp"

namespace strowger::webtransport {

namespace {
constexpr std::size_t code_size = 4;  // of a close
}

Result<std::optional<CapsuleReader::Read>> CapsuleReader::next(Bytes& bytes) {
    while (true) {
        while (!in_value_) {
            if (bytes.empty()) return std::nullopt;
            header_[header_length_++] = bytes.front();
            bytes = bytes.subspan(1);
            const Bytes so_far(header_.data(), header_length_);
            const auto type = read_varint(so_far);
            const auto length = type ? read_varint(so_far.subspan(type->length)) : std::nullopt;
            if (!length) continue;
            header_length_ = 0;
            in_value_ = true;
            type_ = type->value;
            left_ = length->value;
            value_.clear();
            if (type_ == capsule_close_session &&
                (left_ < code_size || left_ > code_size + max_reason))
                return fail_with(h3_message_error, "close capsule of {} bytes; {} to {} expected",
                                 left_, code_size, code_size + max_reason);
            if (left_ > max_skipped)
                return fail_with(h3_excessive_load, "capsule {:#x} of {} bytes; at most {}", type_,
                                 left_, max_skipped);
        }
        const auto here = bytes.first(std::min<std::uint64_t>(left_, bytes.size()));
        bytes = bytes.subspan(here.size());
        left_ -= here.size();
        if (type_ == capsule_close_session) value_.insert(value_.end(), here.begin(), here.end());
        if (left_ > 0) return std::nullopt;
        in_value_ = false;
        if (type_ == capsule_drain_session) return Read{type_};
        if (type_ == capsule_close_session)
            return Read{type_, load32(value_, 0),
                        std::string(as_text(Bytes(value_).subspan(code_size)))};
    }
}

std::vector<std::uint8_t> close_capsule(std::uint32_t code, std::string_view reason) {
    reason = reason.substr(0, CapsuleReader::max_reason);
    std::vector<std::uint8_t> out;
    put_varint(out, capsule_close_session);
    put_varint(out, code_size + reason.size());
    const auto at = out.size();
    out.resize(at + code_size);
    store32(out, at, code);
    out.insert(out.end(), reason.begin(), reason.end());
    return out;
}

}  // namespace strowger::webtransport
