#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "io/stream.hpp"

namespace strowger::io {

/// Lines over a Stream, for the command line and protocols of lines.
class LineStream {
public:
    /// A line longer than this closes the stream: no command is, and memory must not grow.
    static constexpr std::size_t max_line = 64 << 10;

    struct Handlers {
        std::function<void(std::string_view line)> line = {};  ///< without CR LF or LF
        std::function<void(const Error&)> closed = {};         ///< an unfinished line is dropped
    };

    /// Takes a stream that is accepted or connecting.
    LineStream(std::unique_ptr<Stream> stream, Handlers handlers);
    ~LineStream();  ///< allowed in callbacks

    bool send(std::string_view text);  ///< as it is; the caller ends lines
    void close();                      ///< after what is queued
    const Stream& stream() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // shared with the callback in progress
};

}  // namespace strowger::io
