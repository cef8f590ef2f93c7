// Directory: people of voicemail.conf by the letters of their names on the keypad.

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "io/file.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"
#include "pbx/spoken.hpp"

namespace strowger::pbx {

namespace {

using config::Mailbox;
using dialplan::AppResult;
using dialplan::Call;

constexpr std::size_t default_letters = 3;
constexpr std::size_t max_letters = 32;
constexpr std::size_t max_offered = 100;  // people whose name begins like that
constexpr int times_asked = 3;

// Where a letter is on the keypad (ITU-T E.161); 0 for what is not on it.
char key_of(char letter) {
    static constexpr std::string_view keys = "22233344455566677778889999";
    const char small = lower(letter);
    if (small >= 'a' && small <= 'z') return keys[static_cast<std::size_t>(small - 'a')];
    return is_digit(letter) ? letter : '\0';
}

bool begins_like(std::string_view name, std::string_view digits) {
    std::size_t at = 0;
    for (const char c : name) {
        if (at == digits.size()) break;
        const char key = key_of(c);
        if (key == '\0') continue;  // dots and hyphens are not dialled
        if (key != digits[at++]) return false;
    }
    return at == digits.size();
}

std::string_view first_name(std::string_view full) { return full.substr(0, full.find(' ')); }
std::string_view last_name(std::string_view full) {
    const auto blank = full.rfind(' ');
    return blank == std::string_view::npos ? full : full.substr(blank + 1);
}

bool is_hidden(const Mailbox& box) {
    for (const auto option : split(box.options, '|')) {
        const auto [name, value] = split_once(option, '=');
        if (iequals(trim(name), "hidefromdir") && is_true(trim(value))) return true;
    }
    return false;
}

class Search {
public:
    Search(Channel& channel, std::string_view args)
        : channel_(channel),
          config_(channel.core().config),
          arguments_(dialplan::split_arguments(args)),
          options_(argument(arguments_, 2)),
          people_(trim(argument(arguments_, 0))),
          context_(trim(argument(arguments_, 1))) {
        if (people_.empty()) people_ = "default";
        if (context_.empty()) context_ = channel.position().context;
        // b(n), f(n), l(n): by both names, the first or the last; n letters.
        for (const char by : {'b', 'f', 'l'})
            if (const auto count = options_.argument(by)) {
                by_ = by;
                letters_ = std::clamp(parse_number<std::size_t>(*count).value_or(default_letters),
                                      std::size_t{1}, max_letters);
            }
    }

    Task<AppResult> run() {
        if (!co_await open_media(channel_, !options_.has('n'))) co_return finish("HANGUP");
        for (int asked = 0; asked < times_asked; ++asked) {
            const auto digits = co_await ask_letters();
            if (!goes_on()) co_return finish("HANGUP");
            if (digits.empty()) continue;
            if (digits == "0") co_return leave("o", "OPERATOR");
            if (digits == "*") co_return leave("a", "ASSISTANT");
            if (digits == "#") co_return finish("USEREXIT");
            const auto found = matches(digits);
            if (found.empty()) {
                std::string none = "dir-nomatch";
                co_await say(std::move(none));
                continue;
            }
            const auto* chosen = co_await offer(found);
            if (!goes_on()) co_return finish("HANGUP");
            if (chosen) co_return select(*chosen);
        }
        co_return finish("TIMEOUT");
    }

private:
    bool goes_on() const {
        return !channel_.hung_up() && channel_.interrupted() == Call::Interrupt::none;
    }

    AppResult finish(std::string_view result) {
        (void)channel_.variables().set("DIRECTORY_RESULT", std::string(result));
        return channel_.hung_up() ? AppResult::hangup : AppResult::proceed;
    }

    AppResult leave(std::string_view exten, std::string_view result) {
        if (channel_.dialplan()->exists(context_, exten, channel_.query()))
            channel_.jump({context_, std::string(exten), 1});
        return finish(result);
    }

    AppResult select(const Mailbox& box) {
        (void)channel_.variables().set("DIRECTORY_EXTEN", box.number);
        if (options_.has('s')) return finish("SELECTED");
        channel_.jump({context_, box.number, 1});
        return finish("SELECTED");
    }

