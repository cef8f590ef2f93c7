#include "pbx/applications.hpp"

namespace strowger::pbx {

void add_channel_applications(dialplan::Applications& applications, Bridge::Starter starter) {
    add_answer_applications(applications);
    add_playback_applications(applications);
    add_music_applications(applications);
    add_digit_applications(applications);
    add_record_applications(applications);
    add_echo_applications(applications);
    add_wait_applications(applications);
    add_say_applications(applications);
    add_transfer_applications(applications, std::move(starter));
    add_system_applications(applications);
}

void add_channel_functions(dialplan::Functions& functions) {
    add_caller_functions(functions);
    add_leg_functions(functions);
    add_pjsip_functions(functions);
    add_state_functions(functions);
}

}  // namespace strowger::pbx
