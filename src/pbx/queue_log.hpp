#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace strowger::pbx {

/// The file `queue_log` that call centre statistics are made from: one line an event,
/// `time|call|queue|agent|EVENT|data...`, as readers of Asterisk's have it.
class QueueLog {
public:
    /// Where to: a directory. Nothing is made before the first event.
    void open(std::string directory) { path_ = std::move(directory) + "/queue_log"; }

    /// Empty names become NONE; bars and line ends in the data become blanks.
    void write(WallTime now, std::string_view call, std::string_view queue, std::string_view agent,
               std::string_view event, std::initializer_list<std::string> data = {});

private:
    std::string path_;
    bool complained_ = false;
};

}  // namespace strowger::pbx
