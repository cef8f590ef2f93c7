// AST_CONFIG: values of configuration files.

#include "base/text.hpp"
#include "io/disk_files.hpp"
#include "io/file.hpp"
#include "pbx/applications.hpp"
#include "pbx/channel.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

/// The dialplan waits for the disk; files that a value is looked up in at each call are small.
constexpr std::uint64_t max_size = 1u << 20;

// Only files of the configuration directory: a part of the name may come from a caller.
bool stays_inside(std::string_view name) {
    return !name.empty() && !name.starts_with('/') && name.find("..") == std::string_view::npos &&
           name.find_first_of("*?[") == std::string_view::npos;
}

// AST_CONFIG(file,section,key[,index]): index 0 is the first of several lines, -1 the last.
Result<std::string> read(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    const std::string name(trim(argument(arguments, 0)));
    const auto wanted = trim(argument(arguments, 1));
    const auto key = trim(argument(arguments, 2));
    const auto position = trim(argument(arguments, 3));
    if (wanted.empty() || key.empty())
        return fail("AST_CONFIG({}): expected file, section and key", args);
    const auto index = position.empty() ? 0 : parse_number<int>(position);
    if (!index) return fail("AST_CONFIG: '{}' is no index", position);
    if (!stays_inside(name))
        return fail("AST_CONFIG: '{}' is no file of the configuration directory", name);
    const auto& config = *static_cast<Channel&>(call).core().config;
    const auto info = io::file_info(config.directory + '/' + name);
    if (!info) return std::unexpected(info.error());
    if (info->size > max_size) return fail("AST_CONFIG: {} is larger than {}", name, max_size);
    io::DiskFileSource files;
    ini::Diagnostics diagnostics;
    // Nothing is executed for a look at a value.
    const auto document = ini::read(files, name, {false, config.directory}, diagnostics);
    std::vector<std::string_view> values;
    for (const auto* section : document.sections())
        if (iequals(section->name, wanted))
            for (const auto value : section->all(key)) values.push_back(value);
    if (values.empty()) return fail("AST_CONFIG: {} has no '{}' in [{}]", name, key, wanted);
    if (*index == -1) return std::string(values.back());
    if (*index < 0 || static_cast<std::size_t>(*index) >= values.size())
        return fail("AST_CONFIG: {} has {} lines of '{}' in [{}], not number {}", name,
                    values.size(), key, wanted, *index);
    return std::string(values[static_cast<std::size_t>(*index)]);
}

}  // namespace

void add_config_functions(dialplan::Functions& functions) {
    functions.add("AST_CONFIG",
                  "A value of a configuration file: AST_CONFIG(file,section,key[,index])", read);
}

}  // namespace strowger::pbx
