#include "pbx/call_files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "pbx/local_channel.hpp"
#include "pbx/originate.hpp"

namespace strowger::pbx {

namespace {

constexpr log::About about{"pbx"};
/// Several changes of the directory in a row make one look at it.
constexpr Duration settling = std::chrono::milliseconds{10};

// REASON, as dialplans know it.
int reason_of(const Originated& outcome) {
    if (outcome.status == "RINGING") return 3;
    if (outcome.status == "BUSY") return 5;
    if (outcome.status == "CONGESTION") return 8;
    return outcome.status == "HANGUP" ? 1 : 0;
}

std::string moment(WallTime now) {
    return std::to_string(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
}

}  // namespace

Result<> CallFiles::open(std::string spool) {
    spool_ = std::move(spool);
    directory_ = spool_ + "/outgoing";
    if (auto made = io::make_directories(directory_); !made) return made;
    auto watch = io::DirectoryWatch::open(core_.loop, directory_,
                                          [this](io::DirectoryWatch::Change, const std::string&) {
                                              scan_at(core_.now() + settling);
                                          });
    if (!watch) return std::unexpected(watch.error());
    watch_ = std::move(*watch);
    scan_at(core_.now() + settling);
    return {};
}

void CallFiles::scan_at(Time when) {
    if (timer_.pending() && timer_at_ <= when) return;
    timer_at_ = when;
    timer_ = core_.loop.at(when, [this] { scan(); });
}

void CallFiles::scan() {
    timer_ = {};
    const auto names = io::list_directory(directory_);
    if (!names) {
        LOG_WARNING(about, "call files: {}", names.error().text());
        return;
    }
    const auto now = core_.environment.clock();
    for (const auto& name : *names) {
        if (name.starts_with('.') || running_.contains(name)) continue;
        const auto info = io::file_info(directory_ + '/' + name);
        if (!info || info->directory) continue;
        if (info->modified > now) {
            scan_at(core_.now() + (info->modified - now));
            continue;
        }
        if (running_.size() >= max_running) break;
        running_.insert(name);
        core_.tasks.spawn(run(name));
    }
}

Task<> CallFiles::run(std::string name) {
    const auto path = directory_ + '/' + name;
    const auto text = io::read_file(path, CallFile::max_size);
    auto file = text ? CallFile::parse(*text) : std::unexpected(text.error());
    if (file) {
        co_await call(path, std::move(*file));
    } else {
        LOG_WARNING(about, "call file {}: {}; deleted", name, file.error().text());
        (void)io::remove_file(path);
    }
    running_.erase(name);
    scan_at(core_.now() + settling);
}

void CallFiles::note(const std::string& path, std::string_view line) {
    // Whoever took the file away while it was being called has had enough of it.
    if (io::file_exists(path)) (void)io::append_file(path, line);
}

Task<> CallFiles::call(std::string path, CallFile file) {
    const auto attempt = file.attempts + 1;
    note(path, fmt::format("\nStartRetry: {} {} ({})\n", ::getpid(), attempt,
                           moment(core_.environment.clock())));
    // Not again before that, whatever becomes of this process.
    (void)io::set_modified(path, core_.environment.clock() + file.retry_time + file.wait_time);
    const auto before = io::file_info(path);

    const auto targets = DialTarget::parse_list(file.channel);
    Origination wanted;
    wanted.target = targets.front();
    wanted.timeout = file.wait_time;
    wanted.caller = {file.caller_number, file.caller_name};
    wanted.accountcode = file.account;
    wanted.variables = file.variables;
    if (file.application.empty())
        wanted.position = {file.context, file.extension, file.priority};
    else
        wanted.application = {file.application, file.data};
    LOG_NOTICE(about, "call file {}: calling {} (attempt {} of {})", path, file.channel, attempt,
               std::uint64_t{file.max_retries} + 1);
    const auto outcome = co_await originate(core_, starter_, std::move(wanted));
    if (outcome.status == "SUCCESS") {
        const auto after = io::file_info(path);
        const bool moved_on = after && before && after->modified != before->modified &&
                              after->modified > core_.environment.clock();
        if (!file.always_delete && moved_on) co_return;
        finish(path, file, "Completed");
        co_return;
    }
    LOG_NOTICE(about, "call file {}: {}", path,
               outcome.error.empty() ? outcome.status : outcome.error);
    note(path, fmt::format("EndRetry: {} {} ({})\n", ::getpid(), attempt,
                           moment(core_.environment.clock())));
    if (attempt > file.max_retries) {
        finish(path, file, "Expired");
        run_failed(file, reason_of(outcome));
        co_return;
    }
    (void)io::set_modified(path, core_.environment.clock() + file.retry_time);
}

void CallFiles::finish(const std::string& path, const CallFile& file, std::string_view status) {
    if (!io::file_exists(path)) return;
    if (!file.archive) {
        (void)io::remove_file(path);
        return;
    }
    note(path, fmt::format("Status: {}\n", status));
    const auto done = spool_ + "/outgoing_done";
    const auto name = path.substr(path.rfind('/') + 1);
    const auto made = io::make_directories(done);
    const auto moved = made ? io::rename_file(path, done + '/' + name) : made;
    if (moved) return;
    // It would be called for ever if it stayed.
    LOG_WARNING(about, "call file {}: not archived: {}", name, moved.error().text());
    (void)io::remove_file(path);
}

void CallFiles::run_failed(const CallFile& file, int reason) {
    if (!file.application.empty()) return;
    auto made = LocalChannel::make(core_, "failed@" + file.context, {});
    if (!made) return;  // no such extension
    const auto channel = *made;
    const auto far = channel->other();
    for (const auto& [name, value] : file.variables) (void)far->assign(name, value);
    (void)far->variables().set("REASON", std::to_string(reason));
    if (!file.account.empty()) far->accountcode = file.account;
    if (auto begun = channel->start(starter_); !begun) channel->hangup(Cause::normal_clearing);
}

}  // namespace strowger::pbx
