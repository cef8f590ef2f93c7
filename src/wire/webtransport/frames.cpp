#include "wire/webtransport/frames.hpp"

#include <algorithm>

#include "wire/webtransport/codes.hpp"
#include "wire/webtransport/varint.hpp"

namespace strowger::webtransport {

namespace {

bool known(std::uint64_t type) {
    switch (type) {
        case frame_data:
        case frame_headers:
        case frame_cancel_push:
        case frame_settings:
        case frame_push_promise:
        case frame_goaway:
        case frame_max_push_id: return true;
        default: return false;
    }
}

bool of_http2(std::uint64_t type) {
    return type == 0x2 || type == 0x6 || type == 0x8 || type == 0x9;
}

}  // namespace

// True once type and length are complete.
Result<bool> FrameReader::read_header(Bytes& bytes) {
    while (!bytes.empty()) {
        header_[header_length_++] = bytes.front();
        bytes = bytes.subspan(1);
        const Bytes so_far(header_.data(), header_length_);
        const auto type = read_varint(so_far);
        const auto length = type ? read_varint(so_far.subspan(type->length)) : std::nullopt;
        if (!length) continue;
        header_length_ = 0;
        type_ = type->value;
        left_ = length->value;
        if (of_http2(type_))
            return fail_with(h3_frame_unexpected, "frame type {:#x} belongs to HTTP/2", type_);
        stage_ = type_ == frame_data ? Stage::pieces : known(type_) ? Stage::whole : Stage::skip;
        kept_.clear();
        if (stage_ == Stage::whole && left_ > max_kept)
            return fail_with(h3_excessive_load, "frame of type {:#x} with {} bytes; at most {}",
                             type_, left_, max_kept);
        return true;
    }
    return false;
}

Result<std::optional<FrameReader::Read>> FrameReader::next(Bytes& bytes) {
    while (true) {
        if (stage_ == Stage::header) {
            const auto complete = read_header(bytes);
            if (!complete) return std::unexpected(complete.error());
            if (!*complete) return std::nullopt;
        }
        const auto here = bytes.first(std::min<std::uint64_t>(left_, bytes.size()));
        bytes = bytes.subspan(here.size());
        left_ -= here.size();
        const auto stage = stage_;
        if (left_ == 0) stage_ = Stage::header;
        if (stage == Stage::pieces) {
            if (!here.empty()) return Read{type_, here};
            if (left_ > 0) return std::nullopt;
        } else if (stage == Stage::whole) {
            kept_.insert(kept_.end(), here.begin(), here.end());
            if (left_ > 0) return std::nullopt;
            return Read{type_, kept_};
        } else if (left_ > 0) {
            return std::nullopt;
        }
    }
}

void put_frame(std::vector<std::uint8_t>& out, std::uint64_t type, Bytes payload) {
    put_varint(out, type);
    put_varint(out, payload.size());
    out.insert(out.end(), payload.begin(), payload.end());
}

}  // namespace strowger::webtransport
