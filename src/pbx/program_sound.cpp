#include "pbx/program_sound.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>

#include "io/process.hpp"
#include "media/g711.hpp"

namespace strowger::pbx {

namespace {

using media::LiveSound;
using media::Sample;

/// How often sound is handed on, and looked whether anybody still wants it.
constexpr Duration look = std::chrono::milliseconds{40};
/// What may wait here: beyond two seconds the program is stopped, under one it goes on. A pipe
/// holds four seconds more, at most.
constexpr std::size_t most_waiting = 16000, few_waiting = 8000;
/// What lies ready for the media thread: half a second, so that a busy machine is not heard.
constexpr std::size_t ready = 4000;
/// A program that ends at once is not started more often than this.
constexpr Duration pause_between = std::chrono::seconds{2};

/// Its output as samples, as far as it has come.
class Waiting {
public:
    explicit Waiting(SoundProgram::Format format) : format_(format) {}

    void add(Bytes bytes) {
        if (format_ == SoundProgram::Format::linear) return add_linear(bytes);
        const auto law =
            format_ == SoundProgram::Format::ulaw ? media::g711::Law::mu : media::g711::Law::a;
        const auto at = samples_.size();
        samples_.resize(at + bytes.size());
        (void)media::g711::decode(law, bytes, std::span(samples_).subspan(at));
    }
    std::size_t size() const { return samples_.size() - begin_; }
    void hand_on(LiveSound& sound) {
        if (sound.waiting() >= ready) return;
        const auto part = std::span<const Sample>(samples_).subspan(
            begin_, std::min(size(), ready - sound.waiting()));
        begin_ += sound.put(part);
        if (begin_ < samples_.size() / 2) return;
        samples_.erase(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(begin_));
        begin_ = 0;
    }

private:
    void add_linear(Bytes bytes) {
        for (const std::uint8_t byte : bytes) {
            half_[halves_++] = byte;
            if (halves_ < half_.size()) continue;
            Sample sample = 0;
            std::memcpy(&sample, half_.data(), sizeof sample);
            samples_.push_back(sample);
            halves_ = 0;
        }
    }

    SoundProgram::Format format_;
    std::vector<Sample> samples_;
    std::size_t begin_ = 0;
    std::array<std::uint8_t, sizeof(Sample)> half_{};
    std::size_t halves_ = 0;
};

// One life of the program. False: nobody listens any more, or it cannot be started.
Task<bool> run_once(Core& core, const SoundProgram& program, std::weak_ptr<LiveSound> wanted) {
    Waiting waiting(program.format);
    bool ended = false;
    io::Process::Options options;
    options.arguments = program.arguments;
    io::Process::Handlers handlers;
    handlers.output = [&](Bytes bytes) { bytes.empty() ? void(ended = true) : waiting.add(bytes); };
    auto started = io::Process::start(core.loop, std::move(options), std::move(handlers));
    if (!started) {
        LOG_WARNING((log::About{"pbx"}), "sound from a program: {}", started.error().text());
        co_return false;
    }
    bool stopped = false;
    while (true) {
        {
            const auto sound = wanted.lock();
            if (!sound) co_return false;
            waiting.hand_on(*sound);
        }
        if (ended && waiting.size() == 0) co_return true;
        if (!stopped && waiting.size() > most_waiting) (*started)->kill(SIGSTOP);
        if (stopped && waiting.size() < few_waiting) (*started)->kill(SIGCONT);
        stopped = waiting.size() > (stopped ? few_waiting - 1 : most_waiting);
        co_await core.loop.sleep(look);
    }
}

Task<> feed(Core& core, SoundProgram program, std::weak_ptr<LiveSound> wanted) {
    while (true) {
        const bool ended = co_await run_once(core, program, wanted);
        if (!ended || !program.again) break;
        co_await core.loop.sleep(pause_between);
    }
    if (const auto sound = wanted.lock()) sound->close();
}

}  // namespace

std::shared_ptr<LiveSound> play_program(Core& core, SoundProgram program) {
    auto sound = std::make_shared<LiveSound>();  // with the media thread that plays it
    core.tasks.spawn(feed(core, std::move(program), sound));
    return sound;
}

}  // namespace strowger::pbx
