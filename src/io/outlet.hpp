#pragma once

#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "io/descriptor.hpp"

namespace strowger::io {

/// A socket that only sends and never waits, for a thread without a loop.
class Outlet {
public:
    /// Connects meanwhile; until then nothing is taken.
    static Result<Outlet> tcp(const SocketAddress& to);
    /// Each `send` is a datagram to that Unix socket.
    static Result<Outlet> datagrams(const std::string& path);

    /// How many of the bytes were taken: of a datagram all or none.
    std::size_t send(Bytes bytes);
    bool broken() const { return broken_; }

private:
    Descriptor fd_;
    bool broken_ = false;
};

}  // namespace strowger::io
