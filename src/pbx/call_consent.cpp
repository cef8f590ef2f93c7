#include "pbx/call_consent.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "io/file.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/dialplan/store.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

/// How long a silence ends the caller's name, and how long that may be, in seconds.
constexpr std::string_view name_limits = "2,4";
/// The question is put that often before somebody who says nothing counts as absent.
constexpr int times_asked = 3;
constexpr Duration patience = std::chrono::seconds{6};  // after the question
/// Of a number that names a file; a caller chooses its own, and longer ones are nobody's.
constexpr std::size_t max_number = 40;
/// Names that are kept, of at most 64 KB each: numbers are cheap to make up.
constexpr std::size_t max_names = 4096;
constexpr std::string_view store_family = "privacy";

// Numbers name files and keys: only what cannot lead anywhere else.
std::string harmless(std::string_view number) {
    std::string result;
    for (const char c : number.substr(0, max_number))
        if (is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
            c == '*' || c == '#')
            result += c;
    return result;
}

bool is_full(const std::string& directory) {
    const auto names = io::list_directory(directory);
    return names && names->size() >= max_names;
}

/// Whom a caller leaves need not be asked any longer: it is let go at once.
class LeavesWith : public ChannelListener {
public:
    LeavesWith(Channel& caller, ChannelPtr called) : caller_(caller), called_(std::move(called)) {
        caller_.listen(this);
    }
    ~LeavesWith() { caller_.listen(nullptr); }
    LeavesWith(const LeavesWith&) = delete;
    LeavesWith& operator=(const LeavesWith&) = delete;

private:
    void channel_event(Channel&, const ChannelEvent& event) override {
        if (std::holds_alternative<channel::HungUp>(event) ||
            std::holds_alternative<channel::Interrupted>(event))
            called_->hangup(Cause::normal_clearing);
    }

    Channel& caller_;
    ChannelPtr called_;
};

}  // namespace

CallConsent::CallConsent(Channel& caller, const OptionLetters& options) : caller_(&caller) {
    number_ = harmless(caller.caller.number);
    if (const auto family = options.argument('P'))
        family_ = family->empty() ? caller.position().exten : std::string(*family);
    if (const auto forget = options.argument('n')) {
        forgets_ = true;
        forgets_all_ = !forget->empty() && *forget != "0";
    }
    asks_ = !(options.has('N') && !number_.empty());
}

std::optional<CallConsent> CallConsent::wanted(Channel& caller, const OptionLetters& options) {
    if (!options.has('p') && !options.has('P')) return std::nullopt;
    return CallConsent(caller, options);
}

Task<std::optional<std::string>> CallConsent::prepare() {
    if (!family_.empty() && !number_.empty()) {
        const auto known =
            caller_->environment().store.get(store_family, family_ + '/' + number_).value_or("");
        if (iequals(known, "DENY")) co_return "NOANSWER";
        if (iequals(known, "KILL")) co_return "DONTCALL";
        if (iequals(known, "TORTURE")) co_return "TORTURE";
        if (iequals(known, "ALLOW")) asks_ = false;
    }
    if (asks_) co_await record_name();
    co_return std::nullopt;
}

// Once for a number whose owner has said it before.
Task<> CallConsent::record_name() {
    const auto directory = caller_->core().recordings + "/priv-callerintros";
    is_kept_ = !number_.empty();
    name_file_ = directory + '/' + number_;
    const bool known = is_kept_ && io::file_exists(name_file_ + ".wav");
    if (known && !forgets_) co_return;
    if (!is_kept_ || (!known && is_full(directory))) {
        is_kept_ = false;
        name_file_ = directory + "/call-" + caller_->uniqueid();
    }
    if (!co_await open_media(*caller_)) co_return;
    auto request = find_prompts(*caller_, "priv-recordintro");
    // Who knows what is wanted need not hear all of it: any key leads to the beep.
    if (!request.paths.empty())
        (void)co_await caller_->play_and_wait(std::move(request.paths), "any");
    std::string arguments = fmt::format("{}.wav,{}", name_file_, name_limits);
    (void)co_await dialplan::Machine::execute(*caller_, "Record", std::move(arguments));
}

void CallConsent::keep(std::string_view decision) {
    if (!family_.empty() && !number_.empty())
        (void)caller_->environment().store.put(store_family, family_ + '/' + number_, decision);
}

Task<std::optional<std::string>> CallConsent::ask(ChannelPtr called) {
    if (!asks_) co_return std::nullopt;
    const LeavesWith leaves(*caller_, called);
    const bool remembers = !family_.empty();
    for (int asked = 0; asked < times_asked && !called->hung_up() && !caller_->hung_up(); ++asked) {
        auto question = find_prompts(*called, "priv-callpending").paths;
        if (io::file_exists(name_file_ + ".wav")) question.push_back(name_file_ + ".wav");
        auto choices =
            find_prompts(*called, remembers ? "priv-callee-options" : "screen-callee-options");
        question.insert(question.end(), choices.paths.begin(), choices.paths.end());
        char key = 0;
        if (!question.empty()) {
            const auto played = co_await called->play_and_wait(std::move(question), "any");
            key = played.digit;
        }
        if (!key && !called->hung_up())
            key = (co_await called->wait_digit(patience)).value_or('\0');
        switch (key) {
            case '1': keep("ALLOW"); co_return std::nullopt;
            case '2': keep("DENY"); co_return "NOANSWER";
            case '3': keep("TORTURE"); co_return "TORTURE";
            case '4': keep("KILL"); co_return "DONTCALL";
            case '5':
                // This once; without a memory every time is.
                if (remembers) co_return std::nullopt;
                break;
            default: break;
        }
    }
    co_return "NOANSWER";
}

void CallConsent::finish(bool answered) {
    if (name_file_.empty()) return;
    // What is named by the call and not by a number would never be found again.
    if (!is_kept_ || (forgets_ && (answered || forgets_all_)))
        (void)io::remove_file(name_file_ + ".wav");
}

}  // namespace strowger::pbx
