#include "pbx/queue_log.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "io/file.hpp"

namespace strowger::pbx {

namespace {

std::string field(std::string_view text) {
    std::string clean(text);
    for (char& c : clean)
        if (c == '|' || c == '\n' || c == '\r') c = ' ';
    return clean;
}

std::string name_field(std::string_view text) {
    return text.empty() ? std::string("NONE") : field(text);
}

}  // namespace

void QueueLog::write(WallTime now, std::string_view call, std::string_view queue,
                     std::string_view agent, std::string_view event,
                     std::initializer_list<std::string> data) {
    if (path_.empty()) return;
    auto line = fmt::format(
        "{}|{}|{}|{}|{}|", std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count(),
        name_field(call), name_field(queue), name_field(agent), field(event));
    bool first = true;
    for (const auto& value : data) {
        if (!first) line += '|';
        first = false;
        line += field(value);
    }
    line += '\n';
    const auto written = io::append_file(path_, line, 0640);
    if (!written && !complained_)
        LOG_WARNING((log::About{"pbx"}), "the queue log is not written: {}",
                    written.error().text());
    complained_ = !written;
}

}  // namespace strowger::pbx
