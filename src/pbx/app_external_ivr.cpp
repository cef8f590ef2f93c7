// ExternalIVR: a program, or a server, leads the caller through a menu by lines of text.

#include <fmt/format.h>

#include <deque>

#include "base/text.hpp"
#include "io/process.hpp"
#include "io/stream.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/ivr_script.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

constexpr Duration connect_timeout = std::chrono::seconds{5};
constexpr std::size_t max_queued = 256u << 10;  // events for a program that does not read
constexpr std::size_t max_playlist = 1000;
constexpr std::size_t max_digits = 64;       // of one D
constexpr std::size_t max_names = 100;       // of one V or G
constexpr std::size_t max_complaint = 4096;  // of one line on standard error
/// A program may finish what it does after the call; then it is killed.
constexpr Duration grace = std::chrono::seconds{30};

/// The end of the conversation that is not ours: a child or a connection.
///
/// What it says and that it is gone is told to an owner, until that lets go of it.
class Partner {
public:
    std::function<void(Bytes)> said;
    std::function<void(std::string)> complained;
    std::function<void()> gone;

    Result<> start(Core& core, const IvrTarget& target) {
        io::Process::Options options;
        options.arguments.push_back(target.name);
        options.arguments.insert(options.arguments.end(), target.arguments.begin(),
                                 target.arguments.end());
        options.max_input_queued = max_queued;
        io::Process::Handlers handlers;
        handlers.output = [this](Bytes bytes) {
            if (bytes.empty()) return tell_gone();
            if (said) said(bytes);
        };
        handlers.error = [this](Bytes bytes) { complain(bytes); };
        handlers.exited = [this](io::ExitStatus) { tell_gone(); };
        auto started = io::Process::start(core.loop, std::move(options), std::move(handlers));
        if (!started) return std::unexpected(started.error());
        process_ = std::move(*started);
        return {};
    }
    void connect(Core& core, const SocketAddress& server) {
        io::Stream::Options options;
        options.connect_timeout = connect_timeout;
        options.max_queued = max_queued;
        io::Stream::Handlers handlers;
        handlers.bytes = [this](Bytes bytes) {
            if (said) said(bytes);
        };
        handlers.closed = [this](const Error& error) {
            if (error.code() != 0 && complained) complained(std::string(error.text()));
            tell_gone();
        };
        stream_ = io::Stream::connect(core.loop, server, std::move(options), std::move(handlers));
    }
    void tell(std::string_view line) {
        if (process_) (void)process_->write(line);
        if (stream_ && stream_->open()) (void)stream_->send(line);
    }
    /// Nobody listens any more. A program gets its time to end.
    static Task<> dismiss(io::Loop& loop, std::unique_ptr<Partner> partner) {
        if (partner->stream_) io::Stream::close_and_forget(std::move(partner->stream_));
        if (!partner->process_) co_return;
        partner->process_->close_input();
        const Time until = loop.now() + grace;
        static constexpr Duration look = std::chrono::milliseconds{200};
        while (!partner->exited_ && loop.now() < until) co_await loop.sleep(look);
    }

private:
    void tell_gone() {
        exited_ = true;
        if (gone) gone();
    }
    void complain(Bytes bytes) {
        for (const auto byte : bytes) {
            if (byte != '\n' && complaint_.size() < max_complaint) {
                complaint_ += static_cast<char>(byte);
                continue;
            }
            if (complained && !complaint_.empty()) complained(std::exchange(complaint_, {}));
            complaint_.clear();
        }
    }

    std::unique_ptr<io::Process> process_;
    std::unique_ptr<io::Stream> stream_;
    std::string complaint_;
    bool exited_ = false;
};

/// One ExternalIVR().
class Ivr {
public:
    Ivr(Channel& channel, IvrTarget target, const OptionLetters& options)
        : channel_(channel),
          target_(std::move(target)),
          answers_(!options.has('n')),
          informs_(options.has('i')),
          dead_(options.has('d')) {}
    ~Ivr() {
        if (!partner_) return;
        partner_->said = {};
        partner_->complained = {};
        partner_->gone = {};
        channel_.core().tasks.spawn(Partner::dismiss(channel_.core().loop, std::move(partner_)));
    }
    Ivr(const Ivr&) = delete;
    Ivr& operator=(const Ivr&) = delete;

