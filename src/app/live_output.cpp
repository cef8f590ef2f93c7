#include "app/live_output.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/text.hpp"

namespace strowger::app {

namespace {

std::size_t show(const nlohmann::json& json, const char* key, std::FILE* to) {
    const auto bytes = from_base64(json.value(key, std::string()));
    if (!bytes || bytes->empty()) return 0;
    std::fwrite(bytes->data(), 1, bytes->size(), to);
    std::fflush(to);
    return bytes->size();
}

}  // namespace

void LiveOutput::take(std::string_view piece) {
    input_ += piece;
    for (std::size_t end; (end = input_.find("\n\n")) != std::string::npos;) {
        std::string name, data;
        for (const auto line : split(std::string_view(input_).substr(0, end), '\n')) {
            const auto [field, value] = split_once(line, ':');
            if (field == "event") name = trim(value);
            if (field == "data") data += trim(value);
        }
        event(name, data);
        input_.erase(0, end + 2);
    }
}

void LiveOutput::event(std::string_view name, std::string_view data) {
    if (name == "done") {
        Response response;
        if (auto read = wasimoff::read_message(wasimoff::Codec::json, data, response); !read)
            result_ = std::unexpected(read.error());
        else
            result_ = std::move(response);
        return;
    }
    const auto json = nlohmann::json::parse(data, nullptr, false);
    if (!json.is_object()) return;
    if (name == "error") {
        result_ = fail("{}", json.value("message", "the task failed"));
    } else if (name == "again") {
        shown_output_ = shown_errors_ = 0;
        fmt::print(stderr, "strowger task: begun anew at another provider\n");
    } else if (name == "output") {
        shown_output_ += show(json, "stdout", stdout);
        shown_errors_ += show(json, "stderr", stderr);
    }
}

}  // namespace strowger::app
