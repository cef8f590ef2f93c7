#include "pbx/modules.hpp"

#include <array>

#include "base/text.hpp"

namespace strowger::pbx {

namespace {

struct Module {
    std::string_view name;
    std::string_view applications;  ///< separated by blanks
};

// With autoload = no an existing configuration lists what it needs; what it cannot list, because it
// has no module there, stays.
constexpr std::array modules_with_applications{
    Module{"app_authenticate", "Authenticate"},
    Module{"app_bridgewait", "BridgeWait"},
    Module{"app_cdr", "ResetCDR"},
    Module{"app_chanspy", "ChanSpy ExtenSpy DAHDIScan"},
    Module{"app_confbridge", "ConfBridge"},
    Module{"app_controlplayback", "ControlPlayback"},
    Module{"app_dial", "Dial RetryDial"},
    Module{"app_directed_pickup", "Pickup PickupChan"},
    Module{"app_directory", "Directory"},
    Module{"app_disa", "DISA"},
    Module{"app_dumpchan", "DumpChan"},
    Module{"app_echo", "Echo"},
    Module{"app_exec", "Exec TryExec ExecIf"},
    Module{"app_followme", "FollowMe"},
    Module{"app_milliwatt", "Milliwatt"},
    Module{"app_minivm",
           "MinivmRecord MinivmGreet MinivmNotify MinivmDelete MinivmAccMess MinivmMWI"},
    Module{"app_mixmonitor", "MixMonitor StopMixMonitor"},
    Module{"app_morsecode", "Morsecode"},
    Module{"app_originate", "Originate"},
    Module{"app_page", "Page"},
    Module{"app_playback", "Playback"},
    Module{"app_playtones", "Playtones StopPlaytones"},
    Module{"app_privacy", "PrivacyManager"},
    Module{"app_queue",
           "Queue AddQueueMember RemoveQueueMember PauseQueueMember UnpauseQueueMember QueueLog"},
    Module{"app_read", "Read"},
    Module{"app_readexten", "ReadExten"},
    Module{"app_record", "Record"},
    Module{"app_senddtmf", "SendDTMF"},
    Module{"app_sendtext", "SendText"},
    Module{"app_softhangup", "SoftHangup"},
    Module{"app_stack", "Gosub GosubIf Return StackPop"},
    Module{"app_statsd", "StatsD"},
    Module{"app_system", "System TrySystem"},
    Module{"app_transfer", "Transfer"},
    Module{"app_userevent", "UserEvent"},
    Module{"app_verbose", "Verbose Log"},
    Module{"app_voicemail", "VoiceMail VoiceMailMain VMAuthenticate"},
    Module{"app_waitforsilence", "WaitForSilence WaitForNoise"},
    Module{"app_waituntil", "WaitUntil"},
    Module{"app_while", "While EndWhile ExitWhile ContinueWhile"},
    Module{"app_zapateller", "Zapateller"},
    Module{"res_agi", "AGI EAGI DeadAGI"},
    Module{"res_musiconhold", "MusicOnHold StartMusicOnHold StopMusicOnHold"},
    Module{"res_parking", "Park ParkedCall ParkAndAnnounce"},
};

}  // namespace

std::vector<std::string_view> switched_off_applications(const config::Modules& modules) {
    std::vector<std::string_view> off;
    for (const auto& module : modules_with_applications) {
        if (modules.wants(module.name)) continue;
        for (const auto name : split(module.applications, ' ')) off.push_back(name);
    }
    return off;
}

}  // namespace strowger::pbx
