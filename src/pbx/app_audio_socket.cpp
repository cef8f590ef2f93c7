// AudioSocket: a program outside hears the caller and is heard by it.

#include <fmt/format.h>

#include "base/text.hpp"
#include "io/stream.hpp"
#include "media/live_sound.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/prompt.hpp"
#include "wire/audiosocket/frame.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

constexpr Duration connect_timeout = std::chrono::seconds{5};
/// A program that does not read: two seconds of sound, then it is let go of.
constexpr std::size_t max_queued = 64u << 10;

/// One connection, from connecting to the end of either side.
class Conversation {
public:
    Conversation(Channel& channel, const audiosocket::Id& id) : channel_(channel), id_(id) {}
    ~Conversation() { *alive_ = false; }
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;

    Task<> run(SocketAddress service) {
        auto& core = channel_.core();
        io::Stream::Options options;
        options.connect_timeout = connect_timeout;
        options.max_queued = max_queued;
        io::Stream::Handlers handlers;
        handlers.bytes = [this](Bytes bytes) { receive(bytes); };
        handlers.closed = [this](const Error& error) { closed(error); };
        stream_ = io::Stream::connect(core.loop, service, std::move(options), std::move(handlers));
        stream_->send(audiosocket::id_frame(id_));
        auto hear = [this, alive = alive_](std::span<const std::int16_t> samples) {
            if (*alive && stream_) stream_->send(audiosocket::audio_frame(samples));
        };
        if (!co_await channel_.start_hearing(std::move(hear))) co_return;
        if (!co_await channel_.play_live(sound_)) co_return;
        while (!over_ && !channel_.hung_up() && channel_.interrupted() == Call::Interrupt::none) {
            const auto item = co_await channel_.inbox().next(Time::max());
            if (!item) continue;
            if (const auto* digit = std::get_if<channel::Digit>(&item->event); digit && !over_)
                stream_->send(audiosocket::digit_frame(digit->digit));
        }
        if (!over_) {
            stream_->send(audiosocket::terminate_frame());
            stream_->close();
        }
        sound_->close();
        co_await channel_.stop_hearing();
        if (!channel_.hung_up()) co_await channel_.stop_playing();
    }

private:
    void receive(Bytes bytes) {
        reader_.feed(bytes);
        while (const auto frame = reader_.next()) {
            if (frame->type == static_cast<std::uint8_t>(audiosocket::Type::audio))
                (void)sound_->put(audiosocket::samples_of(*frame));
            else if (frame->type == static_cast<std::uint8_t>(audiosocket::Type::terminate) ||
                     frame->type == static_cast<std::uint8_t>(audiosocket::Type::error))
                return end();
        }
    }
    void closed(const Error& error) {
        if (error.code() != 0)
            channel_.report(log::Level::warning, fmt::format("AudioSocket: {}", error.text()));
        end();
    }
    void end() {
        if (std::exchange(over_, true)) return;
        // Any event lets whoever waits have a look; in a later round, as we may be in its hands.
        wake_ = channel_.core().loop.after(
            {}, [this] { channel_.inbox().channel_event(channel_, channel::Progress{}); });
    }

    Channel& channel_;
    audiosocket::Id id_;
    audiosocket::Reader reader_;
    std::shared_ptr<media::LiveSound> sound_ =
        std::make_shared<media::LiveSound>();  // with the media thread that plays it
    std::unique_ptr<io::Stream> stream_;
    io::Timer wake_;
    bool over_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // with sound on its way
};

// "host:port", the host perhaps an IPv6 address in brackets.
std::optional<std::pair<std::string, std::uint16_t>> parse_service(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (!port || host.empty()) return std::nullopt;
    return std::pair(std::string(host), *port);
}

// AudioSocket(uuid,host:port)
Task<AppResult> audio_socket(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto [uuid, service] = split_once(args, ',');
    const auto id = audiosocket::parse_id(trim(uuid));
    const auto where = parse_service(trim(service));
    if (!id || !where) {
        channel.report(log::Level::warning,
                       fmt::format("AudioSocket needs a UUID and host:port, got '{}'", args));
        co_return AppResult::hangup;
    }
    if (!co_await open_media(channel, false)) co_return AppResult::hangup;
    std::string host = where->first;
    const auto found = co_await channel.core().resolver.addresses(std::move(host));
    if (!found) {
        channel.report(log::Level::warning, fmt::format("AudioSocket: {}", found.error().text()));
        co_return AppResult::hangup;
    }
    SocketAddress address{found->front(), where->second};
    Conversation conversation(channel, *id);
    co_await conversation.run(address);
    co_return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

}  // namespace

void add_audio_socket_application(dialplan::Applications& applications) {
    applications.add("AudioSocket", "Talk to a program: AudioSocket(uuid,host:port)", audio_socket);
}

}  // namespace strowger::pbx