    Task<AppResult> run() {
        if (!dead_ && !co_await open_media(channel_, answers_)) co_return AppResult::hangup;
        if (!co_await begin()) co_return AppResult::hangup;
        bool told = dead_;
        while (!end_) {
            if (channel_.hung_up() && !told) {
                told = true;
                event(informs_ ? "I" : "H", informs_ ? "HANGUP" : "");
                if (!informs_) break;
            }
            if (channel_.interrupted() != Call::Interrupt::none) end_ = AppResult::proceed;
            while (!end_) {
                const auto command = reader_.next();
                if (!command) break;
                co_await obey(*command);
            }
            if (end_ || (channel_.hung_up() && !told)) continue;
            if (gone_ && reader_.empty()) {
                log(log::Level::notice, "the program is gone");
                end_ = AppResult::hangup;
                continue;
            }
            const auto item = co_await channel_.inbox().next(Time::max());
            if (!item) continue;
            if (const auto* digit = std::get_if<channel::Digit>(&item->event))
                co_await pressed(digit->digit);
            else if (const auto* played = std::get_if<channel::PlayDone>(&item->event))
                co_await finished(*played);
        }
        if (!channel_.hung_up() && playing_) co_await channel_.stop_playing();
        co_return channel_.hung_up() ? AppResult::hangup : end_.value_or(AppResult::hangup);
    }

private:
    Task<bool> begin() {
        partner_ = std::make_unique<Partner>();
        partner_->said = [this](Bytes bytes) {
            if (!reader_.feed(bytes)) {
                log(log::Level::warning, "too much at once; the program is let go of");
                end_ = AppResult::hangup;
            }
            wake();
        };
        partner_->complained = [this](std::string text) { log(log::Level::notice, text); };
        partner_->gone = [this] {
            gone_ = true;
            wake();
        };
        auto& core = channel_.core();
        if (target_.is_server) {
            std::string host = target_.host;
            const auto found = co_await core.resolver.addresses(std::move(host));
            if (!found) {
                log(log::Level::warning, found.error().text());
                co_return false;
            }
            partner_->connect(core, SocketAddress{found->front(), target_.port});
            co_return true;
        }
        const auto started = partner_->start(core, target_);
        if (!started) log(log::Level::warning, started.error().text());
        co_return started.has_value();
    }

    // In a later round, as we may be in the hands of the process or stream.
    void wake() {
        wake_ = channel_.core().loop.after(
            {}, [this] { channel_.inbox().channel_event(channel_, channel::Woken{}); });
    }
    void log(log::Level level, std::string_view text) {
        channel_.report(level, fmt::format("ExternalIVR({}): {}", target_.name, text));
    }
    void event(std::string_view tag, std::string_view data = {}) {
        partner_->tell(ivr_event(tag, channel_.now(), data));
    }

    Task<> obey(const IvrCommand& command) {
        const std::string data(trim(command.data));
        switch (command.letter) {
            case 'S': co_await play(data, true); break;
            case 'A': co_await play(data, false); break;
            case 'I': co_await interrupt(false); break;
            case 'H':
                log(log::Level::notice, data);
                if (!channel_.hung_up()) channel_.hangup(Cause::normal_clearing);
                end_ = AppResult::hangup;
                break;
            case 'E':
            case 'X':
                log(log::Level::notice, data);
                event("E");
                end_ = AppResult::proceed;
                break;
            case 'O':
                if (iequals(data, "autoclear"))
                    autoclear_ = true;
                else if (iequals(data, "noautoclear"))
                    autoclear_ = false;
                else
                    log(log::Level::warning, fmt::format("unknown option '{}'", data));
                break;
            case 'V': set(data); break;
            case 'G': event("G", values(data)); break;
            case 'L': log(log::Level::notice, data); break;
            case 'P': event("P", parameters()); break;
            case 'T': {
                const bool open = co_await open_media(channel_);
                if (!open) event("Z", "ANSWER_FAILED");
                break;
            }
            case 'D': co_await dial(data); break;
            default:
                log(log::Level::warning, fmt::format("unknown command '{}'", command.letter));
                event("Z");
        }
    }

