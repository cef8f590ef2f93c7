#include <fmt/format.h>

#include "pbx/cli.hpp"
#include "pbx/exchange.hpp"

namespace strowger::pbx {

namespace {

using Arguments = std::vector<std::string>;

void append_context(std::string& text, const dialplan::Context& context, std::string_view exten) {
    std::string lines;
    for (const auto& extension : context.extensions()) {
        if (!exten.empty() && extension.pattern.text() != exten &&
            extension.pattern.match(exten) != dialplan::Pattern::Match::full)
            continue;
        bool first = true;
        const auto name =
            fmt::format("'{}'", extension.pattern.text() +
                                    (extension.callers ? "/" + extension.callers->text() : ""));
        if (extension.hint) {
            lines += fmt::format("  {:18} => hint: {}\n", name, extension.hint->devices);
            first = false;
        }
        for (const auto& step : extension.steps) {
            const auto label =
                step.label.empty() ? std::string() : fmt::format("[{}] ", step.label);
            lines +=
                fmt::format("  {:18} {} {}{}. {}({})\n", first ? name : "", first ? "=>" : "  ",
                            label, step.priority, step.application, step.arguments);
            first = false;
        }
    }
    if (exten.empty())
        for (const auto& include : context.includes)
            lines += fmt::format("  Include =>         '{}'{}\n", include.context,
                                 include.when ? "|" + include.when->text() : "");
    if (lines.empty() && !exten.empty()) return;
    text += fmt::format("[ Context '{}' created by 'extensions.conf' ]\n{}\n", context.name, lines);
}

Result<std::string> show(Exchange& exchange, const Arguments& arguments) {
    const auto& plan = *exchange.plan();
    std::string exten, wanted;
    if (!arguments.empty()) {
        const auto at = arguments.front().find('@');
        wanted = at == std::string::npos ? arguments.front() : arguments.front().substr(at + 1);
        if (at != std::string::npos) exten = arguments.front().substr(0, at);
        if (!wanted.empty() && !plan.context(wanted))
            return fail("There is no existence of '{}' context\n", wanted);
    }
    std::string text;
    for (const auto& context : plan.contexts())
        if (wanted.empty() || context->name == wanted) append_context(text, *context, exten);
    if (text.empty()) return fail("There is no existence of {}@{} extension\n", exten, wanted);
    return text +
           fmt::format("-= {} contexts, {} priorities. =-\n", plan.contexts().size(), plan.steps());
}

}  // namespace

void add_dialplan_commands(Cli& cli, Exchange& exchange) {
    const auto add = [&](const char* words, const char* usage, const char* summary, auto run) {
        cli.add(
            {words, usage, summary, [run, &exchange](const Arguments& a) -> Result<std::string> {
                 return run(exchange, a);
             }});
    };
    add("dialplan show", "[[EXTEN@]CONTEXT]", "The dialplan", show);
    add("dialplan reload", "", "Load the configuration anew",
        [](Exchange& e, const Arguments&) -> Result<std::string> {
            if (auto done = e.reload(); !done) return std::unexpected(done.error());
            return std::string("Dialplan reloaded.\n");
        });
    add("dialplan set global", "NAME VALUE", "Set a global variable",
        [](Exchange& e, const Arguments& a) -> Result<std::string> {
            if (a.empty()) return fail("dialplan set global takes a name and a value\n");
            e.globals().set(a[0], a.size() > 1 ? a[1] : "");
            return fmt::format("    -- Global variable '{}' set to '{}'\n", a[0],
                               a.size() > 1 ? a[1] : "");
        });
    add("dialplan show globals", "", "Global variables", [](Exchange& e, const Arguments&) {
        std::string text;
        for (const auto& [name, value] : e.globals().all())
            text += fmt::format("   {}={}\n", name, value);
        return text;
    });
    add("core show hints", "", "Extensions with hints, and their states",
        [](Exchange& e, const Arguments&) {
            std::string text;
            std::size_t count = 0;
            for (const auto& found : e.plan()->hints()) {
                text +=
                    fmt::format("{:20}@{:20}: {:30} State:{}\n", found.extension->pattern.text(),
                                found.context->name, found.extension->hint->devices,
                                device_state(e.core(), found.extension->hint->devices));
                ++count;
            }
            return text + fmt::format("----------------\n- {} hints registered\n", count);
        });
    add("database show", "[FAMILY]", "The exchange's database",
        [](Exchange& e, const Arguments& a) {
            std::string text;
            for (const auto& [key, value] : e.store().list(a.empty() ? "" : a[0], ""))
                text += fmt::format("{:50}: {}\n", key, value);
            return text;
        });
    add("database put", "FAMILY KEY VALUE", "Store a value",
        [](Exchange& e, const Arguments& a) -> Result<std::string> {
            if (a.size() != 3) return fail("database put takes family, key and value\n");
            return e.store().put(a[0], a[1], a[2])
                       ? Result<std::string>("Updated database successfully\n")
                       : fail("Failed to update entry\n");
        });
    add("database get", "FAMILY KEY", "Read a value",
        [](Exchange& e, const Arguments& a) -> Result<std::string> {
            const auto value = a.size() == 2 ? e.store().get(a[0], a[1]) : std::nullopt;
            return value ? Result<std::string>("Value: " + *value + "\n")
                         : fail("Database entry not found.\n");
        });
    add("database del", "FAMILY KEY", "Remove a value",
        [](Exchange& e, const Arguments& a) -> Result<std::string> {
            return a.size() == 2 && e.store().erase(a[0], a[1])
                       ? Result<std::string>("Database entry removed.\n")
                       : fail("Database entry could not be removed.\n");
        });
}

}  // namespace strowger::pbx
