#pragma once

#include <span>
#include <string_view>

#include "base/bytes.hpp"
#include "wire/rtcp/packet.hpp"

namespace strowger::rtcp {

/// Writes a compound packet into bytes given to it; allocates nothing.
///
///     CompoundWriter out(buffer);
///     out.sender_report(ssrc, info, blocks).cname(ssrc, "a@b");
///     if (Bytes bytes = out.finish(); !bytes.empty()) send(bytes);
///
/// What does not fit makes the whole empty rather than half a packet.
class CompoundWriter {
public:
    static constexpr std::size_t max_count = 31;  ///< blocks in a report: five bits of count

    explicit CompoundWriter(MutableBytes out) : out_(out) {}

    CompoundWriter& sender_report(std::uint32_t ssrc, const SenderInfo& info,
                                  std::span<const ReportBlock> blocks = {});
    CompoundWriter& receiver_report(std::uint32_t ssrc, std::span<const ReportBlock> blocks = {});
    CompoundWriter& cname(std::uint32_t ssrc, std::string_view name);  ///< SDES with a CNAME
    CompoundWriter& bye(std::uint32_t ssrc, std::string_view reason = {});
    /// `name` is four characters; `data` a multiple of four bytes.
    CompoundWriter& app(std::uint32_t ssrc, std::uint8_t subtype, std::string_view name,
                        Bytes data);
    CompoundWriter& nack(std::uint32_t sender, std::uint32_t media,
                         std::span<const Feedback::NackItem> items);
    CompoundWriter& pli(std::uint32_t sender, std::uint32_t media);
    CompoundWriter& fir(std::uint32_t sender, std::uint32_t media, std::uint8_t sequence);
    CompoundWriter& remb(std::uint32_t sender, std::uint64_t bitrate,
                         std::span<const std::uint32_t> sources);

    /// What was written, or nothing if something did not fit or was out of range.
    Bytes finish() const { return failed_ ? Bytes{} : Bytes(out_).first(size_); }

private:
    MutableBytes begin(Type type, std::size_t count, std::size_t body_size);

    MutableBytes out_;
    std::size_t size_ = 0;
    bool failed_ = false;
};

}  // namespace strowger::rtcp
