#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace strowger::pbx {

/// One line that a program of ExternalIVR says: a letter, and what comes after the comma.
struct IvrCommand {
    char letter = 0;
    std::string data;
};

/// Cuts what a program writes into commands.
class IvrReader {
public:
    static constexpr std::size_t max_line = 8192;
    static constexpr std::size_t max_waiting = 1000;  ///< commands that nobody has taken yet

    /// False: a line or the queue is too long, and nothing more is taken.
    bool feed(Bytes bytes);
    std::optional<IvrCommand> next();
    bool empty() const { return commands_.empty(); }

private:
    std::string line_;
    std::deque<IvrCommand> commands_;
    bool broken_ = false;
};

/// "tag,timestamp[,data]" and its newline. Line breaks within the data would be events of their
/// own, and become spaces.
std::string ivr_event(std::string_view tag, WallTime now, std::string_view data = {});

/// What the dialplan asks for: "ivr://host:port(one,two)" or "/a/program(one,two)".
struct IvrTarget {
    std::string name;  ///< as it is written, without the arguments
    std::vector<std::string> arguments;
    bool is_server = false;
    std::string host;  ///< of a server
    std::uint16_t port = 2949;
};
/// Nothing when there is no name, or a port is none.
std::optional<IvrTarget> parse_ivr_target(std::string_view text);

}  // namespace strowger::pbx