    Task<> play(const std::string& name, bool instead) {
        auto path = channel_.core().sounds.find(name, channel_.language);
        if (!path || list_.size() >= max_playlist) {
            event("Z", name);
            co_return;
        }
        if (instead) drop_all();
        list_.push_back({name, std::move(*path)});
        if (instead || !playing_) co_await next();
    }
    // Told of what will not be played.
    void drop_all() {
        if (!playing_ && list_.empty()) return;
        event("T");
        if (playing_) event("D", *playing_);
        for (const auto& waiting : list_) event("D", waiting.name);
        list_.clear();
        playing_.reset();
    }
    Task<> interrupt(bool tell) {
        const bool sounds = playing_.has_value();
        if (tell) drop_all();
        list_.clear();
        playing_.reset();
        if (sounds && !channel_.hung_up()) co_await channel_.stop_playing();
    }
    Task<> next() {
        playing_.reset();
        while (!list_.empty() && !playing_ && !channel_.hung_up()) {
            auto sound = std::move(list_.front());
            list_.pop_front();
            std::vector<std::string> files{std::move(sound.path)};
            if (co_await channel_.play(std::move(files)))
                playing_ = std::move(sound.name);
            else
                event("Z", sound.name);
        }
    }
    Task<> finished(const channel::PlayDone& played) {
        if (!playing_ || (!played.completed && played.error.empty())) co_return;  // was stopped
        event("F", *playing_);
        co_await next();
    }
    Task<> pressed(char digit) {
        event(std::string_view(&digit, 1));
        if (autoclear_) co_await interrupt(true);
    }

    // V,name=value[,name=value]
    void set(std::string_view assignments) {
        std::size_t count = 0;
        for (const auto assignment : split(assignments, ',')) {
            const auto [name, value] = split_once(assignment, '=');
            if (trim(name).empty() || ++count > max_names) continue;
            if (!channel_.variables().set(trim(name), std::string(value)))
                log(log::Level::warning, fmt::format("'{}' cannot be set", trim(name)));
        }
    }
    std::string values(std::string_view names) {
        std::string all;
        std::size_t count = 0;
        for (const auto part : split(names, ',')) {
            const auto name = trim(part);
            if (name.empty() || ++count > max_names) continue;
            if (!all.empty()) all += ',';
            (all += name) += '=';
            all += channel_.variable(name).value_or("");
        }
        return all;
    }
    std::string parameters() const {
        std::string all = target_.name;
        for (const auto& argument : target_.arguments) (all += ',') += argument;
        return all;
    }
    // D,digits[,pause[,duration]] in milliseconds
    Task<> dial(std::string_view data) {
        const auto parts = split(data, ',');
        const auto digits = trim(parts.front());
        const auto where = channel_.party();
        if (!where || digits.empty() || digits.size() > max_digits ||
            digits.find_first_not_of("0123456789*#ABCD") != std::string_view::npos) {
            event("Z");
            co_return;
        }
        media::PlayDtmfRequest request;
        request.party = *where;
        request.digits = digits;
        request.pause = std::chrono::milliseconds{250};
        if (parts.size() > 1)
            if (const auto pause = parse_milliseconds(parts[1])) request.pause = *pause;
        if (parts.size() > 2)
            if (const auto length = parse_milliseconds(parts[2])) request.duration = *length;
        const auto sent = co_await channel_.core().engine.play_dtmf(std::move(request));
        if (!sent) event("Z");
    }

    struct Sound {
        std::string name, path;
    };

    Channel& channel_;
    IvrTarget target_;
    bool answers_, informs_, dead_;
    bool autoclear_ = false, gone_ = false;
    std::optional<AppResult> end_;
    std::unique_ptr<Partner> partner_;
    IvrReader reader_;
    std::deque<Sound> list_;              // after the one that plays
    std::optional<std::string> playing_;  // by its name
    io::Timer wake_;
};

// ExternalIVR(command|ivr://host[:port][(arguments)][,options])
Task<AppResult> external_ivr(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    auto target = parse_ivr_target(argument(arguments, 0));
    if (!target) {
        channel.report(log::Level::warning,
                       fmt::format("ExternalIVR needs a program or ivr://host, got '{}'", args));
        co_return AppResult::hangup;
    }
    const OptionLetters options(argument(arguments, 1));
    Ivr ivr(channel, std::move(*target), options);
    co_return co_await ivr.run();
}

}  // namespace

void add_external_ivr_application(dialplan::Applications& applications) {
    applications.add("ExternalIVR",
                     "A program leads the caller: ExternalIVR(command|ivr://host(args)[,options])",
                     external_ivr);
}

}  // namespace strowger::pbx
