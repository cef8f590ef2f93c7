#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace strowger::webtransport {

struct Field {
    std::string name;
    std::string value;
};

/// Header blocks in QPACK's static form (RFC 9204): our settings announce no dynamic table, and we
/// use none of the peer's.
class Fields {
public:
    static constexpr std::size_t max_fields = 100;
    static constexpr std::size_t max_bytes = 16 << 10;  ///< of all names and values

    Fields();
    ~Fields();

    /// The error carries an HTTP/3 code.
    Result<std::vector<Field>> decode(std::int64_t stream, Bytes block);
    /// What came on the peer's encoder stream.
    Result<> instructions(Bytes bytes);
    std::vector<std::uint8_t> encode(std::int64_t stream, const std::vector<Field>& fields);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace strowger::webtransport
