#include "wire/sctp/stack.hpp"

#include <usrsctp.h>

#include <stdexcept>
#include <thread>

#include "wire/sctp/association.hpp"

namespace strowger::sctp {
namespace {

std::thread::id& owner() {
    static std::thread::id thread = std::this_thread::get_id();
    return thread;
}

/// What a browser's other side needs and no more: old peers drop an INIT with parameters that they
/// do not know. Without these it has FORWARD-TSN and RE-CONFIG alone.
void trim_init() {
    usrsctp_sysctl_set_sctp_asconf_enable(0);
    usrsctp_sysctl_set_sctp_auto_asconf(0);
    usrsctp_sysctl_set_sctp_auth_enable(0);
    usrsctp_sysctl_set_sctp_nrsack_enable(0);
    usrsctp_sysctl_set_sctp_pktdrop_enable(0);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
}

/// RFC 9260 section 16 is made for paths of any length, and begins at a second. Real-time paths are
/// shorter; a lost packet of the set-up is then not noticed for a second.
void set_timers() {
    usrsctp_sysctl_set_sctp_rto_initial_default(300);
    usrsctp_sysctl_set_sctp_rto_min_default(200);
    // A path that was gone for a while, as when a NAT has changed it, is used again soon after.
    usrsctp_sysctl_set_sctp_rto_max_default(2000);
    usrsctp_sysctl_set_sctp_init_rto_max_default(1000);
    usrsctp_sysctl_set_sctp_delayed_sack_time_default(20);
    usrsctp_sysctl_set_sctp_init_rtx_max_default(20);
    // There is one path, and whether it lives is for ICE to say. One that is given up after a few
    // lost INITs carries no data, even when the peer's own INIT has got through since.
    usrsctp_sysctl_set_sctp_path_rtx_max_default(100);
    usrsctp_sysctl_set_sctp_assoc_rtx_max_default(100);
}

}  // namespace

Stack& Stack::the_process() {
    static Stack& stack = *new Stack;
    return stack;
}

Stack::Stack() {
    owner();
    usrsctp_init_nothreads(0, &Association::on_output, nullptr);
    trim_init();
    set_timers();
    usrsctp_sysctl_set_sctp_blackhole(2);  // no answers to what belongs to no association
    usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
}

void Stack::check_thread() const {
    if (owner() != std::this_thread::get_id()) {
        throw std::logic_error("SCTP associations belong to the thread that made the first");
    }
}

void Stack::tick(Time now) {
    check_thread();
    if (now < last_) last_ = now;  // another clock: a test's own
    const auto steps = (now - last_) / step;
    if (steps <= 0) return;
    last_ += steps * step;
    usrsctp_handle_timers(
        static_cast<std::uint32_t>(steps * (step / std::chrono::milliseconds{1})));
}

Time Stack::deadline() const { return associations_.empty() ? Time::max() : last_ + step; }

Association* Stack::ready() {
    while (!ready_.empty()) {
        const auto id = ready_.back();
        ready_.pop_back();
        if (auto* association = find(id)) {
            association->is_ready_ = false;
            return association;
        }
    }
    return nullptr;
}

std::uintptr_t Stack::add(Association& association) {
    check_thread();
    associations_[next_] = &association;
    usrsctp_register_address(reinterpret_cast<void*>(next_));
    return next_++;
}

void Stack::remove(std::uintptr_t id) {
    check_thread();
    associations_.erase(id);
    usrsctp_deregister_address(reinterpret_cast<void*>(id));
}

Association* Stack::find(std::uintptr_t id) {
    const auto found = associations_.find(id);
    return found == associations_.end() ? nullptr : found->second;
}

}  // namespace strowger::sctp
