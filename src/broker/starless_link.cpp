#include "broker/starless_link.hpp"

#include <algorithm>
#include <charconv>

#include "base/log.hpp"
#include "base/text.hpp"
#include "broker/starless_ids.hpp"
#include "broker/trace.hpp"
#include "io/clock.hpp"
#include "wire/zip/zip.hpp"

namespace strowger::broker {

namespace {

constexpr log::About about{"broker"};
constexpr std::string_view ref_prefix = "sha256:";
// Bytes that one archive of files for a task may unpack to.
constexpr std::size_t max_unpacked = 256 << 20;
constexpr std::size_t max_load_files = 256;  // of one task

std::string ref_of_digest(const starless::Digest& digest) {
    return std::string(ref_prefix) + to_hex(as_text(digest));
}

starless::Digest digest_of_ref(std::string_view ref) {
    starless::Digest digest{};
    for (std::size_t i = 0; i < digest.size(); ++i) {
        const auto at = ref_prefix.size() + 2 * i;
        unsigned value = 0;
        std::from_chars(ref.data() + at, ref.data() + at + 2, value, 16);
        digest[i] = static_cast<std::uint8_t>(value);
    }
    return digest;
}

std::uint64_t milliseconds_now() {
    const auto now = io::wall_now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

starless::File describe(std::string name, std::string_view ref, std::size_t length) {
    return {.name = std::move(name),
            .hash = digest_of_ref(ref),
            .length = length,
            .epoch = milliseconds_now()};
}

// What a program did wrong is its result; what kept it from beginning may be otherwise elsewhere.
bool of_program(std::string_view error) { return error.starts_with("RuntimeError"); }

void add_trace(pb::Task_Metadata& info, const starless::Outcome& outcome) {
    for (const auto& point : outcome.trace) {
        if (info.trace().events_size() >= max_trace_events) return;
        auto& event = *info.mutable_trace()->add_events();
        constexpr auto most = static_cast<std::uint64_t>(INT64_MAX / 1000);
        event.set_unixnano(static_cast<std::int64_t>(std::min(point.microseconds, most)) * 1000);
        event.set_event(pb::Task_TraceEvent::UNKNOWN);
        event.set_details(point.label);
    }
}

}  // namespace

/// Names that must not be given to other content while a task needs them.
struct StarlessLink::Pinned {
    std::map<std::string, std::size_t>& in_use;
    std::vector<std::string> names = {};

