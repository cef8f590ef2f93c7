#include "pbx/applications.hpp"

#include "pbx/app_cdr.hpp"
#include "pbx/app_dial.hpp"
#include "pbx/app_statsd.hpp"
#include "pbx/call_completion.hpp"
#include "pbx/function_periodic_hook.hpp"
#include "pbx/messages.hpp"
#include "pbx/mix_monitor.hpp"
#include "pbx/originate.hpp"

namespace strowger::pbx {

void add_channel_applications(dialplan::Applications& applications, Bridge::Starter starter) {
    add_answer_applications(applications);
    add_playback_applications(applications);
    add_music_applications(applications);
    add_mp3_application(applications);
    add_digit_applications(applications);
    add_record_applications(applications);
    add_echo_applications(applications);
    add_wait_applications(applications);
    add_say_applications(applications);
    add_transfer_applications(applications, starter);
    add_pickup_applications(applications);
    add_park_applications(applications, starter);
    add_queue_application(applications, starter);
    add_queue_member_applications(applications);
    add_follow_me_application(applications, starter);
    add_access_applications(applications);
    add_talk_applications(applications);
    add_audio_socket_application(applications);
    add_external_ivr_application(applications);
    add_festival_application(applications);
    add_directory_application(applications);
    add_announce_park_application(applications, starter);
    add_availability_applications(applications, starter);
    add_conference_applications(applications, starter);
    add_bridge_wait_application(applications);
    add_page_application(applications, starter);
    add_spy_applications(applications);
    add_originate_application(applications, std::move(starter));
    add_system_applications(applications);
    add_statsd_application(applications);
    add_cdr_applications(applications);
}

void add_channel_functions(dialplan::Functions& functions) {
    add_caller_functions(functions);
    add_leg_functions(functions);
    add_pjsip_functions(functions);
    add_state_functions(functions);
    add_group_functions(functions);
    add_conference_functions(functions);
    add_park_functions(functions);
    add_cdr_functions(functions);
    add_file_functions(functions);
    add_queue_functions(functions);
    add_curl_functions(functions);
    add_shell_functions(functions);
    add_dns_functions(functions);
    add_feature_functions(functions);
    add_sound_functions(functions);
    add_talk_functions(functions);
    add_presence_functions(functions);
    add_config_functions(functions);
    add_mix_monitor_functions(functions);
    add_completion_functions(functions);
    add_periodic_hook_function(functions);
}

void add_all_applications(dialplan::Applications& applications, Bridge::Starter starter) {
    dialplan::add_builtin_applications(applications);
    // Shared: Dial offers what the others ask for.
    const auto completions = std::make_shared<CallCompletions>();
    add_dial_application(applications, starter, completions);
    add_completion_applications(applications, starter, completions);
    add_channel_applications(applications, std::move(starter));
    add_message_application(applications);
}

void add_all_functions(dialplan::Functions& functions) {
    dialplan::add_builtin_functions(functions);
    add_channel_functions(functions);
    add_message_functions(functions);
}

}  // namespace strowger::pbx
