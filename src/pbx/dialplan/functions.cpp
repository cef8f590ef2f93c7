#include "pbx/dialplan/functions.hpp"

#include <algorithm>

#include "pbx/dialplan/builtin.hpp"
#include "pbx/dialplan/substitution.hpp"

namespace strowger::dialplan {

void Functions::add(std::string name, std::string synopsis, ReadFunction read,
                    WriteFunction write) {
    functions_.insert_or_assign(std::move(name),
                                Function{std::move(read), std::move(write), std::move(synopsis)});
}

void Functions::add_waiting(std::string name, std::string synopsis, WaitingFunction wait,
                            ReadFunction read) {
    waiting_.push_back(name);
    functions_.insert_or_assign(
        std::move(name), Function{std::move(read), {}, std::move(synopsis), std::move(wait)});
}

void Functions::mark_dangerous(std::string_view name) {
    if (const auto found = functions_.find(name); found != functions_.end())
        found->second.dangerous = true;
}

const Functions::Function* Functions::find(std::string_view name) const {
    const auto found = functions_.find(name);
    return found == functions_.end() ? nullptr : &found->second;
}

std::vector<std::string_view> Functions::names() const {
    std::vector<std::string_view> names;
    for (const auto& [name, function] : functions_) names.push_back(name);
    std::sort(names.begin(), names.end());
    return names;
}

namespace {

// "NAME(args)": up to the last parenthesis, so that arguments may hold any others.
std::pair<std::string_view, std::string_view> name_and_arguments(std::string_view expression) {
    const auto open = expression.find('(');
    if (open == std::string_view::npos) return {expression, {}};
    auto arguments = expression.substr(open + 1);
    if (const auto close = arguments.rfind(')'); close != std::string_view::npos)
        arguments = arguments.substr(0, close);
    return {trim(expression.substr(0, open)), arguments};
}

Result<std::string> checked(Result<std::string> result, std::string_view name) {
    if (!result) return std::unexpected(result.error().within(name));
    if (result->size() > max_substituted) result->resize(max_substituted);
    return result;
}

bool is_name(char c) { return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_'; }

}  // namespace

Result<const Functions::Function*> Functions::for_reading(Call& call, std::string_view name) const {
    const auto* function = find(name);
    if (!function) {
        const auto near = nearest(name, names());
        return near ? fail("there is no function {} (did you mean {}?)", name, *near)
                    : fail("there is no function {}", name);
    }
    if (!function->read && !function->wait) return fail("{} can be set but not read", name);
    if (function->dangerous && call.from_outside() && !call.environment().live_dangerously)
        return fail("{} is not for programs outside unless live_dangerously is set", name);
    return function;
}

Result<std::string> Functions::read(Call& call, std::string_view expression) const {
    const auto [name, arguments] = name_and_arguments(expression);
    const auto function = for_reading(call, name);
    if (!function) return std::unexpected(function.error());
    if (!(*function)->read)
        return fail("{} has to wait, which it cannot within another function's argument", name);
    const Call::Nested nested(call);
    if (!nested) return fail("{}: functions call each other too deep", name);
    return checked((*function)->read(call, arguments), name);
}

Task<Result<std::string>> Functions::await(Call& call, std::string expression) const {
    const auto [name, arguments] = name_and_arguments(expression);
    const auto function = for_reading(call, name);
    if (!function) co_return std::unexpected(function.error());
    if (!(*function)->wait) co_return read(call, expression);
    const Call::Nested nested(call);
    if (!nested) co_return fail("{}: functions call each other too deep", name);
    std::string text(arguments);
    auto result = co_await (*function)->wait(call, std::move(text));
    co_return checked(std::move(result), name);
}

bool Functions::may_wait(std::string_view text) const {
    if (text.find('$') == std::string_view::npos) return false;
    for (auto open = text.find('('); open != std::string_view::npos;
         open = text.find('(', open + 1)) {
        auto begin = open;
        while (begin > 0 && is_name(text[begin - 1])) --begin;
        const auto name = text.substr(begin, open - begin);
        if (!name.empty() && std::find(waiting_.begin(), waiting_.end(), name) != waiting_.end())
            return true;
    }
    return false;
}

Result<> Functions::write(Call& call, std::string_view expression, std::string_view value) const {
    const auto [name, arguments] = name_and_arguments(expression);
    const auto* function = find(name);
    if (!function) {
        const auto near = nearest(name, names());
        return near ? fail("there is no function {} (did you mean {}?)", name, *near)
                    : fail("there is no function {}", name);
    }
    if (!function->write) return fail("{} can be read but not set", name);
    const Call::Nested nested(call);
    if (!nested) return fail("{}: functions call each other too deep", name);
    auto result = function->write(call, arguments, value);
    if (!result) return std::unexpected(result.error().within(name));
    return result;
}

std::string value_of(Call& call, std::string_view name) {
    return substitute(call, fmt::format("${{{}}}", name));
}

char delimiter_of(std::string_view text, char otherwise) {
    if (text.empty()) return otherwise;
    if (text.front() != '\\' || text.size() == 1) return text.front();
    switch (text[1]) {
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        case 'x': {
            unsigned value = 0;
            const auto hex = text.substr(2, 2);
            std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
            return static_cast<char>(value);
        }
        default: return text[1];
    }
}

void add_builtin_functions(Functions& functions) {
    add_text_functions(functions);
    add_list_functions(functions);
    add_number_functions(functions);
    add_time_functions(functions);
    add_variable_functions(functions);
    add_digest_functions(functions);
    add_store_functions(functions);
    add_json_functions(functions);
}

}  // namespace strowger::dialplan