    Task<> say(std::string names) {
        auto prompts = find_prompts(channel_, names);
        if (!prompts.paths.empty() && goes_on())
            (void)co_await channel_.play_and_wait(std::move(prompts.paths));
    }

    Task<std::string> ask_letters() {
        const auto which = by_ == 'f' ? "dir-first" : by_ == 'b' ? "dir-firstlast" : "dir-last";
        const auto number =
            Speech::of(channel_.language).number(static_cast<std::int64_t>(letters_));
        const auto names = fmt::format("dir-welcome&dir-pls-enter&{}&{}&dir-usingkeypad",
                                       fmt::join(number, "&"), which);
        auto prompts = find_prompts(channel_, names);
        std::string digits;
        const auto played = co_await channel_.play_and_wait(std::move(prompts.paths), "any");
        auto digit = played.digit ? std::optional(played.digit)
                                  : co_await channel_.wait_digit(channel_.response_timeout);
        while (digit) {
            digits += *digit;
            const bool special = digits == "0" || digits == "*" || digits == "#";
            if (special || digits.size() >= letters_) break;
            digit = co_await channel_.wait_digit(channel_.digit_timeout);
            if (digit == '#') break;
        }
        co_return digits;
    }

    std::vector<const Mailbox*> matches(std::string_view digits) const {
        std::vector<const Mailbox*> found;
        for (const auto& box : config_->mailboxes) {
            if (box.context != people_ || box.fullname.empty() || is_hidden(box)) continue;
            const bool first = begins_like(first_name(box.fullname), digits);
            const bool last = begins_like(last_name(box.fullname), digits);
            const bool fits = by_ == 'f' ? first : by_ == 'b' ? first || last : last;
            if (fits && found.size() < max_offered) found.push_back(&box);
        }
        const auto key = [&](const Mailbox* box) {
            return to_lower(by_ == 'f' ? first_name(box->fullname) : last_name(box->fullname));
        };
        std::stable_sort(found.begin(), found.end(),
                         [&](const auto* a, const auto* b) { return key(a) < key(b); });
        return found;
    }

    // The name as its owner has spoken it, else letter by letter; with option e the number as well.
    std::string spoken(const Mailbox& box) const {
        const auto& directories = config_->asterisk.directories;
        const auto spool = directories.find("astspooldir");
        const auto greeting = fmt::format(
            "{}/voicemail/{}/{}/greet",
            spool == directories.end() ? channel_.core().state_directory : spool->second,
            box.context, box.number);
        const auto& speech = Speech::of(channel_.language);
        auto names = channel_.core().sounds.find(greeting, channel_.language)
                         ? greeting
                         : fmt::format("{}", fmt::join(speech.letters(box.fullname), "&"));
        if (options_.has('e'))
            names += fmt::format("&vm-extension&{}", fmt::join(speech.digits(box.number), "&"));
        return names;
    }

    // One after the other: 1 takes it, * hears the next.
    Task<const Mailbox*> offer(std::vector<const Mailbox*> found) {
        for (const auto* box : found) {
            for (int asked = 0; asked < times_asked && goes_on(); ++asked) {
                auto prompts = find_prompts(channel_, spoken(*box) + "&dir-instr");
                std::string keys = "1*";
                const auto played =
                    co_await channel_.play_and_wait(std::move(prompts.paths), std::move(keys));
                auto digit = played.digit ? std::optional(played.digit)
                                          : co_await channel_.wait_digit(channel_.digit_timeout);
                if (digit == '1') co_return box;
                if (digit == '*') break;
            }
            if (!goes_on()) co_return nullptr;
        }
        std::string none = "dir-nomore";
        co_await say(std::move(none));
        co_return nullptr;
    }

    Channel& channel_;
    std::shared_ptr<const config::Configuration> config_;
    std::vector<std::string> arguments_;
    OptionLetters options_;
    std::string people_, context_;
    char by_ = 'l';
    std::size_t letters_ = default_letters;
};

// Directory([people[,context[,options]]])
Task<AppResult> directory(Call& call, std::string_view args) {
    Search search(static_cast<Channel&>(call), args);
    co_return co_await search.run();
}

}  // namespace

void add_directory_application(dialplan::Applications& applications) {
    applications.add("Directory",
                     "Find people by their names: Directory([mailbox context[,context[,options]]])",
                     directory);
}

}  // namespace strowger::pbx
