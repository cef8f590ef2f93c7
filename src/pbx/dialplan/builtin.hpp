#pragma once

#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/functions.hpp"

// The families of built-in functions, one file each.
namespace strowger::dialplan {

void add_text_functions(Functions& functions);      ///< LEN, CUT, FILTER, URIENCODE, ...
void add_list_functions(Functions& functions);      ///< SHIFT, PUSH, FIELDQTY, SORT, HASH, ...
void add_number_functions(Functions& functions);    ///< MATH, RAND, IF, INC, ...
void add_time_functions(Functions& functions);      ///< STRFTIME, STRPTIME, IFTIME
void add_variable_functions(Functions& functions);  ///< GLOBAL, LOCAL, SET, STACK_PEEK, ...
void add_digest_functions(Functions& functions);    ///< MD5, SHA1, BASE64_*, AES_*, UUID
void add_store_functions(Functions& functions);     ///< DB and its family
void add_json_functions(Functions& functions);      ///< JSON_DECODE

/// The value of `${name}`, where `name` may be a function call with arguments: for functions that
/// take the name of a variable.
std::string value_of(Call& call, std::string_view name);

/// The variable in which a function that gives a row of values leaves the names of its fields, for
/// Set(HASH(name)=...).
inline constexpr std::string_view row_fields = "~ODBCFIELDS~";

/// Arguments by position; missing ones are empty.
class Args {
public:
    explicit Args(std::string_view text) : all_(split_arguments(text)) {}
    const std::string& operator[](std::size_t i) const { return i < all_.size() ? all_[i] : none_; }
    std::size_t size() const { return all_.size(); }
    auto begin() const { return all_.begin(); }
    auto end() const { return all_.end(); }

private:
    std::vector<std::string> all_;
    std::string none_;
};

/// A delimiter argument: one character, perhaps escaped (`\n`, `\t`, `\xHH`); `otherwise` when
/// empty.
char delimiter_of(std::string_view text, char otherwise);

}  // namespace strowger::dialplan
