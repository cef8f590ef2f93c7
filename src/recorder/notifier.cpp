#include "recorder/notifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/log.hpp"
#include "io/file.hpp"

namespace strowger::recorder {
namespace {

std::string calendar(WallTime at) { return fmt::format("{:.6f}", seconds(at.time_since_epoch())); }

std::string one_line(std::string_view text) {
    std::string line(text);
    std::ranges::replace_if(line, [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
    return line;
}

/// What is told of a file: header fields, and environment variables by the same names.
using Facts = std::vector<std::pair<std::string, std::string>>;

Facts facts_of(const Recorded::File& file, const std::string& call_id,
               const std::string& metadata) {
    const std::filesystem::path path(file.path);
    return {{"Call-ID", one_line(call_id)},
            {"File-Name", path.stem().string()},
            {"Full-File-Name", file.path},
            {"File-Format", path.extension().string().substr(1)},
            {"Output-Type", file.mixed ? "mixed" : "single"},
            {"Sample-Rate", fmt::to_string(file.rate)},
            {"Channels", fmt::to_string(file.channels)},
            {"Start-Time", calendar(file.begun)},
            {"End-Time", calendar(file.begun + file.length)},
            {"SSRC", file.mixed ? "" : file.kind},
            {"Tag", one_line(file.tag)},
            {"Tag-Label", one_line(file.label)},
            {"Call-Metadata", one_line(metadata)}};
}

std::string variable_of(std::string name) {
    std::ranges::transform(name, name.begin(), [](char c) {
        return c == '-' ? '_' : (c >= 'a' && c <= 'z') ? static_cast<char>(c - 32) : c;
    });
    return "RECORDING_" + name;
}

}  // namespace

Notifier::Notifier(io::Loop& loop, const Settings& settings) : loop_(loop), settings_(settings) {
    resolver_ = std::make_unique<io::Resolver>(loop, io::Resolver::Options{});
    io::HttpClient::Options options;
    if (!settings.notify_verify) {
        io::TlsContext::Options lax;
        lax.verify_peer = false;
        if (auto context = io::TlsContext::client(lax)) options.tls = std::move(*context);
    }
    client_ = std::make_unique<io::HttpClient>(loop, *resolver_, options);
}

Notifier::~Notifier() = default;

void Notifier::tell(const Recorded& call) {
    if (settings_.notify_uri.empty() && settings_.notify_command.empty()) return;
    for (const auto& file : call.files) {
        if (waiting_.size() + later_.size() >= max_waiting) {
            LOG_ERROR((log::About{"recorder", call.metadata.call_id}),
                      "{} files wait to be told of; nobody is told of {}", max_waiting, file.path);
            continue;
        }
        waiting_.push_back({.file = file,
                            .call_id = call.metadata.call_id,
                            .metadata = call.metadata.text,
                            .told_uri = settings_.notify_uri.empty(),
                            .told_command = settings_.notify_command.empty()});
    }
    next();
}

void Notifier::next() {
    while (running_ < std::max(1U, settings_.notify_concurrency) && !waiting_.empty()) {
        auto news = std::make_shared<News>(std::move(waiting_.front()));
        waiting_.pop_front();
        ++running_;
        tasks_.spawn(deliver(*this, std::move(news)));
    }
}

Task<> Notifier::deliver(Notifier& notifier, std::shared_ptr<News> news) {
    if (!news->told_uri) news->told_uri = co_await request(notifier, news);
    if (!news->told_command) news->told_command = co_await command(notifier, news);
    notifier.settle(*news);
}

void Notifier::settle(News& news) {
    --running_;
    const log::About about{"recorder", news.call_id};
    if (news.told_uri && news.told_command) {
        if (settings_.notify_purge) (void)io::remove_file(news.file.path);
    } else if (++news.tries > settings_.notify_retries) {
        LOG_ERROR(about, "nobody was told of {} in {} tries", news.file.path, news.tries);
    } else {
        const auto wait =
            std::min<Duration>(first_retry * (1LL << std::min(news.tries - 1, 10U)), longest_retry);
        const auto number = ++last_retry_;
        later_[number] = loop_.after(wait, [this, number, news = std::move(news)]() mutable {
            waiting_.push_back(std::move(news));
            later_.erase(number);
            next();
        });
    }
    // Not from within the task that has just ended.
    loop_.post([this, alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) next();
    });
}

Task<bool> Notifier::request(Notifier& notifier, std::shared_ptr<News> news) {
    const Settings& settings = notifier.settings_;
    io::HttpClient::Request request;
    request.method = settings.notify_post || settings.notify_record ? "POST" : "GET";
    request.url = settings.notify_uri;
    for (auto& [name, value] : facts_of(news->file, news->call_id, news->metadata))
        if (!value.empty()) request.headers.add("X-Recording-" + name, value);
    if (settings.notify_record) {
        auto content = io::read_file(news->file.path, max_attached);
        if (content) {
            request.headers.add("Content-Type",
                                news->file.path.ends_with(".mp3") ? "audio/mpeg" : "audio/wav");
            request.body = std::move(*content);
        } else {
            LOG_WARNING((log::About{"recorder", news->call_id}), "not sent along: {}",
                        content.error().text());
        }
    }
    const auto response = co_await notifier.client_->fetch(std::move(request));
    if (response && response->status >= 200 && response->status < 300) co_return true;
    LOG_WARNING((log::About{"recorder", news->call_id}), "{} was not told of {}: {}",
                settings.notify_uri, news->file.path,
                response ? fmt::format("status {}", response->status) : response.error().text());
    co_return false;
}

Task<bool> Notifier::command(Notifier& notifier, std::shared_ptr<News> news) {
    io::Process::Options options;
    options.arguments = {notifier.settings_.notify_command, news->file.path, news->call_id};
    for (char** variable = ::environ; variable && *variable; ++variable)
        options.environment.emplace_back(*variable);
    for (auto& [name, value] : facts_of(news->file, news->call_id, news->metadata))
        options.environment.push_back(variable_of(name) + "=" + value);
    const auto result =
        co_await io::run_process(notifier.loop_, std::move(options), {}, command_timeout);
    if (result && result->status.success()) co_return true;
    LOG_WARNING((log::About{"recorder", news->call_id}), "{} was not told of {}: {}",
                notifier.settings_.notify_command, news->file.path,
                result ? fmt::format("status {}", result->status.code) : result.error().text());
    co_return false;
}

}  // namespace strowger::recorder