    void add(const std::string& name) {
        ++in_use[name];
        names.push_back(name);
    }
    ~Pinned() {
        for (const auto& name : names)
            if (--in_use[name] == 0) in_use.erase(name);
    }
};

StarlessLink::StarlessLink(io::Loop& loop, Jobs& jobs, std::unique_ptr<TransportSession> session,
                           std::size_t max_answer, std::function<void()> ended)
    : loop_(loop),
      jobs_(jobs),
      session_(std::move(session)),
      ended_(std::move(ended)),
      id_(session_->id()),
      name_(session_->request().remote.text()),
      control_objects_(max_control),
      answer_objects_(max_answer) {}

StarlessLink::~StarlessLink() {
    tasks_.cancel();
    leave();
}

void StarlessLink::start() {
    LOG_VERBOSE(about, "provider {} connects in the older manner", name_);
    session_->start({.data = [this](TransportSession::StreamId stream, Bytes bytes,
                                    bool) { receive(stream, bytes); },
                     .closed =
                         [this](const Error& error) {
                             LOG_VERBOSE(about, "provider {} is gone: {}", name_, error.text());
                             leave();
                             ended_();
                         }});
    jobs_.joined(id_, *this);
    tasks_.spawn(greet());
}

void StarlessLink::leave() {
    if (std::exchange(left_, true)) return;
    jobs_.left(id_);
}

void StarlessLink::fail_link(const Error& error) {
    LOG_NOTICE(about, "provider {}: {}", name_, error.text());
    evict(error.text());
}

void StarlessLink::evict(std::string_view reason) {
    leave();
    session_->close(1, reason);
}

// --- what comes

void StarlessLink::receive(TransportSession::StreamId stream, Bytes bytes) {
    if (left_) return;
    jobs_.heard(id_);
    if (calls_ && stream == *calls_) {
        if (auto done = answers(bytes); !done) fail_link(done.error());
        return;
    }
    if (!control_in_) control_in_ = stream;
    if (stream != *control_in_) return;
    if (auto done = control(bytes); !done) fail_link(done.error());
}

Result<> StarlessLink::control(Bytes bytes) {
    control_objects_.feed(bytes);
    while (!left_) {
        const auto object = control_objects_.next();
        if (!object) return std::unexpected(object.error());
        if (!*object) return {};
        const auto message = starless::read_control(**object);
        if (!message) return std::unexpected(message.error());
        if (const auto* info = std::get_if<starless::ProviderInfo>(&*message)) {
            if (!info->name.empty()) name_ = info->name;
            LOG_VERBOSE(about, "provider {}: {}, {}", name_, info->platform, info->user_agent);
        } else if (const auto* pool = std::get_if<starless::PoolInfo>(&*message)) {
            jobs_.slots(id_, pool->pool);
        }
    }
    return {};
}

Result<> StarlessLink::answers(Bytes bytes) {
    answer_objects_.feed(bytes);
    while (!left_) {
        const auto object = answer_objects_.next();
        if (!object) return std::unexpected(object.error());
        if (!*object) return {};
        if (!header_) {
            auto header = starless::read_answer_header(**object);
            if (!header) return std::unexpected(header.error());
            header_ = std::move(*header);
            continue;
        }
        const auto header = *std::exchange(header_, std::nullopt);
        const auto found = pending_.find(header.sequence);
        if (found == pending_.end()) {
            LOG_DEBUG(about, "provider {}: an answer to nothing ({})", name_, header.sequence);
            continue;
        }
        const auto waiter = found->second;
        pending_.erase(found);
        if (header.error)
            waiter.resolve(std::unexpected(Error(*header.error)));
        else
            waiter.resolve(&**object);
    }
    return {};
}

// --- calls

Task<StarlessLink::Answered> StarlessLink::call(std::uint64_t sequence,
                                                std::vector<std::uint8_t> message) {
    if (left_ || !calls_ || pending_.size() >= max_pending) {
        Answered refused = fail("too many calls wait for provider {}", name_);
        co_return refused;
    }
    io::Completion<Answered> answer;
    pending_.emplace(sequence, answer);
    session_->send(*calls_, message);
    co_return co_await answer;
}

void StarlessLink::ping() {
    const auto sequence = sequence_++;
    tasks_.spawn([](StarlessLink& self, std::uint64_t number) -> Task<> {
        (void)co_await self.call(number, starless::write_ping(number));
    }(*this, sequence));
}

void StarlessLink::learn(const starless::File& file) {
    if (files_.size() >= Scheduler::max_files && !files_.contains(file.name)) return;
    const auto ref = ref_of_digest(file.hash);
    auto& known = files_[file.name];
    if (!known.name.empty() && known.hash != file.hash) {
        const auto old = ref_of_digest(known.hash);
        if (names_[old] == file.name) names_.erase(old);
        jobs_.holds(id_, old, false);
    }
    known = file;
    names_[ref] = file.name;
    jobs_.holds(id_, ref, true);
}

Task<> StarlessLink::greet() {
    calls_ = session_->open_stream();
    if (!calls_) {
        evict("no stream for calls");
        co_return;
    }
    const auto ping = sequence_++;
    const auto pong = co_await call(ping, starless::write_ping(ping));
    if (!pong || (*pong)->text() != "pong") {
        fail_link(Error(pong ? "a ping was answered with something else" : pong.error().text()));
        co_return;
    }
    const auto list = sequence_++;
    const auto listing = co_await call(list, starless::write_list(list));
    if (listing)
        if (const auto files = starless::read_files(**listing))
            for (const auto& file : *files) learn(file);
    std::size_t total = 0;
    for (const auto& [alias, file, owner] : jobs_.storage().aliases()) {
        total += file.size;
        if (total > max_prefetched) break;
        auto content = jobs_.storage().read(file.ref);
        if (!content) continue;
        auto described = describe(alias, file.ref, file.size);
        const auto sent = co_await provide(std::move(described), std::move(*content));
        if (!sent) LOG_NOTICE(about, "provider {}: {}: {}", name_, alias, sent.error().text());
    }
    jobs_.ready(id_);
}

namespace {

/// Answers for a push that was let go of.
struct Told {
    io::Completion<Result<>> done;
    ~Told() { done.resolve(fail("provider went away")); }
};

}  // namespace

void StarlessLink::push_and_tell(std::string name, std::string ref,
                                 std::shared_ptr<const std::string> content,
                                 const io::Completion<Result<>>& done) {
    auto file = describe(std::move(name), ref, content->size());
    tasks_.spawn([](StarlessLink& self, starless::File described,
                    std::shared_ptr<const std::string> bytes,
                    io::Completion<Result<>> answer) -> Task<> {
        const Told told{std::move(answer)};
        auto result = co_await self.provide(std::move(described), std::move(bytes));
        told.done.resolve(std::move(result));
    }(*this, std::move(file), std::move(content), done));
}

// One transfer of a name at a time; who wants the same waits for it.
Task<Result<>> StarlessLink::provide(starless::File file,
                                     std::shared_ptr<const std::string> content) {
    while (true) {
        const auto known = files_.find(file.name);
        if (known != files_.end() && known->second.hash == file.hash) co_return Result<>{};
        const auto coming = coming_.find(file.name);
        if (coming == coming_.end()) break;
        io::Completion<bool> done;
        coming->second.push_back(done);
        (void)co_await done;
    }
    if (in_use_.contains(file.name)) {
        Result<> busy = fail("'{}' is in use with other content at {}", file.name, name_);
        co_return busy;
    }
    coming_[file.name];
    const auto name = file.name;
    auto result = co_await transfer(std::move(file), std::move(content));
    const auto waiting = std::move(coming_[name]);
    coming_.erase(name);
    for (const auto& one : waiting) loop_.post([one] { one.resolve(true); });
    co_return result;
}

Task<Result<>> StarlessLink::transfer(starless::File file,
                                      std::shared_ptr<const std::string> content) {
    const auto probe = sequence_++;
    const auto held = co_await call(probe, starless::write_probe(probe, file));
    if (!held || !(*held)->boolean) {
        const auto upload = sequence_++;
        auto message = starless::write_upload(upload, file, as_bytes(*content));
        const auto taken = co_await call(upload, std::move(message));
        if (!taken) co_return std::unexpected(taken.error());
        if (!(*taken)->boolean) {
            Result<> refused = fail("{} did not take '{}'", name_, file.name);
            co_return refused;
        }
    }
    learn(file);
    co_return Result<>{};
}

// --- tasks

void StarlessLink::run(TaskId task, const google::protobuf::Message& request) {
    const auto* wasip1 = dynamic_cast<const pb::Task_Wasip1_Request*>(&request);
    if (wasip1) return tasks_.spawn(serve(task, *wasip1));
    // From within the scheduler's turn nothing can be answered.
    loop_.post([weak = std::weak_ptr<bool>(alive_), this, task] {
        if (weak.expired()) return;
        reply(task, nullptr, fmt::format("provider {} runs no Python", name_));
    });
}

Task<> StarlessLink::serve(TaskId task, pb::Task_Wasip1_Request request) {
    starless::Outcome outcome;
    auto output = co_await perform(request, outcome);
    if (!output && !of_program(output.error().text())) {
        // Not within the call that dispatched it.
        co_await loop_.sleep(std::chrono::nanoseconds{1});
        reply(task, nullptr, output.error().text());
        co_return;
    }
    pb::Task_Wasip1_Response response;
    if (request.info().has_trace()) {
        *response.mutable_info() = request.info();
        add_trace(*response.mutable_info(), outcome);
    }
    if (output)
        *response.mutable_ok() = std::move(*output);
    else
        response.set_error(output.error().text());
    reply(task, &response, std::nullopt);
}

Task<Result<pb::Task_Wasip1_Output>> StarlessLink::perform(const pb::Task_Wasip1_Request& request,
                                                           starless::Outcome& outcome) {
    const auto& params = request.params();
    Pinned pinned{in_use_};
    starless::Run run;
    // Tasks of that generation's clients have their names already.
    run.id = is_starless_task_id(request.info().reference())
                 ? request.info().reference()
                 : starless_task_id(new_uuid(random_), 0);
    run.trace = request.info().has_trace();
    run.args.assign(params.args().begin() + (params.args_size() > 0 ? 1 : 0), params.args().end());
    run.envs.assign(params.envs().begin(), params.envs().end());
    if (params.has_stdin()) run.stdin_bytes = params.stdin();
    if (params.artifacts_size() > 1) {
        Result<pb::Task_Wasip1_Output> refused =
            fail("provider {} returns one file and not {}", name_, params.artifacts_size());
        co_return refused;
    }
    if (params.artifacts_size() == 1) {
        const auto& path = params.artifacts(0);
        run.data_file = path.substr(path.starts_with('/') ? 1 : 0);
    }

    const auto content_of =
        [&](const pb::File& file) -> Result<std::shared_ptr<const std::string>> {
        if (file.has_blob()) return std::make_shared<const std::string>(file.blob());
        return jobs_.storage().read(file.ref());
    };
    const auto program = content_of(params.binary());
    if (!program) co_return std::unexpected(program.error());
    const auto ref = params.binary().has_ref() ? params.binary().ref() : ref_of(**program);
    const auto named = names_.find(ref);
    run.binary = named != names_.end() ? named->second : ref;
    auto binary = describe(run.binary, ref, (*program)->size());
    const auto sent = co_await provide(std::move(binary), *program);
    if (!sent) co_return std::unexpected(sent.error());
    pinned.add(run.binary);

    if (params.has_rootfs()) {
        const auto archive = content_of(params.rootfs());
        if (!archive) co_return std::unexpected(archive.error());
        auto files = zip::read(**archive, max_unpacked);
        if (!files) co_return std::unexpected(files.error().within("rootfs"));
        if (files->size() > max_load_files) {
            Result<pb::Task_Wasip1_Output> refused =
                fail("provider {} takes {} files and not {}", name_, max_load_files, files->size());
            co_return refused;
        }
        for (auto& file : *files) {
            if (file.name.find('/') != std::string::npos) {
                Result<pb::Task_Wasip1_Output> refused =
                    fail("provider {} has no folders for '{}'", name_, file.name);
                co_return refused;
            }
            auto content = std::make_shared<const std::string>(std::move(file.bytes));
            auto described = describe(file.name, ref_of(*content), content->size());
            const auto loaded = co_await provide(std::move(described), std::move(content));
            if (!loaded) co_return std::unexpected(loaded.error());
            pinned.add(file.name);
            run.load_files.push_back(file.name);
        }
    }

    const auto sequence = sequence_++;
    const auto answer = co_await call(sequence, starless::write_run(sequence, run));
    if (!answer) co_return std::unexpected(answer.error());
    auto read = starless::read_outcome(**answer);
    if (!read) co_return std::unexpected(read.error());
    outcome = std::move(*read);
    pb::Task_Wasip1_Output output;
    output.set_status(outcome.exit_code);
    output.set_stdout(std::move(outcome.stdout_bytes));
    output.set_stderr(std::move(outcome.stderr_bytes));
    if (run.data_file && outcome.data_file) {
        std::vector<zip::File> back{{*run.data_file, std::move(*outcome.data_file)}};
        output.mutable_artifacts()->set_media("application/zip");
        output.mutable_artifacts()->set_blob(zip::write(back));
    }
    co_return output;
}

void StarlessLink::reply(TaskId task, const pb::Task_Wasip1_Response* response,
                         std::optional<std::string> error) {
    if (left_) return;
    wasimoff::Envelope envelope{.type = wasimoff::Type::response, .error = std::move(error)};
    if (response) {
        envelope.name = pb::Task_Wasip1_Response::descriptor()->full_name();
        envelope.payload = response->SerializeAsString();
    }
    jobs_.answered(id_, task, envelope);
}

}  // namespace strowger::broker
