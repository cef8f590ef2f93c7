// Festival: text is spoken by a festival server.

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "base/text.hpp"
#include "io/file.hpp"
#include "io/stream.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/festival_reply.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

constexpr Duration patience = std::chrono::seconds{30};  // with the whole of the speaking
constexpr Duration look = std::chrono::milliseconds{20};
constexpr std::size_t max_text = 8192;

std::string digest_of(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), bytes.data(), &size, EVP_sha256(), nullptr);
    return fmt::format("{:02x}", fmt::join(bytes.begin(), bytes.begin() + size, ""));
}

/// One text, from the connection to its sound.
class Request {
public:
    explicit Request(Channel& channel) : channel_(channel) {}

    Task<Result<std::string>> run(SocketAddress server, std::string command) {
        auto& core = channel_.core();
        io::Stream::Options options;
        options.connect_timeout = patience;
        io::Stream::Handlers handlers;
        handlers.bytes = [this](Bytes bytes) {
            if (!closed_ && reply_.feed(bytes) != FestivalReply::State::open) closed_ = true;
        };
        handlers.closed = [this](const Error& error) {
            if (error.code() != 0) trouble_ = error.text();
            closed_ = true;
        };
        const auto stream =
            io::Stream::connect(core.loop, server, std::move(options), std::move(handlers));
        stream->send(command);
        const Time until = core.now() + patience;
        while (!closed_ && !channel_.hung_up() && core.now() < until)
            co_await core.loop.sleep(look);
        if (!reply_.waveform().empty()) co_return reply_.waveform();
        if (!trouble_.empty()) co_return fail("{}", trouble_);
        co_return fail("{} gave no sound", server.text());
    }

private:
    Channel& channel_;
    FestivalReply reply_;
    std::string trouble_;
    bool closed_ = false;
};

Task<Result<std::string>> speak(Channel& channel, const config::Festival& settings,
                                std::string text) {
    std::string host = settings.host;
    const auto found = co_await channel.core().resolver.addresses(std::move(host));
    if (!found) co_return std::unexpected(found.error());
    SocketAddress server{found->front(), settings.port};
    std::string command = festival_command(settings.command, text);
    Request request(channel);
    co_return co_await request.run(server, std::move(command));
}

// Festival(text[,intkeys])
Task<AppResult> festival(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const std::string text(trim(argument(arguments, 0)));
    std::string keys(trim(argument(arguments, 1)));
    if (text.empty() || text.size() > max_text) {
        channel.report(log::Level::warning,
                       fmt::format("Festival needs a text of up to {} bytes", max_text));
        co_return AppResult::proceed;
    }
    const auto config = channel.core().config;  // a reload meanwhile must not take it away
    const auto& settings = config->festival;
    if (!co_await open_media(channel, false)) co_return AppResult::hangup;
    const auto name = digest_of(settings.command + '\n' + text);
    const auto path =
        settings.usecache
            ? fmt::format("{}/{}.wav", settings.cachedir, name)
            : fmt::format("{}/festival-{}.wav", channel.core().state_directory, channel.serial());
    if (!settings.usecache || !io::file_exists(path)) {
        std::string wanted = text;
        const auto sound = co_await speak(channel, settings, std::move(wanted));
        if (channel.hung_up()) co_return AppResult::hangup;
        const auto kept = sound ? io::replace_file(path, *sound) : std::unexpected(sound.error());
        if (!kept) {
            channel.report(log::Level::warning, fmt::format("Festival: {}", kept.error().text()));
            co_return AppResult::proceed;
        }
    }
    std::vector<std::string> files{path};
    const auto played = co_await channel.play_and_wait(std::move(files), std::move(keys));
    if (!settings.usecache) (void)io::remove_file(path);
    if (channel.hung_up()) co_return AppResult::hangup;
    if (!played.error.empty())
        channel.report(log::Level::warning, fmt::format("Festival: {}", played.error));
    if (played.digit == 0) co_return AppResult::proceed;
    const std::string context = call.position().context;
    co_return dialplan::Machine::dialled(call, context, std::string(1, played.digit));
}

}  // namespace

void add_festival_application(dialplan::Applications& applications) {
    applications.add("Festival", "Speak a text by a festival server: Festival(text[,intkeys])",
                     festival);
}

}  // namespace strowger::pbx
