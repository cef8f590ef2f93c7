#include "pbx/dialplan/variables.hpp"

#include <algorithm>
#include <mutex>

namespace strowger::dialplan {

std::optional<std::string> Globals::get(std::string_view name) const {
    const std::shared_lock lock(mutex_);
    const auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
}

void Globals::set(std::string_view name, std::string value) {
    const std::lock_guard lock(mutex_);
    values_.insert_or_assign(std::string(name), std::move(value));
}

void Globals::erase(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (const auto found = values_.find(name); found != values_.end()) values_.erase(found);
}

void Globals::clear() {
    const std::lock_guard lock(mutex_);
    values_.clear();
}

std::vector<std::pair<std::string, std::string>> Globals::all() const {
    const std::shared_lock lock(mutex_);
    return {values_.begin(), values_.end()};
}

namespace {

// A map's node costs more than its text; counting it keeps a million empty variables out.
constexpr std::size_t overhead = 64;

std::size_t weight(std::string_view name, std::string_view value) {
    return name.size() + value.size() + overhead;
}

}  // namespace

std::optional<std::string_view> Variables::get(std::string_view name) const {
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame)
        if (const auto found = frame->locals.find(name); found != frame->locals.end())
            return found->second;
    const auto found = values_.find(name);
    if (found == values_.end()) return std::nullopt;
    return found->second.text;
}

Result<> Variables::set(std::string_view name, std::string value) {
    auto inherit = Inherit::none;
    if (name.starts_with("__")) {
        inherit = Inherit::always;
        name.remove_prefix(2);
    } else if (name.starts_with('_')) {
        inherit = Inherit::once;
        name.remove_prefix(1);
    }
    if (name.empty()) return fail("a variable without a name");
    if (bytes_ + weight(name, value) > max_variable_bytes)
        return fail("'{}' is not set: the call's variables would exceed {} bytes", name,
                    max_variable_bytes);
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame)
        if (const auto found = frame->locals.find(name); found != frame->locals.end()) {
            bytes_ += value.size();
            bytes_ -= found->second.size();
            found->second = std::move(value);
            return {};
        }
    const auto found = values_.find(name);
    if (found != values_.end()) {
        bytes_ += value.size();
        bytes_ -= found->second.text.size();
        found->second = {std::move(value), inherit};
    } else {
        bytes_ += weight(name, value);
        values_.emplace(name, Value{std::move(value), inherit});
    }
    return {};
}

void Variables::erase(std::string_view name) {
    const auto found = values_.find(name);
    if (found == values_.end()) return;
    bytes_ -= weight(found->first, found->second.text);
    values_.erase(found);
}

Result<> Variables::set_local(std::string_view name, std::string value) {
    if (frames_.empty()) return fail("LOCAL({}) outside of a subroutine", name);
    if (name.empty()) return fail("LOCAL() without a name");
    if (bytes_ + weight(name, value) > max_variable_bytes)
        return fail("LOCAL({}) is not set: the call's variables would exceed {} bytes", name,
                    max_variable_bytes);
    auto& locals = frames_.back().locals;
    const auto [at, added] = locals.try_emplace(std::string(name));
    bytes_ += added ? weight(name, value) : value.size();
    bytes_ -= at->second.size();
    at->second = std::move(value);
    return {};
}

void Variables::inherit_to(Variables& child) const {
    for (const auto& [name, value] : values_) {
        if (value.inherit == Inherit::none) continue;
        const auto passed = value.inherit == Inherit::always ? Inherit::always : Inherit::none;
        child.erase(name);
        child.bytes_ += weight(name, value.text);
        child.values_.emplace(name, Value{value.text, passed});
    }
}

void Variables::clear() {
    values_.clear();
    frames_.clear();
    bytes_ = 0;
}

std::vector<std::pair<std::string, std::string>> Variables::all() const {
    std::vector<std::pair<std::string, std::string>> result;
    for (const auto& [name, value] : values_) result.emplace_back(name, value.text);
    std::sort(result.begin(), result.end());
    return result;
}

Result<> Variables::push_frame(Frame frame) {
    if (frames_.size() >= max_frames)
        return fail("{} subroutines deep: a recursion without end?", frames_.size());
    for (const auto& [name, value] : frame.locals) bytes_ += weight(name, value);
    frames_.push_back(std::move(frame));
    return {};
}

std::optional<Variables::Frame> Variables::pop_frame() {
    if (frames_.empty()) return std::nullopt;
    auto frame = std::move(frames_.back());
    frames_.pop_back();
    for (const auto& [name, value] : frame.locals) bytes_ -= weight(name, value);
    return frame;
}

}  // namespace strowger::dialplan
