#include "pbx/function_periodic_hook.hpp"

#include <map>

#include "base/text.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/dialplan.hpp"
#include "pbx/hook_channel.hpp"
#include "pbx/prompt.hpp"
#include "pbx/run_call.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

constexpr std::string_view place = "PERIODIC_HOOK";
constexpr unsigned longest = 86400;    // seconds: a day, which is longer than a call
constexpr std::size_t max_hooks = 16;  // of one channel: each may run a dialplan every second

/// One of them. Belongs to its host, and ends with it.
class Hook : public std::enable_shared_from_this<Hook> {
public:
    Hook(Channel& host, dialplan::Position position, unsigned seconds, unsigned id)
        : host_(host), position_(std::move(position)), interval_(seconds), id_(id) {}
    ~Hook() {
        if (const auto running = running_.lock()) running->hangup(Cause::normal_clearing);
    }
    Hook(const Hook&) = delete;
    Hook& operator=(const Hook&) = delete;

    void arm() {
        timer_ = host_.core().loop.after(interval_, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self) return;
            self->run();
            self->arm();
        });
    }
    bool on = true;

private:
    // Whoever is alone with an application may be listening to it: what is played there is not to
    // be broken off. And one run after the other.
    void run() {
        const auto running = running_.lock();
        if (!on || (running && !running->hung_up())) return;
        if (!host_.bridge && !host_.core().conferences.with(host_)) return;
        const auto channel = HookChannel::make(host_, position_.exten + '@' + position_.context);
        running_ = channel;
        (void)channel->variables().set("HOOK_CHANNEL", host_.name());
        (void)channel->variables().set("HOOK_ID", std::to_string(id_));
        channel->set_position(position_);
        host_.core().tasks.spawn(run_call(channel, SingleApplication{}));
    }

    Channel& host_;  // it owns us
    dialplan::Position position_;
    std::chrono::seconds interval_;
    unsigned id_;
    io::Timer timer_;
    std::weak_ptr<HookChannel> running_;
};

struct Hooks {
    std::map<unsigned, std::shared_ptr<Hook>> by_id;  // shared with its own timer
};

// ${PERIODIC_HOOK(context,exten,seconds)}: begins, and is the number to switch it off by.
Result<std::string> begin(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    dialplan::Position position{std::string(trim(argument(arguments, 0))),
                                std::string(trim(argument(arguments, 1))), 1};
    const auto seconds = parse_number<unsigned>(trim(argument(arguments, 2)));
    if (!seconds || *seconds == 0 || *seconds > longest)
        return fail("PERIODIC_HOOK: '{}' is no number of seconds from 1 to {}",
                    argument(arguments, 2), longest);
    if (!channel.dialplan()->exists(position.context, position.exten, channel.query()))
        return fail("PERIODIC_HOOK: there is no extension '{}' in context '{}'", position.exten,
                    position.context);
    auto& held = channel.attached[std::string(place)];
    if (!held) held = std::make_shared<Hooks>();
    auto& hooks = static_cast<Hooks*>(held.get())->by_id;
    if (hooks.size() >= max_hooks)
        return fail("PERIODIC_HOOK: the channel has {} already", max_hooks);
    const auto id = static_cast<unsigned>(hooks.size()) + 1;
    const auto hook = std::make_shared<Hook>(channel, std::move(position), *seconds, id);
    hooks.emplace(id, hook);
    hook->arm();
    return std::to_string(id);
}

// Set(PERIODIC_HOOK(id)=off), and on again.
Result<> change(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto held = channel.attached.find(place);
    const auto id = parse_number<unsigned>(trim(args));
    if (held == channel.attached.end() || !id)
        return fail("PERIODIC_HOOK: the channel has no hook '{}'", args);
    const auto& hooks = static_cast<const Hooks*>(held->second.get())->by_id;
    const auto found = hooks.find(*id);
    if (found == hooks.end()) return fail("PERIODIC_HOOK: the channel has no hook '{}'", args);
    found->second->on = is_true(trim(value));
    return {};
}

}  // namespace

void add_periodic_hook_function(dialplan::Functions& functions) {
    functions.add("PERIODIC_HOOK",
                  "Run a dialplan every so many seconds: PERIODIC_HOOK(context,exten,seconds); "
                  "Set(PERIODIC_HOOK(id)=off)",
                  begin, change);
}

}  // namespace strowger::pbx
