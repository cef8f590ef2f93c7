#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "media/g711.hpp"

namespace strowger::recorder {

using media::Sample;

/// Payloads of one codec into samples: the seam to whoever knows the codec.
class Decoder {
public:
    virtual ~Decoder() = default;
    virtual std::uint32_t rate() const = 0;   ///< of the samples, which are mono
    virtual std::uint32_t clock() const = 0;  ///< of the RTP timestamps
    /// One of the same kind that has not decoded anything yet.
    virtual std::unique_ptr<Decoder> twin() const = 0;
    /// Appends what the payload holds; nothing of one that cannot be read.
    virtual void decode(Bytes payload, std::vector<Sample>& out) = 0;
    /// Appends what may have been in a packet that did not come: so many samples.
    virtual void conceal(std::size_t count, std::vector<Sample>& out) {
        out.resize(out.size() + count);
    }
};

/// By its name in SDP; null for one that is not known here.
std::unique_ptr<Decoder> make_decoder(std::string_view name, std::uint32_t clock, unsigned channels,
                                      std::string_view parameters);

}  // namespace strowger::recorder
