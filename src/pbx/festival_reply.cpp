#include "pbx/festival_reply.hpp"

#include <algorithm>

namespace strowger::pbx {

namespace {

constexpr std::string_view end_key = "ft_StUfF_key";
constexpr std::string_view stuffed_key = "ft_StUfF_kXey";
constexpr std::size_t kind_size = 3;  // "WV\n"

std::string unstuffed(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    for (;;) {
        const auto at = text.find(stuffed_key);
        plain += text.substr(0, at);
        if (at == std::string_view::npos) return plain;
        plain += end_key;
        text.remove_prefix(at + stuffed_key.size());
    }
}

}  // namespace

FestivalReply::State FestivalReply::feed(Bytes bytes) {
    if (state_ != State::open) return state_;
    waiting_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (waiting_.size() > max_size) state_ = State::refused;
    while (state_ == State::open && step()) {}
    return state_;
}

bool FestivalReply::step() {
    if (waiting_.size() < kind_size) return false;
    const auto kind = std::string_view(waiting_).substr(0, kind_size);
    if (kind == "OK\n" || kind == "ER\n") {
        state_ = waveform_.empty() ? State::refused : State::done;
        return false;
    }
    if (kind != "WV\n" && kind != "LP\n") {
        state_ = State::refused;
        return false;
    }
    // A key at the very end of what has come may still be cut.
    const auto end = waiting_.find(end_key, std::max(searched_, kind_size));
    if (end == std::string::npos) {
        searched_ = waiting_.size() > end_key.size() ? waiting_.size() - end_key.size() : 0;
        return false;
    }
    if (kind == "WV\n")
        waveform_ = unstuffed(std::string_view(waiting_).substr(kind_size, end - kind_size));
    waiting_.erase(0, end + end_key.size());
    searched_ = 0;
    return true;
}

std::string festival_command(std::string_view command, std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '"' || c == '\\') escaped += '\\';
        escaped += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    std::string made;
    for (std::size_t i = 0; i < command.size(); ++i) {
        const auto two = command.substr(i, 2);
        if (two == "%s")
            made += escaped;
        else if (two == "\\n")
            made += '\n';
        else {
            made += command[i];
            continue;
        }
        ++i;
    }
    return made;
}

}  // namespace strowger::pbx
